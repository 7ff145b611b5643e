"""The released search of the Neural Architecture Ranker, with any scorer in the ranker's place.

Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image Classifier Search" (2022),
after its code: 50 iterations of candidates, half of them under random upper bounds on their cost and half uniform;
the top k of each by score are looked up. "As published" the result is the best of them by TEST accuracy, which no
search can know; "honest" is the one with the best validation accuracy, whose test accuracy is then reported.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.harness.baselines import Scores, predictor, scores
from tierwise.harness.problem import Problem
from tierwise.harness.protocol import Claim, Method
from tierwise.metrics import ranks
from tierwise.registry import find
from tierwise.tier_statistics import PublishedSampler, TierRecords

Shard = dict[str, Any]
Rows = NDArray[np.int64]
RELEASED = "guided_candidates"
RECORDS, BATCH = 7, 128  # of one epoch of the published training; they bound the candidates of a scorer without any


def shards(claim: Claim) -> list[Shard]:
    """Every run of the claim."""
    runs: list[Shard] = []
    for name, method in claim.methods.items():
        for dataset in claim.datasets(name):
            for n in method.labels or claim.labels if method.learns else [0]:
                for bounds in [True] if _samples_itself(claim, method) else claim.bounds:
                    shard = {"method": name, "dataset": dataset, "n": n, "bounds": bounds}
                    runs += [{**shard, "seed": seed} for seed in range(claim.seeds_of(name))]
    return runs


def work(claim: Claim, problem: Problem, shard: Shard) -> Shard:
    """One run of the protocol, its figures for every k."""
    start, cpu = time.perf_counter(), time.process_time()
    rng = np.random.default_rng([claim.draw, shard["seed"]])
    drawn = rng.permutation(len(problem.label))[: shard["n"]]
    method = claim.methods[shard["method"]]
    if _samples_itself(claim, method):
        fitted = predictor(method, problem, shard["seed"]).fit(problem.archs[drawn], problem.label[drawn])
        settings = {"iterations": claim.iterations, "sample": claim.sample, "k": max(claim.k)}
        looked = [problem.space.index(batch) for batch in fitted.guided_candidates(problem.space, rng, **settings)]
    else:
        found = scores(method, problem, drawn, shard["seed"], rng)
        shuffle = rng if method.baseline == "random" else None
        rows = _candidates(claim, problem, found, shard["bounds"], rng)
        looked = [_top(found, each, max(claim.k), shuffle) for each in rows]
    return {
        "figures": {str(k): _figures(problem, [rows[:k] for rows in looked], shard["n"]) for k in claim.k},
        "iterations": sum(len(rows) > 0 for rows in looked),
        "wall_seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
    }


def _samples_itself(claim: Claim, method: Method) -> bool:
    """The ranker brings the released search; a claim that sets the sampler itself goes without."""
    return bool(method.predictor) and not claim.sampler and hasattr(find("predictor", str(method.predictor)), RELEASED)


def _candidates(
    claim: Claim, problem: Problem, found: Scores, bounds: bool, rng: np.random.Generator
) -> Iterator[Rows]:
    """(sample,) rows for each iteration: half of them under bounds on their cost, the rest uniform."""
    if not bounds:
        yield from rng.integers(len(problem.label), size=(claim.iterations, claim.sample))
        return
    learnt: TierRecords | None = getattr(found.fitted, "records_", None)
    records = _records(claim, problem, rng) if learnt is None else learnt
    sampler = PublishedSampler(records, **({} if learnt is None else claim.sampler))
    order = rng.permutation(len(records))
    each = -(-claim.iterations // len(order))
    for iteration in range(claim.iterations):
        record = int(order[iteration // each])
        drawn = sampler.draw(problem.space, record, claim.sample // 2, rng, totals=problem.totals, cells=problem.sample)
        rest = rng.integers(len(problem.label), size=claim.sample - len(drawn))
        yield rng.permutation(np.concatenate([problem.space.index(drawn), rest]))


def _records(claim: Claim, problem: Problem, rng: np.random.Generator) -> TierRecords:
    """Bounds from random batches: the costs of their members, and no label."""
    batches = [rng.integers(len(problem.label), size=BATCH) for _ in range(RECORDS)]
    tiers = np.arange(BATCH) * 5 // BATCH  # no part in uniform draws
    each = [TierRecords.of(problem.archs[b], problem.costs[b], tiers, bins=claim.bins) for b in batches]
    return TierRecords.joined(each)


def _top(found: Scores, rows: Rows, k: int, shuffle: np.random.Generator | None) -> Rows:
    """The `k` best candidates, of a tier predictor those it calls first tier; nothing where these are fewer."""
    if hasattr(found.fitted, "predict_tier"):
        rows = rows[found.tier[rows] == 0]
        rows = rows if len(rows) >= k else rows[:0]
    score = found.score[rows] if shuffle is None else shuffle.random(len(rows))
    return rows[np.argsort(-score, kind="stable")[:k]]


def _figures(problem: Problem, looked: list[Rows], n: int) -> dict[str, float]:
    """Of all that was looked up; a repeated look-up is a label each time, as published."""
    rows, label, truth = np.concatenate(looked), problem.label, problem.truth
    if not len(rows):
        return {}
    chosen, oracle = rows[label[rows].argmax()], rows[truth[rows].argmax()]
    return {
        "test_as_published": float(truth[oracle]),
        "rank_as_published": int(ranks(truth)[oracle]),
        "mean_test_of_iterations": float(np.mean([truth[each].max() for each in looked if len(each)])),
        "validation": float(label[chosen]),
        "test_of_best_validation": float(truth[chosen]),
        "labels": n + len(rows),
        "distinct": n + len(np.unique(rows)),
    }
