"""How good each option of each choice is, in all of the map or a part of it, and what people have said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.insight import effects as insight
from tierwise.navigator.snapshot import Mask, Snapshot
from tierwise.space import Space
from tierwise.steering import Steer, Steering, retracted

DRAWN = 3_000  # architectures up to which intervals are drawn by bootstrap; above, they follow from the variances
NORMAL = 1.959964  # of an interval of 95 %
Floats = NDArray[np.float64]
Of = Literal["result", "predicted"]
Status = Literal["", "locked", "banned", "preferred", "avoided"]


@dataclass(frozen=True, slots=True)
class Effects:
    """Tables choice by option; None where nobody has the option. n: architectures. fitness: mean rank, 0 .. 1, of those
    that have it. effect: by how much their mean is above that of the others, low and high its interval of 95 %.
    count: how many have it. thin: whether that is thin evidence. status: what is said of it.
    """

    n: int
    choices: list[str]
    options: list[list[str]]
    fitness: list[list[float | None]]
    effect: list[list[float | None]]
    low: list[list[float | None]]
    high: list[list[float | None]]
    count: list[list[int]]
    thin: list[list[bool]]
    status: list[list[Status]]


def effects_of(snapshot: Snapshot, mask: Mask, of: Of, steering: Steering, steers: Sequence[Steer]) -> Effects:
    """Of the rows of a mask (n,), on their results or their predictions. Raises BadSetting."""
    if of == "result":
        inside = mask[snapshot.evaluated]
        archs, y = snapshot.archs[snapshot.evaluated[inside]], snapshot.y[inside]
    elif of == "predicted":
        values = snapshot.column("predicted")
        inside = mask & np.isfinite(values)
        archs, y = snapshot.archs if inside.all() else snapshot.archs[inside], values[inside]
    else:
        raise BadSetting("of", of, "result or predicted")
    found = insight.effects(archs, y, seed=snapshot.seed) if len(y) <= DRAWN else large_effects(archs, y)
    space = snapshot.archs.space
    sizes = [len(choice.options) for choice in space.choices]

    def rows_of(table: NDArray[np.generic]) -> list[list[float | None]]:
        kept = np.where(np.isfinite(table), table, np.nan).tolist()
        return [[None if v != v else v for v in row[:n]] for row, n in zip(kept, sizes, strict=True)]

    return Effects(
        n=len(y),
        choices=[choice.path for choice in space.choices],
        options=[list(choice.options) for choice in space.choices],
        fitness=rows_of(_fitness(archs, y)),
        effect=rows_of(found.effect),
        low=rows_of(found.low),
        high=rows_of(found.high),
        count=[row[:n] for row, n in zip(found.count.tolist(), sizes, strict=True)],
        thin=[row[:n] for row, n in zip(found.thin.tolist(), sizes, strict=True)],
        status=status_of(space, steering, steers),
    )


def _fitness(archs: Architectures, y: Floats) -> Floats:
    """(choices, options) mean rank, 0 .. 1, of those that have an option; ties share their mean rank."""
    distinct, place, count = np.unique(y, return_inverse=True, return_counts=True)
    del distinct
    ends = np.cumsum(count)
    rank = ((ends - (count - 1) / 2 - 1) / max(len(y) - 1, 1))[place] if len(y) > 1 else np.full(len(y), 0.5)
    count_of, total, _ = _sums(archs, rank)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count_of > 0, total / count_of, np.nan)


def _sums(archs: Architectures, y: Floats) -> tuple[Floats, Floats, Floats]:
    """(choices, options) number, sum and sum of squares of y of those that have an option."""
    width = archs.space.allowed.shape[1]
    tables = np.zeros((3, archs.shape[1], width + 1))
    y2 = y * y
    for gene, own in enumerate(np.ascontiguousarray(archs.genes.T)):
        places = own.astype(np.intp) + 1
        for table, weights in zip(tables, (None, y, y2), strict=True):
            table[gene] = np.bincount(places, weights, minlength=width + 1)
    count, total, squares = tables[:, :, 1:]
    return count, total, squares


def large_effects(archs: Architectures, y: Floats) -> insight.Effects:
    """``insight.effects`` where there are many: intervals by Welch, "The Generalization of 'Student's' Problem when
    Several Different Population Variances are Involved" (1947), in place of the bootstrap.
    """
    y, n = y - y.mean(), len(y)
    count, total, squares = _sums(archs, y)
    rest, others, left = n - count, y.sum() - total, (y * y).sum() - squares
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        effect = np.where(rest > 0, mean - others / rest, np.nan)
        variance = (squares / count - mean**2) / count + (left / rest - (others / rest) ** 2) / rest
    half = NORMAL * np.sqrt(np.maximum(variance, 0))
    return insight.Effects(mean, effect, effect - half, effect + half, count.astype(np.int64), n)


def status_of(space: Space, steering: Steering, steers: Sequence[Steer]) -> list[list[Status]]:
    """What the rows in force say of each option: the only one left, taken away, preferred, avoided."""
    left, gone, back = steering.space.allowed, space.allowed & ~steering.space.allowed, retracted(steers)
    said: dict[tuple[str, str], Status] = {}
    for steer in steers:
        if steer.id not in back and steer.kind in ("prefer", "avoid") and "choice" in steer.what:
            for option in steer.what["options"]:
                said[steer.what["choice"], option] = "preferred" if steer.kind == "prefer" else "avoided"
    table: list[list[Status]] = []
    for gene, choice in enumerate(space.choices):
        locked = gone[gene].any() and left[gene].sum() == 1
        row: list[Status] = []
        for place, option in enumerate(choice.options):
            if gone[gene, place]:
                row.append("banned")
            else:
                row.append("locked" if locked and left[gene, place] else said.get((choice.path, option), ""))
        table.append(row)
    return table
