"""Search: what a strategy has found after so many evaluations, or so many simulated seconds of training."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.harness.baselines import strategy
from tierwise.harness.problem import Column, Problem
from tierwise.harness.protocol import Claim, Method
from tierwise.harness.task import Task, task
from tierwise.history import DONE, History
from tierwise.study import Study

Shard = dict[str, Any]
MOST_TRIALS = 100_000  # of a search that only its clock ends


def shards(claim: Claim) -> list[Shard]:
    """Every run of the claim."""
    return [
        {"method": name, "dataset": dataset, **limit, "seed": seed}
        for name in claim.methods
        for dataset in claim.datasets(name)
        for limit in ([{"limit": each} for each in claim.limits] or [{}])
        for seed in range(claim.seeds_of(name))
    ]


def work(claim: Claim, problem: Problem, shard: Shard) -> Shard:
    """One search: the figures at every checkpoint, the steps of its curve, and when it had found the best."""
    start, cpu = time.perf_counter(), time.process_time()
    if claim.seconds and "seconds" not in problem.table.metrics:
        raise BadSetting("seconds", claim.seconds, f"a benchmark that records them; {problem.table.name} does not")
    mine = task(claim, problem, seed=shard["seed"], limit=shard.get("limit"))
    history = _searched(claim, claim.methods[shard["method"]], mine, shard["seed"])
    full = history.budget == 0  # only these are labels; what cheap ones take counts in seconds
    rows = problem.space.index(history.archs[full])
    seconds = np.cumsum(history.metrics["seconds"])[full] if "seconds" in history.metrics else None
    clock = seconds if claim.seconds and seconds is not None else np.arange(1.0, len(rows) + 1)
    return {
        **_looked_at(claim, mine, rows, clock, seconds),
        "labels": len(rows),
        "wall_seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
    }


def _searched(claim: Claim, method: Method, mine: Task, seed: int) -> History:
    """What one search has evaluated; under `until` no more once it has the best and has passed the checkpoints."""
    problem, batch = mine.problem, method.batch or claim.batch
    trials = min(claim.trials or MOST_TRIALS, problem.space.size)
    until: Any = {"seconds": float(max(claim.seconds))} if claim.seconds else {}
    if claim.until:
        until = {"target": mine.best}
    given: Any = {"limits": mine.limits, "against": tuple(mine.limits) if method.against else (), "seed": seed}
    with Study(None, problem.space, strategy(method), problem.table, **given) as study:
        study.run(trials, batch=batch, **until)
        if claim.until and claim.checkpoints:
            study.run(min(max(claim.checkpoints), problem.space.size), batch=batch)
        history = study.history()
        return history.rows(history.state == DONE)


def _looked_at(claim: Claim, mine: Task, rows: NDArray[np.int64], clock: Column, seconds: Column | None) -> Shard:
    label, truth = mine.problem.label, mine.problem.truth
    seen = label[rows]
    better = np.r_[True, seen[1:] > np.maximum.accumulate(seen)[:-1]]  # of equal ones the first is held
    best = rows[np.maximum.accumulate(np.where(better, np.arange(len(rows)), 0))]
    first = np.flatnonzero(np.r_[True, best[1:] != best[:-1]])  # the steps of the curve
    curve = [[float(clock[k]), float(label[best[k]]), float(truth[best[k]])] for k in first]
    figures = {str(t): _figures(mine, rows, best, int(np.searchsorted(clock, t, side="right"))) for t in claim.stops}
    found = {"best": _first(seen >= mine.best), "top": _first(seen >= mine.top(claim.top))}
    if claim.until:
        figures[str(claim.trials)] |= {f"evaluations_to_{k}": float(v or claim.trials or 0) for k, v in found.items()}
    simulated = {} if seconds is None else {"step_seconds": seconds[first].tolist(), "seconds": float(seconds[-1])}
    return {
        "figures": {t: values for t, values in figures.items() if values},
        "curve": curve,
        **simulated,
        **{f"{name}_evaluated_at": at for name, at in found.items()},
    }


def _first(found: NDArray[np.bool_]) -> int | None:
    """Which evaluation is the first of these, counted from 1."""
    return int(found.argmax()) + 1 if found.any() else None


def _figures(mine: Task, rows: NDArray[np.int64], best: NDArray[np.int64], done: int) -> dict[str, float]:
    """The best validation after `done` evaluations, the test of that architecture, and the best test among all.

    The last one no search can choose. Nothing where no evaluation has ended yet.
    """
    if not done:
        return {}
    label, truth, held = mine.problem.label, mine.problem.truth, best[done - 1]
    return {
        "validation": float(label[held]),
        "test": float(truth[held]),
        "oracle_test": float(truth[rows[:done]].max()),
        "validation_regret": mine.best - float(label[held]),
        "test_regret": mine.best_truth - float(truth[held]),
        "success": float(label[held] == mine.best),
    }
