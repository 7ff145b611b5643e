"""What one search of a claim works on: labels of one training, equal networks apart or as one, a limit."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tierwise.errors import BadSetting
from tierwise.harness.checks import ONE_TRAINING
from tierwise.harness.problem import Column, Problem
from tierwise.harness.protocol import Claim
from tierwise.space import Space


@dataclass(frozen=True)
class Task:
    """A problem, and what of it a search may choose.

    allowed: (n,) the labels, minus infinity outside of the limits; limits: name -> most.
    """

    problem: Problem
    allowed: Column
    limits: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def best(self) -> float:
        """The best label that is allowed."""
        return float(self.allowed.max())

    @property
    def best_truth(self) -> float:
        """The best truth that is allowed."""
        return float(self.problem.truth[np.isfinite(self.allowed)].max())

    def top(self, percent: float) -> float:
        """The least label of the best `percent` % of what is allowed; of one at least."""
        count = max(1, round(int(np.isfinite(self.allowed).sum()) * percent / 100))
        return float(np.sort(self.allowed)[-count])

    def facts(self) -> dict[str, Any]:
        """What can be found at all."""
        return {
            "limits": dict(self.limits),
            "architectures": int(np.isfinite(self.allowed).sum()),
            "best_validation": self.best,
            "test_of_best_validation": float(self.problem.truth[int(self.allowed.argmax())]),
            "best_test": self.best_truth,
        }


def task(claim: Claim, problem: Problem, *, seed: int = 0, limit: str | None = None) -> Task:
    """What the search of this seed works on. Raises BadSetting, UnknownName for the column of a limit."""
    if claim.duplicates:
        space = undeduplicated(problem.space)
        problem = replace(problem, space=space, archs=space.enumerate(), table=replace(problem.table, space=space))
    if claim.data.label == ONE_TRAINING:
        problem = _of_one_training(problem, seed)
    if limit is None:
        return Task(problem, problem.label)
    column = problem.column(limit)
    most = float(np.nanquantile(column, claim.limits[limit], method="lower"))
    table = replace(problem.table, known_columns={**problem.table.known_columns, limit: column})
    allowed = np.where(column <= most, problem.label, -np.inf)
    return Task(replace(problem, table=table), allowed, {limit: most})


def facts(claim: Claim, problem: Problem) -> dict[str, Any]:
    """The facts of a data set, and under each limit of the claim what can be found there."""
    found = problem.facts()
    if claim.limits:
        found["limits"] = {name: task(claim, problem, limit=name).facts() for name in claim.limits}
    return found


def _of_one_training(problem: Problem, seed: int) -> Problem:
    """The labels of recorded training `seed`, counted round among those that an architecture has."""
    metrics = problem.table.metrics
    label = problem.table.many(problem.archs, [seed] * len(problem.archs))["accuracy"]
    return replace(problem, label=label, table=replace(problem.table, metrics={**metrics, "accuracy": label}))


def undeduplicated(space: Space) -> Space:
    """The space with every gene row as a network of its own, as a table counts them. Raises BadSetting."""
    if not space.free:
        raise BadSetting("duplicates", space.name, "a space in which every combination of options is an architecture")
    return _by_rows_from(type(space), space.__getstate__())


@functools.cache
def _by_rows(kind: type[Space]) -> type[Space]:
    """The class with the keys that every space has before it knows of equal networks."""
    own: dict[str, Any] = {"canonical": Space.canonical, "__reduce__": _reduced}
    return type(f"Undeduplicated{kind.__name__}", (kind,), own)


def _by_rows_from(kind: type[Space], state: dict[str, Any]) -> Space:
    made = object.__new__(_by_rows(kind))
    vars(made).update(state)
    return made


def _reduced(space: Space) -> tuple[Any, ...]:
    """A made class has no place where another process could find it: it is made there anew."""
    return _by_rows_from, (type(space).__mro__[1], space.__getstate__())
