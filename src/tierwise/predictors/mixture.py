"""How several predictions become one, with a calibrated standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]

_EVEN = 30  # labels that even weights are worth


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
    def even(cls, members: int) -> Self:
        """Nothing is known of the members."""
        return cls(np.zeros(members), np.ones(members), np.full(members, 1 / members), 1.0, 1.0)

    @classmethod
    def of(cls, said: Floats, variance: Floats, z: Floats) -> Self:
        """Least squares with weights that are not negative, drawn towards even ones as if by 30 more labels.

        said: (members, n) of rows that a member had not learnt from; variance: (n,) by the process; z: (n,) labels,
        standardised. The standard deviation is as wide as the errors on these rows are.
        """
        centre, spread = said.mean(1), said.std(1)
        first = cls.even(len(said))
        first = cls(centre, np.where(spread > 0, spread, 1.0), first.weights, 1.0, 1.0)
        x = first.standardised(said)
        even = max(_slope(x.mean(0), z), 0.0) / len(x)
        pull = np.sqrt(_EVEN) * np.eye(len(x))
        found, _ = nnls(np.vstack([x.T, pull]), np.concatenate([z, pull @ np.full(len(x), even)]))
        weights = found / found.sum() if found.sum() > 0 else first.weights
        scale = max(_slope(weights @ x, z), 0.0) or 1.0
        mixed = cls(centre, first.spread, weights, scale, 1.0)
        errors = (z - mixed.score(said)) / mixed.std(said, variance)
        return cls(centre, first.spread, weights, scale, float(np.sqrt((errors**2).mean())) or 1.0)

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
