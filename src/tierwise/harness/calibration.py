"""How honest a method is about what it does not know: coverage of its intervals, reliability of its tiers' chances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from tierwise.errors import BadSetting
from tierwise.harness.problem import Column, Problem
from tierwise.predictor import score_and_std
from tierwise.tier_statistics import tier_blocks

CENTRAL = (50, 90)  # per cent that an interval says it holds
BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Predictions in bins of their chance; all (bins,), NaN where a bin is empty.

    count: predictions. chance: mean chance that they gave themselves. right: share of them that was right.
    """

    count: NDArray[np.int64]
    chance: Column
    right: Column

    @property
    def error(self) -> float:
        """The expected calibration error in [0, 1]: mean distance of chance and share right, bins by their count."""
        filled = self.count > 0
        distance = np.abs(self.chance - self.right)[filled]
        return float(self.count[filled] @ distance / max(int(self.count.sum()), 1))


def reliability(chance: ArrayLike, right: ArrayLike, bins: int = BINS) -> Reliability:
    """Chances (n,) in [0, 1] against what came true (n,), in `bins` bins of equal width. Raises BadSetting.

    Guo et al., "On Calibration of Modern Neural Networks" (2017).
    """
    p, true = np.asarray(chance, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if p.shape != true.shape or p.ndim != 1 or bins < 1 or not ((p >= 0) & (p <= 1 + 1e-6)).all():
        raise BadSetting("chances", (p.shape, true.shape, bins), "two columns of equal length, 0 to 1; at least 1 bin")
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, column, minlength=bins) for column in (p, true))
    chances, rights = (np.divide(s, count, out=np.full(bins, np.nan), where=count > 0) for s in sums)
    return Reliability(count, chances, rights)


def coverage(score: ArrayLike, std: ArrayLike, truth: ArrayLike, percent: float) -> float:
    """Share of (n,) truths inside the central `percent` % of normal distributions with these means and deviations.

    In [0, 1]; of honest ones percent / 100. NaN for none. Raises BadSetting.
    """
    if not 0 < percent < 100:
        raise BadSetting("percent", percent, "more than 0, less than 100")
    mean, spread, true = (np.asarray(column, dtype=np.float64) for column in (score, std, truth))
    if not mean.shape == spread.shape == true.shape:
        raise BadSetting("columns", (mean.shape, spread.shape, true.shape), "three columns of equal length")
    reach = float(norm.ppf(0.5 + percent / 200))
    return float((np.abs(true - mean) <= reach * spread).mean()) if len(true) else float("nan")


def in_units_of_labels(truth: ArrayLike, labels: ArrayLike) -> Column:
    """(n,) truths as normal scores among (m,) labels: by interpolation; beyond the labels the ends' normal scores.

    The unit of predictors that learn normal scores of the labels. Raises BadSetting for no label.
    """
    known = np.asarray(labels, dtype=np.float64)
    if not len(known):
        raise BadSetting("labels", 0, "1 or more")
    unit = norm.ppf((rankdata(known) - 0.5) / len(known))
    values, first = np.unique(known, return_index=True)
    return np.interp(np.asarray(truth, dtype=np.float64), values, unit[first])


def calibration(fitted: Any, problem: Problem, drawn: NDArray[np.int64]) -> dict[str, float]:
    """The figures of a predictor fitted on the labels of the rows `drawn`, on all other rows.

    coverage50, coverage90: of its intervals, where it gives standard deviations; its scores are taken as normal
    scores, and the truth as normal score among the truths of the labelled rows (so that a label and a truth of
    different level are no error of calibration).
    ece_tier: expected calibration error of the most likely tier's chance, where it gives chances of tiers; the true
    tier of a row lies between the same ranks of the labelled rows' truths. No figures where no row is `drawn`.
    """
    if not len(drawn):
        return {}
    rest = np.setdiff1d(np.arange(len(problem.truth)), drawn)
    archs, truth, known = problem.archs[rest], problem.truth[rest], problem.truth[drawn]
    figures: dict[str, float] = {}
    if getattr(fitted, "gives_std", False):
        score, std = score_and_std(fitted, archs)
        unit = in_units_of_labels(truth, known)
        figures |= {f"coverage{percent}": coverage(score, std, unit, percent) for percent in CENTRAL}
    if hasattr(fitted, "predict_tier_proba"):
        figures["ece_tier"] = tier_reliability(fitted, problem, drawn).error
    return figures


def tier_reliability(fitted: Any, problem: Problem, drawn: NDArray[np.int64]) -> Reliability:
    """The most likely tier of every row that is not `drawn`: its chance, and how often it is the true one."""
    rest = np.setdiff1d(np.arange(len(problem.truth)), drawn)
    parts = [np.asarray(fitted.predict_tier_proba(part)) for part in problem.archs[rest].chunks()]
    chances = np.concatenate(parts)
    known = problem.truth[drawn]
    blocks = tier_blocks(known, chances.shape[1])
    edges = np.array([known[blocks == tier].min() for tier in range(chances.shape[1] - 1)])
    true = (problem.truth[rest, None] < edges).sum(1)
    return reliability(np.minimum(chances.max(1), 1.0), chances.argmax(1) == true)


def reliability_diagram(found: Reliability, *, ax: Any = None) -> Any:
    """Share right against chance, one dot a bin, larger with more predictions; gives the matplotlib Axes.

    On the diagonal chances are honest, below it too sure. Raises MissingExtra without matplotlib.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from tierwise import plots

    with rc_context(plots.STYLE):
        ax = ax if ax is not None else Figure(figsize=(4.6, 4.4), layout="constrained").add_subplot()
        filled = found.count > 0
        chance, right, count = found.chance[filled], found.right[filled], found.count[filled]
        ax.plot([0, 1], [0, 1], color=plots.QUIET, lw=1.1, ls=(0, (4, 3)), label="honest")
        ax.plot(chance, right, color=plots.FIND, lw=1.4)
        ax.scatter(chance, right, s=12 + 160 * count / max(count.sum(), 1), color=plots.FIND, label="bins", zorder=3)
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="chance given to the tier", ylabel="share that is in it")
        ax.set_aspect("equal")
        ax.set_title(f"Expected calibration error {found.error:.3f} · n = {int(count.sum()):,}")
        ax.legend(loc="upper left")
        return ax
