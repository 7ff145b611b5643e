"""What 150 evaluations find on NAS-Bench-201, for every data set and method.

A search sees the mean validation accuracy of what it evaluates and nothing else; every label is counted; functionally
equal cells are evaluated once. Three columns: the best validation accuracy found, the TEST accuracy of that cell,
and the
best test accuracy among the evaluated (the oracle, which no search can choose; papers often print it).

    python bench/search_nasbench201.py [--processes 2] [--methods tiers random ...]
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import DATASETS, Shard, markdown, mean_sd, need_table, run_benchmark
from ranking_nasbench201 import boosted_trees

from tierwise import History, Proposal, Study, make

NAME = "search-nasbench201"
TRIALS = 150
SEEDS = range(20)
NAR_SEEDS = range(3)
CHECKPOINTS = (25, 50, 100, 150)
METHODS = ("random", "params", "flops", "evolution", "trees", "nar-published", "tiers")
ABOUT = {
    "random": "random",
    "params": "most parameters first",
    "flops": "most FLOPs first",
    "evolution": "regularised evolution",
    "trees": "boosted trees on plain features, rounds of 10",
    "nar-published": "`tiers` with `nar`, published schedule and sizes (3 seeds)",
    "tiers": "`tiers`, the default",
}
# The paper's own figures (validation, test); 1,506 labels and selection by test accuracy, see the page.
PUBLISHED = {"cifar10": (91.44, 94.33), "cifar100": (72.54, 72.89), "imagenet16-120": (46.16, 46.66)}


@dataclass(frozen=True)
class ByCost:
    """Most expensive first: what FLOPs or parameters alone are worth."""

    cost: int

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        every = history.space.enumerate()
        every = every[rng.permutation(len(every))]
        fresh = every[np.flatnonzero(history.fresh(every))]
        order = np.argsort(-history.space.totals(fresh)[:, self.cost], kind="stable")[:n]
        return [Proposal(fresh[int(k)]) for k in order]


@dataclass(frozen=True)
class Trees:
    """Boosted trees refitted on all labels before each round, their favourites evaluated."""

    first: int = 20

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        if len(history) < self.first:
            return [Proposal(arch) for arch in history.sample(min(n, self.first - len(history)), rng)]
        every = history.space.enumerate()
        fresh = every[np.flatnonzero(history.fresh(every))]
        done = history.done
        score = boosted_trees(len(done), history.seed).fit(done.archs, done.y).predict(fresh)
        return [Proposal(fresh[int(k)]) for k in np.argsort(-score, kind="stable")[:n]]


def strategy(method: str) -> Any:
    """The strategy behind a method's name."""
    if method == "nar-published":
        return make("strategy", "tiers", predictor="nar", schedule="published")
    own = {"params": ByCost(1), "flops": ByCost(0), "trees": Trees()}
    return own.get(method) or make("strategy", method)


def shards(methods: list[str]) -> list[Shard]:
    """Every run."""
    return [
        {"method": method, "dataset": dataset, "seed": seed}
        for method in methods
        for dataset in (DATASETS[:1] if method == "nar-published" else DATASETS)
        for seed in (NAR_SEEDS if method == "nar-published" else SEEDS)
    ]


def work(shard: Shard) -> Shard:
    """One search."""
    data = make("benchmark", "nasbench201", dataset=shard["dataset"], table=need_table())
    validation, test = data.metrics["accuracy"], data.truth["test_accuracy"]
    start = time.perf_counter()
    with Study(None, data.space, strategy(shard["method"]), data, seed=shard["seed"]) as study:
        study.run(TRIALS, batch=TRIALS if shard["method"] == "nar-published" else 10)
        rows = data.space.index(study.history().archs)
    seen = validation[rows]
    best = np.array([rows[: k + 1][np.argmax(seen[: k + 1])] for k in range(len(rows))])
    found = np.flatnonzero(rows == validation.argmax())
    return {
        "checkpoints": {
            str(k): [float(validation[best[k - 1]]), float(test[best[k - 1]]), float(test[rows[:k]].max())]
            for k in CHECKPOINTS
        },
        "best_evaluated_at": int(found[0]) + 1 if len(found) else None,
        "labels": len(rows),
        "wall_seconds": time.perf_counter() - start,
    }


def limits(dataset: str) -> str:
    """What the table itself allows."""
    data = make("benchmark", "nasbench201", dataset=dataset, table=need_table())
    validation, test = data.metrics["accuracy"], data.truth["test_accuracy"]
    best = int(validation.argmax())
    return f"limits of the table: {validation.max():.2f} / {test[best]:.2f} / {test.max():.2f}"


def page(lines: list[Shard], methods: list[str]) -> str:
    """The section of the results page."""
    text = [
        "## Searching NAS-Bench-201 with 150 labels",
        "Best **validation** accuracy found / **test** accuracy of that cell / best test accuracy among the evaluated "
        "(oracle, for comparison with papers only); mean ± sd. Labels: mean validation accuracy, all counted. "
        "Functionally equal cells are evaluated once. Made by `bench/search_nasbench201.py`.",
    ]
    for dataset in DATASETS:
        rows: list[list[object]] = []
        for method in methods:
            mine = [x for x in lines if x["shard"]["method"] == method and x["shard"]["dataset"] == dataset]
            if not mine:
                continue
            last = np.array([x["checkpoints"][str(TRIALS)] for x in mine])
            at = [x["best_evaluated_at"] for x in mine]
            reached = [k for k in at if k is not None]
            when = f"{np.mean(reached):.0f} ({len(reached)} of {len(at)})" if reached else f"– (0 of {len(at)})"
            rows.append([ABOUT[method], TRIALS, *(mean_sd(last[:, c], 2) for c in range(3)), when])
        published = PUBLISHED[dataset]
        rows.append(
            ["NAR as published (best by test among 250 looked up)", "1,506", published[0], "–", published[1], "–"]
        )
        head = [
            "method",
            "labels",
            "validation",
            "test of that cell",
            "oracle test",
            "evaluation of the best cell (runs)",
        ]
        text += [f"**{dataset}** ({limits(dataset)})", markdown(head, rows)]
    text.append(
        "The published NAR figures spend 1,000 training, 256 validation and 250 looked-up labels and choose by test "
        "accuracy; how many runs they average is not known. "
        "They stand here for orientation, not as a comparison at equal labels."
    )
    return "\n\n".join(text)


if __name__ == "__main__":
    run_benchmark(NAME, __doc__.splitlines()[0], METHODS, shards, work, page)
