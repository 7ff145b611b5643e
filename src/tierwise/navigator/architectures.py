"""All that is known of one architecture, of those one change away, and why it is scored as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tierwise import drawing
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.navigator.columns import costs_of

if TYPE_CHECKING:
    from tierwise.navigator.navigator import Navigator

REASONS = 12  # of a score that are told
MOST_NEIGHBOURS = 400


@dataclass(frozen=True, slots=True)
class Arch:
    """One architecture. row: on the map, None where it is not there. genes: the option of each choice, None where it is
    not active. values: by column. percentile: of its prediction, 100 the best. allowed: why it can not be proposed
    now; empty where it can.
    """

    row: int | None
    text: str
    genes: list[str | None]
    svg: str
    values: dict[str, float | None]
    percentile: float | None
    trial: int | None
    allowed: list[str]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An architecture one change away. change: in words. gain: of its prediction over that of the first one."""

    row: int | None
    text: str
    change: str
    predicted: float | None
    gain: float | None
    result: float | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The best predicted first."""

    rows: list[Neighbour]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one quantity adds to a score. value: of the quantity."""

    name: str
    value: str
    effect: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The score is `base` plus the effects, but for those too small to be told."""

    rows: list[Effect]
    base: float
    score: float


def arch_facts(navigator: Navigator, arch: Architecture) -> Arch:
    """Of any architecture of the space."""
    space, one = navigator.study.space, Architectures.of([arch], navigator.study.space)
    row, snapshot = navigator.population.row(arch), navigator.snapshot()
    if row is not None and row < len(snapshot):
        values = {name: navigator.columns.number(name, row) for name in snapshot.values}
    else:
        known = costs_of(one, navigator.costs())
        values: dict[str, float | None] = dict.fromkeys(snapshot.values)
        values |= {name: number(float(column[0])) for name, column in known.items()}
        values["predicted"] = number(float(navigator.predictions.scored(one.genes)[0]))
    names = [None if gene < 0 else choice.options[gene] for gene, choice in zip(arch.genes, space.choices, strict=True)]
    graph, trial = space.graph(arch), navigator.trial_of(one)
    return Arch(
        row=row,
        text=str(arch),
        genes=names,
        svg=drawing.svg(graph.nodes, graph.edges, title=space.format(one)[0]),
        values=values,
        percentile=navigator.percentile(values.get("predicted")),
        trial=trial,
        allowed=navigator.obstacles(one),
    )


def neighbours(navigator: Navigator, arch: Architecture) -> Neighbours:
    """Every architecture of the space that is one change away."""
    space, one = navigator.study.space, Architectures.of([arch], navigator.study.space)
    found, _ = space.neighbours(one)
    found = found[:MOST_NEIGHBOURS]
    rows, snapshot = navigator.population.rows(found), navigator.snapshot()
    on_map = (rows >= 0) & (rows < len(snapshot))
    score, result = np.full(len(found), np.nan), np.full(len(found), np.nan)
    score[on_map] = snapshot.column("predicted")[rows[on_map]]
    result[on_map] = snapshot.column("result")[rows[on_map]]
    if not on_map.all():
        score[~on_map] = navigator.predictions.scored(found.genes[~on_map])
    own = arch_score(navigator, one)
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable").tolist()
    return Neighbours(
        [
            Neighbour(
                row=int(rows[k]) if on_map[k] else None,
                text=str(found[k]),
                change=_change(arch, found[k], navigator),
                predicted=number(float(score[k])),
                gain=number(float(score[k]) - own),
                result=number(float(result[k])),
            )
            for k in order
        ]
    )


def arch_score(navigator: Navigator, one: Architectures) -> float:
    """The prediction of one, NaN where there is none."""
    row, snapshot = int(navigator.population.rows(one)[0]), navigator.snapshot()
    if 0 <= row < len(snapshot):
        return float(snapshot.values["predicted"][row])
    return float(navigator.predictions.scored(one.genes)[0])


def explanation(navigator: Navigator, arch: Architecture) -> Explanation:
    """Shapley values of the prediction. Raises BadSetting before there are predictions, or where it takes too long."""
    one = Architectures.of([arch], navigator.study.space)
    try:
        found = navigator.predictions.explained(one.genes, navigator.population.whole, REASONS)
    except TimeoutError as error:
        raise BadSetting("explanation", "not ready", "ask again: a prediction is being worked out") from error
    rows = [Effect(name, _content(content), effect) for name, content, effect in found.reasons]
    return Explanation(rows, found.base, found.score)


def number(value: float) -> float | None:
    """None for what is not known."""
    return float(value) if np.isfinite(value) else None


def _change(arch: Architecture, other: Architecture, navigator: Navigator) -> str:
    """Such as "cell/0-1: none becomes nor_conv_3x3"."""
    words: list[str] = []
    for choice, before, after in zip(navigator.study.space.choices, arch.genes, other.genes, strict=True):
        if before != after:
            was, now = ("nothing" if gene < 0 else choice.options[gene] for gene in (before, after))
            words.append(f"{choice.path}: {was} becomes {now}")
    return "; ".join(words)


def _content(value: float) -> str:
    return f"{value / 1e6:,.2f} M" if abs(value) >= 1e5 else f"{value:.4g}"
