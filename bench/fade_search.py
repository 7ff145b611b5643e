"""FaDE's outer search beside random search, evolution and Bayesian optimisation, at equal training cost.

Spaces of three stages for digits and for signals, of 10^9 architectures and more. A region of m candidates a stage
costs as many trainings of a single network as there are candidates; the other searches get that many, and answer with
their best by validation accuracy. The answer of FaDE is the heaviest path of its last region, whatever came before.
Answers are trained anew from four seeds and judged by test accuracy. Each search is a row of a JSONL file; rows that
are there are not computed again.

    python bench/fade_search.py [--repeats 10] [--data digits mnist1d]
"""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path
from typing import Any

import numpy as np
from fade_regions import DATA
from rows import Rows
from stopwatch import HERE, markdown, one_thread, publish

from tierwise import Study, load_space, make
from tierwise.architecture import Architectures
from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train
from tierwise.harness.tables import mean_sd
from tierwise.supernets.findings import alone
from tierwise.supernets.joint import Joint
from tierwise.supernets.walk import visited

CANDIDATES, REGIONS, EPOCHS, SEEDS = 6, 6, 10, 4
ACTIVATIONS = ["relu", "tanh", "sigmoid", "none"]
STAGES: dict[str, dict[str, Any]] = {
    "digits": {"channels": 16, "widths": [1, 2, 4, 8, 16], "ops": ["linear", "skip"]},
    "mnist1d": {"channels": 8, "widths": [2, 4, 8], "ops": ["conv3x3", "conv1x1", "dw_conv_3x3"], "stride": 2},
}
WALKS: dict[str, dict[str, Any]] = {
    "FaDE": {},
    "FaDE, best paths": {"reading": "paths"},
    "FaDE, smaller steps": {"step": 0.25},
    "FaDE, mutants of the heaviest": {"moves": "neighbours"},
    "FaDE, novel newcomers": {"exploration": "novelty"},
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "random search": ("random", {}),
    "regularised evolution": ("evolution", {"population": 10, "tournament": 3}),
    "Bayesian optimisation, Weisfeiler-Lehman": ("bananas", {"encoding": "wl"}),
}


def space_of(data: str) -> Any:
    """Three stages of DAGs on five vertices."""
    layers = {**STAGES[data], "activations": ACTIVATIONS, "repeat": 3}
    return load_space({"kind": "stages", "name": f"{data}-stages", "vertices": 5, "stages": [layers]})


def train_of(data: str, splits: Splits, space: Any) -> Train:
    """Single networks, as many epochs as a supernet has."""
    train, held, test = (_pair(part) for part in (splits.train, splits.validation, splits.test))
    recipe = Recipe(epochs=EPOCHS, batch=64, rate=0.05)
    return Train(train, 10, validation=held, test=test, recipe=recipe, together=40, space=space)


def _pair(part: Any) -> tuple[Any, Any]:
    assert isinstance(part, Arrays)
    return part.x.numpy(), part.y.numpy()


def answer(name: str, data: str, seed: int) -> dict[str, Any]:
    """Test accuracies of what one search has found, from four seeds."""
    space, started = space_of(data), time.process_time()
    train = train_of(data, DATA[data].load(), space)
    if name in WALKS:
        settings = {"candidates": CANDIDATES, "regions": REGIONS, "epochs": EPOCHS, **WALKS[name]}
        joint = Joint(train, runs=1, reading=settings.pop("reading", "weights"))
        with Study(None, space, make("strategy", "fade", **settings), joint, seed=seed) as study:
            study.run(CANDIDATES * REGIONS, batch=CANDIDATES)
            regions = visited(study.history())
        found, first = regions[-1].best, regions[0].best
    else:
        strategy, settings = OTHERS[name]
        with Study(None, space, make("strategy", strategy, **settings), train, seed=seed) as study:
            study.run(CANDIDATES * REGIONS, batch=CANDIDATES)
            found = study.history().best(1).archs
        first = found
    spent = time.process_time() - started
    return {
        "test": _judged(found, train, seed),
        "first": _judged(first, train, seed) if name in WALKS else [],
        "answer": space.format(found)[0],
        "search_seconds": round(spent, 1),
    }


def _judged(archs: Architectures, train: Train, seed: int) -> list[float]:
    given: dict[str, Any] = {"classes": 10, "seeds": SEEDS, "recipe": train.recipe}
    return alone(archs, train.splits(), seed=1000 + seed, **given)[0].round(3).tolist()


def main() -> None:
    """Measure, write, print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--data", nargs="+", default=list(STAGES), choices=list(STAGES))
    options = parser.parse_args()
    rows = Rows(Path(HERE) / "results" / "fade-search.jsonl")
    parts = [
        "## FaDE's outer search",
        f"{REGIONS} regions of {CANDIDATES} candidates for each of three stages, trained once for {EPOCHS} epochs; the "
        f"others get {CANDIDATES * REGIONS} trainings of {EPOCHS} epochs. Test accuracy (%) of the answer, mean ± sd "
        f"over repeats of the mean of {SEEDS} trainings; newcomers, elites and all settings as they come. Made by "
        "`bench/fade_search.py`.",
    ]
    content: dict[str, Any] = {}
    for data in options.data:
        table: list[list[object]] = []
        found = {
            name: [
                rows.of(data, name, seed, make=functools.partial(answer, name, data, seed))
                for seed in range(options.repeats)
            ]
            for name in (*WALKS, *OTHERS)
        }
        random = np.array([np.mean(run["test"]) for run in found["random search"]])
        for name, runs in found.items():
            means = np.array([np.mean(run["test"]) for run in runs])
            ahead = f"{int((means > random).sum())} of {len(means)}" if name != "random search" else ""
            began = mean_sd((float(np.mean(run["first"])) for run in runs if run["first"]), 2)
            seconds = f"{np.mean([run['search_seconds'] for run in runs]):.0f}"
            table.append([name, began, mean_sd(means, 2), ahead, seconds])
        head = ["", "heaviest path of the first region", "answer", "ahead of random search", "CPU s of the search"]
        parts += [f"**{data}** ({space_of(data).size:.1e} architectures)", markdown(head, table)]
        content[data] = found
    publish("fade-search", content, "\n\n".join(parts))


if __name__ == "__main__":
    main()
