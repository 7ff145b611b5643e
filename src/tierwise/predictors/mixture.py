"""How several predictions become one, with a calibrated standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.metrics import kendall_tau

Floats = NDArray[np.float64]

_STEPS = 5  # weights are looked at in multiples of a fifth
_PULL = 3.0  # of tau times labels: what a squared step away from the weights before any label costs
_NOISE = 0.03  # of a tau by one label; that by n of them is sqrt(n) times as sure


@dataclass(frozen=True)
class Mixture:
    """The weighted mean of what the members say, each standardised, in the unit of the labels.

    centre, spread, weights: (members,). scale: of the mean. width: of the standard deviation.
    """

    centre: Floats
    spread: Floats
    weights: Floats
    scale: float
    width: float

    @classmethod
    def before(cls, weights: Floats) -> Self:
        """Of members (members,) with these weights, when no label has said anything of them."""
        return cls(np.zeros(len(weights)), np.ones(len(weights)), weights, 1.0, 1.0)

    @classmethod
    def of(cls, said: Floats, variance: Floats, z: Floats, weights: Floats) -> Self:
        """Weights by Kendall's tau of the mixed order with the labels; few labels leave those from before.

        Every mixture in fifths counts by how much more its tau is than the noise of a tau, less a pull towards
        `weights` that fades as 1 / n; the weights are their mean.

        said: (members, n) of rows that a member had not learnt from; variance: (n,) by the process; z: (n,) labels,
        standardised; weights: (members,), sum 1. The standard deviation is as wide as the errors on these rows are.
        """
        centre, spread, n = said.mean(1), said.std(1), len(z)
        spread = np.where(spread > 0, spread, 1.0)
        x = (said - centre[:, None]) / spread[:, None]
        grid = np.array([each for each in product(range(_STEPS + 1), repeat=len(x)) if sum(each) == _STEPS]) / _STEPS
        agree = np.nan_to_num([kendall_tau((each @ x).round(9), z) for each in grid])  # rounded: ties stay ties
        merit = agree - _PULL / n * ((grid - weights) ** 2).sum(1)
        merit = np.exp((merit - merit.max()) / (_NOISE / np.sqrt(n)))
        weights = merit @ grid / merit.sum()
        scale = max(_slope(weights @ x, z), 0.0) or 1.0
        mixed = cls(centre, spread, weights, scale, 1.0)
        errors = (z - mixed.score(said)) / mixed.std(said, variance)
        return cls(centre, spread, weights, scale, float(np.sqrt((errors**2).mean())) or 1.0)

    def standardised(self, said: Floats) -> Floats:
        """(members, n)"""
        return (said - self.centre[:, None]) / self.spread[:, None]

    def score(self, said: Floats) -> Floats:
        """(n,) from what (members, n) say."""
        return self.scale * (self.weights @ self.standardised(said))

    def std(self, said: Floats, variance: Floats) -> Floats:
        """(n,) from the variance by the process and from how much the members differ."""
        differ = self.standardised(said) - self.weights @ self.standardised(said)
        return self.width * np.sqrt(variance + self.scale**2 * (self.weights @ differ**2))

    def state(self) -> dict[str, NDArray[Any]]:
        """Its numbers."""
        own = {"centre": self.centre, "spread": self.spread, "weights": self.weights}
        return {**own, "scale": np.array(self.scale), "width": np.array(self.width)}

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of ``state``."""
        arrays = {name: state[name] for name in ("centre", "spread", "weights")}
        return cls(**arrays, scale=float(state["scale"]), width=float(state["width"]))


def _slope(x: Floats, z: Floats) -> float:
    """Of the line through 0."""
    return float(x @ z / max(x @ x, 1e-12))
