"""Where architectures lie on the map when no two quantities are its axes: alike ones are near each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.space import mix

Floats = NDArray[np.float64]
SAMPLE = 20_000  # rows that the directions are learnt from
ENTRIES = 3_000_000  # of their one-hot matrix
KNOTS = 257  # quantiles of the sample by which an axis is stretched
EVEN = 0.75  # share of even spreading in an axis; the rest keeps distances
JITTER = 0.012  # of the axis: equal rows, and the lattice that few choices give, come apart
LARGEST = 65_535


@dataclass(frozen=True)
class Embedding:
    """The first two principal components of one-hot options and costs, stretched so that points do not pile up.

    Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space" (1901). Stretching and jitter are ours.
    options: (2, choices, width + 1), what each option adds to a coordinate (the last is for a choice that is not
    active). costs: (2, k) what a standardised cost adds. centre, scale: (k,) of the costs. knots: (2, KNOTS) of the
    sample's coordinates.
    """

    options: Floats
    costs: Floats
    centre: Floats
    scale: Floats
    knots: Floats

    @classmethod
    def of(cls, archs: Architectures, costs: Mapping[str, NDArray[Any]], seed: int = 0) -> Embedding:
        """Learnt from a sample of the rows; costs: (n,) columns by name, of which only those that differ count."""
        choices, width = len(archs.space.choices), archs.space.allowed.shape[1]
        most = min(SAMPLE, ENTRIES // (choices * (width + 1) + len(costs)))
        rows = np.random.default_rng(seed).permutation(len(archs))[:most]
        genes = archs.genes[rows]
        table = np.zeros((len(rows), choices, width + 1))
        np.put_along_axis(table, genes[:, :, None].astype(np.int64) % (width + 1), 1.0, axis=2)
        columns = _matrix(costs, rows)
        centre, scale = columns.mean(0), columns.std(0)
        scale = np.where(scale > 0, scale, np.inf)
        x = np.hstack([table.reshape(len(rows), -1), (columns - centre) / scale])
        directions = _principal(x - x.mean(0))
        head = choices * (width + 1)
        options, weights = directions[:, :head].reshape(2, choices, width + 1), directions[:, head:]
        found = cls(options, weights, centre, scale, np.zeros((2, 0)))
        knots = np.quantile(found._raw(genes.T, columns), np.linspace(0, 1, KNOTS), axis=1).T
        return cls(options, weights, centre, scale, knots)

    def place(self, genes: NDArray[Any], costs: Mapping[str, NDArray[Any]]) -> NDArray[np.uint16]:
        """(2, n) coordinates 0 .. 65535 of (choices, n) genes and (n,) costs; the jitter of a row is by its number."""
        n = genes.shape[1]
        raw = self._raw(genes, _matrix(costs, np.arange(n)))
        noise = mix(np.arange(2 * n, dtype=np.uint64)).reshape(2, n) / 2.0**64 - 0.5
        even = np.linspace(0, 1, KNOTS)
        placed = np.empty((2, n))
        for axis, knots in enumerate(self.knots):
            low, high = knots[1], knots[-2]
            straight = np.clip((raw[axis] - low) / ((high - low) or 1.0), 0, 1)
            placed[axis] = EVEN * _spread(raw[axis], knots, even) + (1 - EVEN) * straight
        placed = (placed + JITTER * noise + JITTER / 2) / (1 + JITTER)
        return np.round(np.clip(placed, 0, 1) * LARGEST).astype(np.uint16)

    def _raw(self, genes: NDArray[Any], columns: Floats) -> Floats:
        """(2, n) coordinates before they are stretched: a sum of look-ups, no one-hot matrix."""
        raw = self.costs @ ((columns - self.centre) / self.scale).T
        for choice, own in enumerate(genes):
            raw += self.options[:, choice, own]
        return raw


def _matrix(costs: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> Floats:
    """(n, k); a cost that is not known counts as the mean."""
    if not costs:
        return np.zeros((len(rows), 0))
    columns = np.column_stack([np.asarray(column, dtype=np.float64)[rows] for column in costs.values()])
    known = np.isfinite(columns)
    means = np.where(known, columns, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, columns, means)


def _principal(x: Floats) -> Floats:
    """(2, d) the directions of most variance; the sign is such that the largest weight is positive."""
    if x.shape[0] < x.shape[1]:
        directions = np.linalg.svd(x, full_matrices=False)[2][[0, min(1, len(x) - 1)]]
    else:
        directions = np.linalg.eigh(x.T @ x)[1][:, [-1, -2 if x.shape[1] > 1 else -1]].T
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], axis=1)
    return directions * np.where(largest < 0, -1.0, 1.0)


def _spread(values: Floats, knots: Floats, even: Floats) -> Floats:
    """Ranks 0..1 by the quantiles of the sample, the middle one of a tie."""
    distinct, first, count = np.unique(knots, return_index=True, return_counts=True)
    return np.interp(values, distinct, even[np.minimum(first + count // 2, len(even) - 1)])
