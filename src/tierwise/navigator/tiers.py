"""What each quality tier is made of: how costs are spread in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.navigator.scoring import TIERS
from tierwise.navigator.snapshot import Mask, Snapshot

GRID = 96  # places where a density is told
FEWEST_VALUES = 24  # a column of fewer values is told value by value
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ridge:
    """One column: grid of its values; for each tier, the best first, how dense its members are there (the areas are
    equal), and their quartiles; None for an empty tier.
    """

    name: str
    label: str
    unit: str
    grid: list[float]
    density: list[list[float] | None]
    quartiles: list[tuple[float, float, float] | None]


@dataclass(frozen=True, slots=True)
class TierFacts:
    """edges: least predicted score of each tier but the last, the best first. counts: members, the best tier first."""

    edges: list[float]
    columns: list[Ridge]
    counts: list[int]


def tier_facts(snapshot: Snapshot, mask: Mask, edges: Floats | None, given: list[float] | None) -> TierFacts:
    """Of the rows of a mask. edges: those of the predictor, None before there is one; given: others to cut by.

    Raises BadSetting.
    """
    if edges is None:
        return TierFacts([], [], [0] * TIERS)
    tiers = np.where(mask, snapshot.values["tier"], TIERS)
    if given is not None:
        edges = np.array(given, dtype=np.float64)
        if len(edges) != TIERS - 1 or not np.isfinite(edges).all() or (np.diff(edges) > 0).any():
            raise BadSetting("edges", given, f"{TIERS - 1} scores, the highest first")
        score = snapshot.column("predicted")
        cut = (edges[None, :] > score[:, None]).sum(1)
        tiers = np.where(mask & np.isfinite(score), cut, TIERS)
    members = [np.flatnonzero(tiers == tier) for tier in range(TIERS)]
    names = [name for name, column in snapshot.described.items() if column.kind == "cost" and column.known]
    ridges = [_ridge(snapshot, name, members) for name in names]
    return TierFacts(edges.tolist(), ridges, [len(rows) for rows in members])


def _ridge(snapshot: Snapshot, name: str, members: list[NDArray[np.int64]]) -> Ridge:
    column, values = snapshot.described[name], snapshot.column(name)
    parts = [own[np.isfinite(own)] for own in (values[rows] for rows in members)]
    together = np.concatenate(parts)
    grid = _grid(together)
    density = [_density(own, grid) if len(own) else None for own in parts]
    quartiles = [
        (lambda q: (float(q[0]), float(q[1]), float(q[2])))(np.quantile(own, (0.25, 0.5, 0.75))) if len(own) else None
        for own in parts
    ]
    return Ridge(name, column.label, column.unit, grid.tolist(), density, quartiles)


def _grid(values: Floats) -> Floats:
    """The values themselves where there are few, else even steps."""
    distinct = np.unique(values)
    if len(distinct) <= FEWEST_VALUES:
        return distinct
    return np.linspace(distinct[0], distinct[-1], GRID)


def _density(values: Floats, grid: Floats) -> list[float]:
    """Shares at the values of a short grid; on a long one a smoothed histogram of area 1 (Silverman, "Density
    Estimation", 1986: a Gaussian kernel of his width), computed on the grid.
    """
    if len(grid) <= FEWEST_VALUES:
        return (np.bincount(np.searchsorted(grid, values), minlength=len(grid)) / len(values)).tolist()
    step = grid[1] - grid[0]
    place = np.clip(np.round((values - grid[0]) / step).astype(np.int64), 0, len(grid) - 1)
    histogram = np.bincount(place, minlength=len(grid)) / (len(values) * step)
    low, high = np.quantile(values, (0.25, 0.75))
    spread = min(float(values.std()), float(high - low) / 1.34) or float(values.std())
    width = max(0.9 * spread * len(values) ** -0.2 / step, 0.7)
    reach = min(int(4 * width) + 1, len(grid))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    smooth = np.convolve(histogram, kernel / kernel.sum(), mode="full")[reach : reach + len(grid)]
    return (smooth / (smooth.sum() * step)).tolist()
