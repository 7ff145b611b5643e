"""Searches of NAS-Bench-201 that begin with what is known: the labels of another data set, or a smaller space.

A search of 100 evaluations at most, one at a time, ends at the cell with the best validation accuracy. It starts from
nothing; from 50 random labels of CIFAR-10; or in what ``shrink`` leaves of the space by 50 random labels of its own
data set, which count. All in one run.

    python bench/warm_starts.py [seeds]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from stopwatch import DATA, markdown, one_thread, publish

from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.harness.search_tables import evaluations
from tierwise.harness.tables import mean_sd
from tierwise.history import DONE, Prior
from tierwise.shrinking import WAYS, Shrinkage, shrink
from tierwise.space import Space

DATASETS, SOURCE = ("cifar100", "imagenet16-120"), "cifar10"
MOST, LABELS = 100, 50
Run = dict[str, Any]


def data_of(dataset: str) -> Any:
    """The table with its test accuracies."""
    return make("benchmark", "nasbench201", dataset=dataset, truth=DATA / "nb201.npz")


def drawn(data: Any, seed: int) -> tuple[Architectures, Any]:
    """Random cells and their validation accuracies."""
    index = np.random.default_rng([LABELS, seed]).choice(data.space.size, LABELS, replace=False)
    return data.space.at(index), data.metrics["accuracy"][index]


def searched(data: Any, space: Space, seed: int, prior: Prior | None = None) -> Run:
    """When the best cell and one of the best 0.1 % was evaluated, and what was held after the budget."""
    accuracy, test = data.metrics["accuracy"], data.truth["test_accuracy"]
    with Study(None, space, "auto", data, seed=seed, prior=prior) as study:
        study.run(min(MOST, space.size), batch=1, target=float(accuracy.max()))
        history = study.history()
        rows = data.space.index(Architectures(data.space, history.rows(history.state == DONE).archs.genes))
    held = rows[accuracy[rows].argmax()]
    top = np.sort(accuracy)[-max(1, round(len(accuracy) / 1000))]
    at = {name: np.flatnonzero(accuracy[rows] >= least) for name, least in {"best": accuracy.max(), "top": top}.items()}
    found = {name: int(where[0]) + 1 if len(where) else None for name, where in at.items()}
    return {**found, "test": float(test[held]), "evaluated": len(rows)}


def main() -> None:
    """Measure, write, print."""
    one_thread()
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    source, runs, shrunk = data_of(SOURCE), list[Run](), list[Run]()
    for dataset in DATASETS:
        data = data_of(dataset)
        for seed in range(seeds):
            case = {"dataset": dataset, "seed": seed}
            archs, y = drawn(source, seed)
            runs.append({**case, "start": "nothing", **searched(data, data.space, seed)})
            prior = Prior(archs, y, f"{LABELS} cells on {SOURCE}")
            runs.append({**case, "start": SOURCE, **searched(data, data.space, seed, prior)})
            archs, y = drawn(data, seed)
            for way in WAYS:
                smaller = shrink(data.space, archs, y, by=way, seed=seed)
                kept = Shrinkage.of(
                    data.space, smaller, archs, y, columns={"test": data.truth["test_accuracy"]}, seed=seed
                )
                size, mean = kept.size[1], kept.recorded["test"].mean
                facts = {"size": size, "mean": mean, "rank": kept.recorded["test"].rank, "differing": kept.differing}
                shrunk.append({**case, "way": way, **facts})
                runs.append({**case, "start": way, **searched(data, smaller, seed)})
            print(dataset, seed, [(run["start"], run["best"]) for run in runs[-2 - len(WAYS) :]], file=sys.stderr)
    report(runs, shrunk, seeds)


def report(runs: list[Run], shrunk: list[Run], seeds: int) -> None:
    """Publish figures and tables."""
    names = {"nothing": "nothing", SOURCE: f"{LABELS} labels of {SOURCE}", **{w: f"`shrink --by {w}`" for w in WAYS}}
    parts = [
        "## Warm starts and smaller spaces",
        f"`auto` on NAS-Bench-201, {seeds} seeds, one evaluation at a time, {MOST} at most. Labels before the "
        f"search are counted apart: {LABELS} random cells, of CIFAR-10 for the prior, of the same data set for "
        f'`shrink`. A run that has not come to the cell counts as {MOST} in the mean, which is then marked "at '
        'least"; in a smaller space the best cell may be missing. Made by `bench/warm_starts.py`.',
    ]
    for dataset in DATASETS:
        rows = []
        for start, name in names.items():
            mine = [run for run in runs if (run["dataset"], run["start"]) == (dataset, start)]
            top, best = (evaluations([run[goal] for run in mine], MOST) for goal in ("top", "best"))
            before = 0 if start == "nothing" else LABELS
            rows.append([name, before, top[0], top[3], best[0], best[3], mean_sd((run["test"] for run in mine), 2)])
        head = ["starts from", "labels before", "evaluations to the best 0.1 %", "found", "to the best", "found"]
        parts += [f"**{dataset}**", markdown([*head, "test of the best validation"], rows)]
        rows = []
        for way in WAYS:
            mine = [each for each in shrunk if (each["dataset"], each["way"]) == (dataset, way)]
            means = [f"{np.mean([each[key][k] for each in mine]):.2f}" for key in ("mean", "differing") for k in (0, 1)]
            size, rank = (np.mean([each[key] for each in mine]) for key in ("size", "rank"))
            rows.append([f"`{way}`", f"{size:,.0f}", f"{rank:.1f}", *means])
        head = ["what `shrink` leaves", "architectures", "rank of the best left by test", "mean test before", "after"]
        parts.append(markdown([*head, "genes that differ before", "after"], rows))
    publish("warm-starts", {"runs": runs, "shrunk": shrunk}, "\n\n".join(parts))


if __name__ == "__main__":
    main()
