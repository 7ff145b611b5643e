"""How good an order or a search is: thin over numpy and scipy. Labels and scores: higher is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tierwise.errors import BadSetting

Column = NDArray[np.float64]


def kendall_tau(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two (n,) columns, in [-1, 1]: concordant less discordant pairs, corrected for ties.

    Rows with a NaN in either are left out; NaN with fewer than two rows left or a constant column.
    """
    x, y = _finite_pairs(a, b)
    return _statistic(stats.kendalltau(x, y)) if _vary(x, y) else float("nan")


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation of two (n,) columns, in [-1, 1]; NaN is treated as in ``kendall_tau``."""
    x, y = _finite_pairs(a, b)
    return _statistic(stats.spearmanr(x, y)) if _vary(x, y) else float("nan")


def weighted_tau(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau of two (n,) columns in [-1, 1] whose exchanges weigh more, the better the ranks: 1 / rank, added.

    The mean over ranking by either column; NaN is treated as in ``kendall_tau``.
    Vigna, "A weighted correlation index for rankings with ties" (2015).
    """
    x, y = _finite_pairs(predicted, truth)
    return _statistic(stats.weightedtau(x, y)) if _vary(x, y) else float("nan")


def noise_ceiling(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau between two measurements of the same (n,) architectures, such as two training seeds.

    An order that agrees with one measurement better than the other measurement does has learnt its noise.
    """
    return kendall_tau(a, b)


def precision_at(predicted: ArrayLike, truth: ArrayLike, percent: float) -> float:
    """Share of the predicted top `percent` % that truly is in the top `percent` %, in [0, 1].

    Ties count in row order. A random order scores percent / 100. Raises BadSetting.
    """
    scores, labels = _finite_pairs(predicted, truth)
    if not 0 < percent <= 100:
        raise BadSetting("percent", percent, "more than 0, at most 100")
    k = max(1, round(len(scores) * percent / 100))
    return len(np.intersect1d(_top(scores, k), _top(labels, k))) / min(k, max(len(scores), 1))


def best_rank_at(predicted: ArrayLike, truth: ArrayLike, k: int) -> int:
    """N@k: the best true rank (1 = best) among the predicted top `k`; ties in row order. Raises BadSetting.

    A random order of n scores (n + 1) / (k + 1) on average.
    """
    scores, labels = _finite_pairs(predicted, truth)
    if not 1 <= k <= len(scores):
        raise BadSetting("k", k, f"1 to {len(scores)}")
    return int(ranks(labels)[_top(scores, k)].min())


def ranks(values: ArrayLike) -> NDArray[np.int64]:
    """(n,) rank of each value: 1 + how many are strictly higher. A NaN ranks behind everything."""
    column = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=-np.inf)
    return (len(column) - np.searchsorted(np.sort(column), column, side="right") + 1).astype(np.int64)


def regret(found: float, truth: ArrayLike) -> float:
    """How far `found` is below the best value of the table, in the units of the label."""
    return float(np.nanmax(np.asarray(truth, dtype=np.float64))) - found


def regret_at(predicted: ArrayLike, truth: ArrayLike, k: int) -> float:
    """How far the best of the predicted top `k` is below the best of all, in the units of the truth.

    Ties in row order. Raises BadSetting.
    """
    scores, labels = _finite_pairs(predicted, truth)
    if not 1 <= k <= len(scores):
        raise BadSetting("k", k, f"1 to {len(scores)}")
    return regret(float(labels[_top(scores, k)].max()), labels)


def best_so_far(values: ArrayLike) -> Column:
    """(n,) the highest of the first 1, 2, ... n values; a NaN (a failure) is passed over."""
    column = np.asarray(values, dtype=np.float64)
    return np.fmax.accumulate(column) if len(column) else column


def random_search(
    table: ArrayLike, evaluations: int, quantiles: Sequence[float] = (0.1, 0.9)
) -> tuple[Column, NDArray[np.float64]]:
    """Best-so-far of random search without replacement on a table, exactly.

    Of N values in rising order the best of m draws is at most the i-th with probability C(i, m) / C(N, m).
    Gives the mean (evaluations,) and the quantiles (len(quantiles), evaluations).
    A NaN of the table is left out. Raises BadSetting when there are fewer finite values than `evaluations`.
    """
    column = np.asarray(table, dtype=np.float64)
    values = np.sort(column[np.isfinite(column)])
    n = len(values)
    if not 1 <= evaluations <= n:
        raise BadSetting("evaluations", evaluations, f"1 to the {n} values of the table")
    place = np.arange(1, n + 1, dtype=np.float64)
    at_most = np.ones(n)  # P(best of m draws <= values[i]), from m - 1 to m by one more factor
    mean, bounds = np.empty(evaluations), np.empty((len(quantiles), evaluations))
    for m in range(1, evaluations + 1):
        at_most *= np.clip((place - m + 1) / (n - m + 1), 0.0, 1.0)
        mean[m - 1] = values @ np.diff(at_most, prepend=0.0)
        bounds[:, m - 1] = values[np.minimum(np.searchsorted(at_most, np.asarray(quantiles) - 1e-12), n - 1)]
    return mean, bounds


def random_evaluations_needed(rank: int, total: int, chance: float = 0.5) -> int:
    """How many random evaluations find one of the `rank` best of `total` with this chance.

    The fewest that do, drawn without replacement. Raises BadSetting.
    """
    if not 1 <= rank <= total:
        raise BadSetting("rank", rank, f"1 to {total}")
    if not 0 < chance <= 1:
        raise BadSetting("chance", chance, "more than 0, at most 1")
    draws = np.arange(total - rank + 1, dtype=np.float64)
    with np.errstate(divide="ignore"):
        missed = np.cumsum(np.log(np.maximum(total - rank - draws, 0.0)) - np.log(total - draws))
    return int(np.searchsorted(-missed, -np.log1p(-chance) if chance < 1 else np.inf)) + 1


def _statistic(result: Any) -> float:
    return float(result.statistic)


def _finite_pairs(a: ArrayLike, b: ArrayLike) -> tuple[Column, Column]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise BadSetting("columns", (x.shape, y.shape), "two columns of equal length")
    both = ~(np.isnan(x) | np.isnan(y))
    return x[both], y[both]


def _vary(*columns: NDArray[Any]) -> bool:
    return all(len(column) > 1 and bool((column != column[0]).any()) for column in columns)


def _top(values: Column, k: int) -> NDArray[np.int64]:
    return np.argsort(-values, kind="stable")[:k]
