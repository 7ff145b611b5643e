"""How far the order of a score is that of the accuracy: over all architectures, among the best, and beyond FLOPs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from tierwise.errors import BadSetting
from tierwise.metrics import spearman

FIGURES = ("overall", "top half", "top tenth", "given FLOPs")


def agreement(score: ArrayLike, accuracy: ArrayLike, flops: ArrayLike) -> dict[str, float]:
    """Spearman's rank correlation of a score (n,) with the accuracy (n,), by the names of FIGURES.

    overall; among the half and the tenth with the highest accuracy; overall given FLOPs, the partial correlation. NaN
    for a constant column and for fewer than three architectures.

    Proxies should stand beside parameters and FLOPs, and among good networks: Li et al., "Zero-Shot Neural Architecture
    Search: Challenges, Solutions, and Opportunities" (2023).

    >>> agreement([1, 2, 3, 4], [10, 30, 20, 40], [5, 5, 6, 6])["overall"]
    0.8
    """
    x, y, cost = (np.asarray(column, dtype=np.float64) for column in (score, accuracy, flops))
    if not x.shape == y.shape == cost.shape or x.ndim != 1:
        raise BadSetting("columns", (x.shape, y.shape, cost.shape), "three columns of equal length")
    best = np.argsort(-y, kind="stable")
    half, tenth = best[: len(y) // 2], best[: len(y) // 10]
    values = (_rho(x, y), _rho(x[half], y[half]), _rho(x[tenth], y[tenth]), partial_spearman(x, y, cost))
    return dict(zip(FIGURES, values, strict=True))


def partial_spearman(a: ArrayLike, b: ArrayLike, given: ArrayLike) -> float:
    """Correlation of the ranks of two columns (n,) after a linear fit to the ranks of a third is taken from both.

    NaN where nothing is left of one of them.
    """
    ranks = np.stack([rankdata(column) for column in (a, b, given)])
    x, y, known = ranks - ranks.mean(1, keepdims=True)
    scale = known @ known or 1.0
    left = [column - (column @ known) / scale * known for column in (x, y)]
    if any(each @ each <= 1e-9 * (whole @ whole) for each, whole in zip(left, (x, y), strict=True)):
        return float("nan")
    return float(left[0] @ left[1] / np.sqrt((left[0] @ left[0]) * (left[1] @ left[1])))


def _rho(a: ArrayLike, b: ArrayLike) -> float:
    return spearman(a, b) if np.size(a) > 2 else float("nan")
