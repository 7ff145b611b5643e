"""What a page is told first: the study, its space, the map and its columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tierwise.command_line import noted
from tierwise.navigator.columns import Column
from tierwise.navigator.population import PopulationFacts
from tierwise.space import Space
from tierwise.study import Study


@dataclass(frozen=True, slots=True)
class ChoiceFacts:
    """One decision of the space."""

    path: str
    options: list[str]


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """size: how many architectures, in decimal digits."""

    name: str
    size: str
    choices: list[ChoiceFacts]


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """label: how the objective is called. percent: whether labels read as percentages. command: the line that goes on
    with the search. oneshot: whether a supernet of a template is searched.
    """

    name: str
    objective: str
    label: str
    percent: bool
    strategy: str
    seed: int
    limits: dict[str, tuple[float | None, float | None]]
    against: list[str]
    command: str
    oneshot: bool


@dataclass(frozen=True, slots=True)
class Meta:
    """read_only: whether the server takes no steering. Without a study: study, space and population are None."""

    version: str
    study: StudyFacts | None
    space: SpaceFacts | None
    population: PopulationFacts | None
    columns: list[Column]
    truth: bool
    read_only: bool


def space_facts(space: Space) -> SpaceFacts:
    """Of a space as the study began with it."""
    choices = [ChoiceFacts(choice.path, list(choice.options)) for choice in space.choices]
    return SpaceFacts(space.name, str(space.size), choices)


def study_facts(study: Study, table: bool, command: str) -> StudyFacts:
    """table: whether results are looked up in one; its accuracy is one of validation."""
    best = study.best()
    value = best[0].metrics[study.objective] if best else 0.0
    limits = {
        name: (None if math.isinf(least) else least, None if math.isinf(most) else most)
        for name, (least, most) in study.limits.items()
    }
    return StudyFacts(
        name="study in memory" if study.path is None else study.path.name,
        objective=study.objective,
        label=f"validation {study.objective}" if table else study.objective,
        percent=is_percent(study.objective, value),
        strategy=repr(study.strategy),
        seed=study.seed,
        limits=limits,
        against=list(study.against),
        command=command,
        oneshot="template" in noted(study),
    )


def is_percent(name: str, most: float) -> bool:
    """Whether the values of a metric, of which this is the greatest, read as percentages."""
    return "accuracy" in name and 1.5 < most <= 100
