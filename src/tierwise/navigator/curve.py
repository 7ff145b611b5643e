"""How the best result has risen, beside a random search of the same table; and how well it was foretold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise import metrics
from tierwise.navigator.progress import Agreement, agreements, pairs
from tierwise.trial_folder import read_curve

if TYPE_CHECKING:
    from tierwise.navigator.navigator import Navigator

SHOWN = 400  # places of a curve
LONGEST = 2_000  # results up to which a random search is told
SUPERNET = "supernet"  # the folder of a supernet's own curve


@dataclass(frozen=True, slots=True)
class Band:
    """A random search: its mean best so far, and the band in which four of five are."""

    finished: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class Curve:
    """finished, best: best so far after so many results, wherever it rose, and now. random: None without a table.
    training: what a supernet has reported, a dict a step. agreement: of predictions made beforehand with results.
    """

    finished: list[int]
    best: list[float]
    random: Band | None
    training: list[dict[str, float]]
    agreement: list[Agreement]


def curve_of(navigator: Navigator) -> Curve:
    """Of the search so far."""
    with navigator.lock:
        record, total = navigator.record, navigator.total
        told = [record.rows[k].told or 0 for k in record.done.tolist()]
        y, finished, folder = record.y, record.told, getattr(navigator.study, "folder", None)
        found = pairs(navigator.predictions.before, record.done, y)
    best = metrics.best_so_far(y)
    rises = [k for k in range(len(best)) if k == 0 or best[k] > best[k - 1]]
    shown = [(told[k], float(best[k])) for k in rises]
    if shown and finished > shown[-1][0]:
        shown.append((finished, shown[-1][1]))
    return Curve(
        finished=[at for at, _ in shown],
        best=[value for _, value in shown],
        random=_band(navigator.benchmark, navigator.study.objective, max(finished, total or 0)),
        training=[] if folder is None else read_curve(folder / SUPERNET),
        agreement=agreements(*found),
    )


def _band(benchmark: Any, objective: str, longest: int) -> Band | None:
    """A random search of the table, worked out exactly; None where the results are in no table."""
    column: NDArray[np.float64] | None = benchmark.expected(objective) if hasattr(benchmark, "expected") else None
    if column is None or not longest:
        return None
    most = min(longest, LONGEST, int(np.isfinite(column).sum()))
    key = id(benchmark), objective
    if _bands.get(key, (0, None))[0] < most:
        _bands.clear()
        _bands[key] = most, metrics.random_search(column, most)
    mean, (low, high) = _bands[key][1]
    at = np.unique(np.round(np.linspace(1, most, min(most, SHOWN))).astype(int))
    return Band(at.tolist(), mean[at - 1].tolist(), low[at - 1].tolist(), high[at - 1].tolist())


_bands: dict[tuple[int, str], tuple[int, Any]] = {}  # of the benchmark that is open
