"""The effect of each option of each choice on a quantity, with an interval, and how often the option was there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures

Floats = NDArray[np.float64]
THIN = 20  # architectures with and without an option, below which its effect rests on thin evidence


@dataclass(frozen=True)
class Effects:
    """(g, options) tables over the choices of a space, or (d,) over other conditions; NaN where nobody has one.

    mean: of the quantity over the architectures that have the option. effect: by how much that is above the mean of
    those that have it not. low, high: the interval of the effect. count: architectures that have it.
    """

    mean: Floats
    effect: Floats
    low: Floats
    high: Floats
    count: NDArray[np.int64]
    n: int

    @property
    def thin(self) -> NDArray[np.bool_]:
        """Where the evidence is thin: fewer than 20 with or without the option, or an interval that spans 0."""
        few = np.minimum(self.count, self.n - self.count) < THIN
        return few | ~((self.low > 0) | (self.high < 0))


def effects(archs: Architectures, y: Floats, *, share: float = 0.95, samples: int = 400, seed: int = 0) -> Effects:
    """Of every option, among these architectures, on y (n,); rows without a number do not count.

    share: of the bootstrap intervals; samples: drawn for them. An option that all have has no effect: NaN.
    """
    width = archs.space.allowed.shape[1]
    has = (archs.genes[:, :, None] == np.arange(width)).reshape(len(archs), archs.shape[1] * width)
    found = effects_of(has, y, share=share, samples=samples, seed=seed)
    shape = (archs.shape[1], width)
    tables = (found.mean, found.effect, found.low, found.high)
    mean, effect, low, high = (table.reshape(shape) for table in tables)
    return Effects(mean, effect, low, high, found.count.reshape(shape), found.n)


def effects_of(has: NDArray[np.bool_], y: Floats, *, share: float = 0.95, samples: int = 400, seed: int = 0) -> Effects:
    """Of any conditions, has (n, d): who fulfils them, on y (n,)."""
    known = np.flatnonzero(np.isfinite(y))
    own, y, n = has[known].astype(np.float64), np.asarray(y, dtype=np.float64)[known], len(known)
    weights = (
        np.random.default_rng(seed).multinomial(n, np.full(n, 1 / max(n, 1)), size=samples) if n else np.zeros((1, 0))
    )
    mean, effect = _compared(np.ones((1, n)), own, y)
    drawn = _compared(weights, own, y)[1]
    low, high = (np.full(own.shape[1], np.nan) for _ in range(2))
    there = np.flatnonzero(np.isfinite(effect[0]))
    if len(there):
        low[there], high[there] = np.nanquantile(drawn[:, there], [(1 - share) / 2, (1 + share) / 2], axis=0)
    return Effects(mean[0], effect[0], low, high, own.sum(0).astype(np.int64), n)


def _compared(weights: NDArray[np.generic], has: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(samples, d) means of those that have an option, and what they are above those that have not."""
    w = weights.astype(np.float64)
    total, value = w.sum(1, keepdims=True), (w * y).sum(1, keepdims=True)
    count, own = w @ has, (w * y) @ has
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, own / count, np.nan)
        others = np.where(total > count, (value - own) / (total - count), np.nan)
    return mean, mean - others
