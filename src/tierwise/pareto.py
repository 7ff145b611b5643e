"""Several goals at once: which results no other beats, how much they cover, and what one more would add.

Goals are columns (n, m), all higher better: costs come negated. A row with a NaN counts as worse than any.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, MissingExtra
from tierwise.history import History

Goals = NDArray[np.float64]
REFERENCE = -0.1  # on the scale of `scaled`: a tenth of the range below the worst, so that the ends of a front count
_SHORTLIST = 1_000  # candidates looked at again for the next pick: what each adds only shrinks


def non_dominated(goals: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) the rows of (n, m) goals that no other row beats in one and equals in the others."""
    found = np.ones(len(goals), dtype=bool)
    found &= ~np.isnan(goals).any(1)
    for row in np.lexsort(goals.T)[::-1]:  # what beats a row comes before it
        if found[row]:
            found &= ~((goals <= goals[row]).all(1) & (goals < goals[row]).any(1))
    return found


def goals_of(history: History, archs: Architectures, objective: NDArray[Any]) -> Goals:
    """(n, 1 + k) the objective (n,) of `archs` (n) and the negated costs of ``history.against``."""
    costs = [-np.asarray(history.costs[name](archs), dtype=np.float64) for name in history.against]
    return np.stack([np.asarray(objective, dtype=np.float64), *costs], axis=1)


def scaled(goals: Goals, known: Goals) -> Goals:
    """(n, m) goals with the worst value of `known` (k, m), goal by goal, at 0 and the best at 1.

    A goal that does not vary in `known` keeps its unit.
    """
    known = known[~np.isnan(known).any(1)]
    low, high = known.min(0), known.max(0)
    return (goals - low) / np.where(high > low, high - low, 1.0)


def knee(front: Goals) -> int:
    """The row of a front (k, m) beyond which more of one goal costs much of the others.

    Each goal is scaled to its range on the front; the knee lies farthest out from the plane through those points that
    have the best of one goal and the worst of all others, which of two goals are the ends of the front.
    From: Das, "On Characterizing the 'Knee' of the Pareto Curve Based on Normal-Boundary Intersection" (1999).
    """
    return int(np.argmax(scaled(front, front).sum(1)))


def hypervolume(goals: Goals, reference: NDArray[Any]) -> float:
    """How much lies between the reference (m,) and the goals (n, m), in the product of their units.

    From: Zitzler and Thiele, "Multiobjective Optimization Using Evolutionary Algorithms" (1998). Exact; three goals
    and more by the algorithms of moocore. Raises BadSetting, MissingExtra.
    """
    points, corner = _checked(goals, reference)
    if points.shape[1] > 2:
        return _covered(points, corner)
    left, right, height = _steps(points, corner)
    return float(((right - left)[1:] * (height - corner[1])[1:]).sum())


def improvements(front: Goals, goals: Goals, reference: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) the hypervolume that each row of `goals` (n, m) alone would add to that of the front (k, m).

    Exact, also for rows of the front that others beat. Raises BadSetting, MissingExtra.
    """
    front, corner = _checked(front, reference)
    rows, _ = _checked(goals, reference)
    if rows.shape[1] > 2:
        return _improvements_by_row(front[non_dominated(front)], rows, corner)
    gain = np.zeros(len(rows))
    for left, right, height in zip(*_steps(front, corner), strict=True):
        gain += np.clip(rows[:, 0] - left, 0.0, right - left) * np.maximum(rows[:, 1] - height, 0.0)
    return gain


def chosen(
    history: History, among: Architectures, optimistic: NDArray[Any], n: int, known: NDArray[Any] | None = None
) -> NDArray[np.int64]:
    """Rows of at most `n` of `among` (m) that would add most to the front, each beside those before it.

    optimistic (m,): what each of `among` may reach in the objective, such as a mean plus some standard deviations.
    known: the objective of ``history.done`` in the unit of `optimistic`, where that is not its own.
    The costs of ``history.against`` are known. Each goal is scaled to the range of the finished trials; the reference
    lies a tenth of it below their worst. A pick counts as found with its optimistic value, so that a batch spreads
    along the front. Where nothing adds anything, the most optimistic comes first. Raises BadSetting, MissingExtra.

    The improvement of a bound rather than of a sample is that of Ponweiser et al., "Multiobjective Optimization on a
    Limited Budget of Evaluations Using Model-Assisted S-Metric Selection" (2008).
    """
    done = history.done
    ours = goals_of(history, done.archs, done.y if known is None else known)
    if not np.isfinite(ours).all(1).any():
        raise BadSetting("finished trials with costs", 0, "1 or more: before, nothing gives the goals a scale")
    goals, front = scaled(goals_of(history, among, optimistic), ours), scaled(ours[non_dominated(ours)], ours)
    reference, rows, picked = np.full(goals.shape[1], REFERENCE), np.arange(len(among)), list[int]()
    for _ in range(min(n, len(among))):
        gain = improvements(front, goals[rows], reference)
        rows = rows[np.lexsort((-goals[rows, 0], -gain))[: max(_SHORTLIST, n)]]
        picked.append(int(rows[0]))
        front, rows = np.vstack([front, goals[rows[:1]]]), rows[1:]
    return np.array(picked, dtype=np.int64)


def _checked(goals: Goals, reference: NDArray[Any]) -> tuple[Goals, Goals]:
    """Goals without NaN, and the reference; a single goal becomes two, of which the second is always 1 above."""
    rows, corner = np.asarray(goals, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if rows.ndim != 2 or corner.shape != rows.shape[1:] or not len(corner) or not np.isfinite(corner).all():
        raise BadSetting("goals and reference", (rows.shape, corner.tolist()), "(n, m) goals and m finite numbers")
    rows = np.where(np.isnan(rows).any(1, keepdims=True), corner, rows)
    if len(corner) == 1:
        return np.hstack([rows, np.ones_like(rows)]), np.append(corner, 0.0)
    return rows, corner


def _steps(points: Goals, corner: Goals) -> tuple[Goals, Goals, Goals]:
    """(k + 1,) left and right ends and heights of the stairs under (k, 2) points, from the right.

    The first one lies beyond all points: it has no end and the height of the corner.
    """
    x, y = np.maximum(points[np.argsort(-points[:, 0], kind="stable")], corner).T
    left, right = np.append(x, corner[0]), np.concatenate([[np.inf], x])
    return left, right, np.maximum.accumulate(np.concatenate([[corner[1]], y]))


def _improvements_by_row(front: Goals, rows: Goals, corner: Goals) -> Goals:
    """What each row covers less what the front covers of that (While et al., "A Fast Way of Calculating Exact
    Hypervolumes", 2012).
    """
    gain, adds = np.zeros(len(rows)), (rows > corner).all(1)
    for point in front:
        adds &= (rows > point).any(1)
    for row in np.flatnonzero(adds):
        gain[row] = max(0.0, np.prod(rows[row] - corner) - _covered(np.minimum(front, rows[row]), corner))
    return gain


def _covered(points: Goals, corner: Goals) -> float:
    try:
        import moocore
    except ImportError as error:
        raise MissingExtra("the hypervolume of three goals or more", "moocore", "pareto") from error
    return float(moocore.hypervolume(points, ref=corner, maximise=True)) if len(points) else 0.0
