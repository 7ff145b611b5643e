"""Search: what a strategy has found after so many evaluations, or so many simulated seconds of training."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.harness.baselines import strategy
from tierwise.harness.problem import Column, Problem
from tierwise.harness.protocol import Claim
from tierwise.study import Study

Shard = dict[str, Any]
MOST_TRIALS = 100_000  # of a search that only its clock ends


def shards(claim: Claim) -> list[Shard]:
    """Every run of the claim."""
    return [
        {"method": name, "dataset": dataset, "seed": seed}
        for name in claim.methods
        for dataset in claim.datasets(name)
        for seed in range(claim.seeds_of(name))
    ]


def checkpoints(claim: Claim) -> list[int]:
    """Where a search is looked at, in evaluations or in simulated seconds."""
    return claim.seconds or claim.checkpoints or [int(claim.trials or 0)]


def work(claim: Claim, problem: Problem, shard: Shard) -> Shard:
    """One search: the figures at every checkpoint, and the steps of its curve."""
    method, start = claim.methods[shard["method"]], time.perf_counter()
    budget: Any = {"seconds": float(max(claim.seconds))} if claim.seconds else {}
    trials, batch = claim.trials or MOST_TRIALS, method.batch or claim.batch
    if claim.seconds and "seconds" not in problem.table.metrics:
        raise BadSetting("seconds", claim.seconds, f"a benchmark that records them; {problem.table.name} does not")
    with Study(None, problem.space, strategy(method), problem.table, seed=shard["seed"]) as study:
        study.run(min(trials, problem.space.size), batch=batch, **budget)
        history = study.history().done
    rows = problem.space.index(history.archs)
    clock = np.cumsum(history.metrics["seconds"]) if claim.seconds else np.arange(1.0, len(rows) + 1)
    return _looked_at(problem, rows, clock, checkpoints(claim)) | {
        "labels": len(rows),
        "wall_seconds": time.perf_counter() - start,
    }


def _looked_at(problem: Problem, rows: NDArray[np.int64], clock: Column, at: list[int]) -> Shard:
    label, truth = problem.label, problem.truth
    seen = label[rows]
    better = np.r_[True, seen[1:] > np.maximum.accumulate(seen)[:-1]]  # of equal ones the first is held
    best = rows[np.maximum.accumulate(np.where(better, np.arange(len(rows)), 0))]
    first = np.flatnonzero(np.r_[True, best[1:] != best[:-1]])  # the steps of the curve
    found = np.flatnonzero(seen == label.max())
    curve = [[float(clock[k]), float(label[best[k]]), float(truth[best[k]])] for k in first]
    figures = {str(t): _figures(problem, rows, best, int(np.searchsorted(clock, t, side="right"))) for t in at}
    return {
        "figures": {t: values for t, values in figures.items() if values},
        "curve": curve,
        "best_evaluated_at": int(found[0]) + 1 if len(found) else None,
    }


def _figures(problem: Problem, rows: NDArray[np.int64], best: NDArray[np.int64], done: int) -> dict[str, float]:
    """After `done` evaluations; nothing where none has ended yet."""
    if not done:
        return {}
    held = best[done - 1]
    return regrets(
        problem, float(problem.label[held]), float(problem.truth[held]), float(problem.truth[rows[:done]].max())
    )


def regrets(problem: Problem, validation: float, test: float, oracle: float) -> dict[str, float]:
    """The best validation found, the test of that architecture, and the best test among all (which none can choose)."""
    return {
        "validation": validation,
        "test": test,
        "oracle_test": oracle,
        "validation_regret": float(problem.label.max()) - validation,
        "test_regret": float(problem.truth.max()) - test,
        "success": float(validation == problem.label.max()),
    }
