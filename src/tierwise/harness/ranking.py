"""Ranking: learn from n labels drawn at random, score everything, and see how right the order is."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import metrics
from tierwise.harness.baselines import Scores, predictor, scores, unknown
from tierwise.harness.calibration import calibration
from tierwise.harness.checks import OUTSIDE
from tierwise.harness.problem import Column, Problem, checked_file
from tierwise.harness.problem import problem as read_problem
from tierwise.harness.protocol import Claim, Data, Method
from tierwise.tier_statistics import tier_blocks

Shard = dict[str, Any]
PERCENTS, TOPS, REGRETS = (0.1, 1, 5, 10), (1, 10, 50), (1, 10)


def shards(claim: Claim) -> list[Shard]:
    """Every run of the claim; what learns nothing and draws nothing runs once, with n = 0.

    Without a label of its own, a method that learns needs a source.
    """
    runs: list[Shard] = []
    for name, method in claim.methods.items():
        fixed = not method.learns and method.baseline != "random"
        for dataset in claim.datasets(name):
            for n in [0] if fixed else method.labels or claim.labels:
                if n == 0 and method.learns and not method.source:
                    continue
                seeds = range(1 if fixed else claim.seeds_of(name))
                runs += [{"method": name, "dataset": dataset, "n": n, "seed": seed} for seed in seeds]
    return runs


def work(claim: Claim, problem: Problem, shard: Shard) -> Shard:
    """The figures of one method from one draw of labels; beside these n it sees those of its source, if it has one.

    Ranking by a cost that is not known has none.
    """
    if unknown(claim.methods[shard["method"]], problem):
        return {"figures": {}, "wall_seconds": 0.0, "cpu_seconds": 0.0}
    seed, rng = shard["seed"], np.random.default_rng([claim.draw, shard["seed"]])
    drawn = rng.permutation(len(problem.label))[: shard["n"]]
    wall, cpu = time.perf_counter(), time.process_time()
    method = claim.methods[shard["method"]]
    found = scores(method, problem, drawn, seed, rng, _earlier(claim, method, problem, seed))
    more = {"source_labels": method.source.labels} if method.source else {}
    judged = figures(found, problem.truth, drawn)
    if method.calibration:
        judged |= calibration(found.fitted, problem, drawn)
    return {
        "figures": {str(shard["n"]): judged},
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        **more,
    }


def _earlier(claim: Claim, method: Method, problem: Problem, seed: int) -> Any:
    """The predictor of a method, fitted on its source; None without one."""
    source, origin = method.source, problem.origin
    if source is None or origin is None:
        return None
    other = _source(source.data or claim.data, source.dataset, origin.folder)
    rng = np.random.default_rng([claim.draw, seed, 1])  # not the draw of the labels here
    drawn = rng.permutation(len(other.label))[: source.labels]
    if source.predictor:
        method = Method(predictor=source.predictor)
    return predictor(method, other, seed).fit(other.archs[drawn], other.label[drawn])


@functools.cache
def _checked(data: str, folder: Path) -> None:
    checked_file(Data.model_validate_json(data), folder)


def _source(data: Data, dataset: str, folder: Path) -> Problem:
    _checked(data.model_dump_json(), folder)
    return read_problem(data, dataset, folder)


def figures(found: Scores, truth: Column, drawn: NDArray[np.int64]) -> dict[str, float]:
    """Every ranking figure on all rows, and with the prefix ``outside_`` on the rows without a label."""
    rest = np.ones(len(truth), dtype=bool)
    rest[drawn] = False
    outside = _figures(found.score[rest], found.tier[rest], truth[rest]) if len(drawn) else {}
    everywhere = _figures(found.score, found.tier, truth)
    return everywhere | {OUTSIDE + name: value for name, value in (outside or everywhere).items()}


def _figures(score: Column, tier: NDArray[np.int64], truth: Column) -> dict[str, float]:
    best = np.argsort(-truth)[: len(truth) // 10]
    true_tier = tier_blocks(truth)
    top = {f"n_at_{k}": metrics.best_rank_at(score, truth, k) for k in TOPS}
    regrets = {f"regret_at_{k}": metrics.regret_at(score, truth, k) for k in REGRETS}
    return {
        "tau": metrics.kendall_tau(score, truth),
        "spearman": metrics.spearman(score, truth),
        "weighted_tau": metrics.weighted_tau(score, truth),
        "tau_top10": metrics.kendall_tau(score[best], truth[best]),
        "tier_accuracy": float((tier == true_tier).mean()),
        **{f"p_at_{percent}": metrics.precision_at(score, truth, percent) for percent in PERCENTS},
        **top,
        **regrets,
    }
