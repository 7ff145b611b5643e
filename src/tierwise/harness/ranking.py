"""Ranking: learn from n labels drawn at random, score everything, and see how right the order is."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import metrics
from tierwise.harness.baselines import Scores, scores
from tierwise.harness.problem import Column, Problem
from tierwise.harness.protocol import OUTSIDE, Claim
from tierwise.tier_statistics import tier_blocks

Shard = dict[str, Any]
PERCENTS, TOPS, REGRETS = (0.1, 1, 5, 10), (1, 10, 50), (1, 10)


def shards(claim: Claim) -> list[Shard]:
    """Every run of the claim; what learns nothing and draws nothing runs once, with n = 0."""
    runs: list[Shard] = []
    for name, method in claim.methods.items():
        fixed = not method.learns and method.baseline != "random"
        for dataset in claim.datasets(name):
            for n in [0] if fixed else method.labels or claim.labels:
                seeds = range(1 if fixed else claim.seeds_of(name))
                runs += [{"method": name, "dataset": dataset, "n": n, "seed": seed} for seed in seeds]
    return runs


def work(claim: Claim, problem: Problem, shard: Shard) -> Shard:
    """The figures of one method from one draw of labels; all labels a method sees are among the n."""
    seed, rng = shard["seed"], np.random.default_rng([claim.draw, shard["seed"]])
    drawn = rng.permutation(len(problem.label))[: shard["n"]]
    wall, cpu = time.perf_counter(), time.process_time()
    found = scores(claim.methods[shard["method"]], problem, drawn, seed, rng)
    return {
        "figures": {str(shard["n"]): figures(found, problem.truth, drawn)},
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }


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
