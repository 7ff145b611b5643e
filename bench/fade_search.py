"""FaDE's outer search beside random search, evolution and Bayesian optimisation, at equal training cost.

Spaces of three and six stages for digits and of three for signals, of 10^9 architectures and more. A region of m
candidates a stage costs as many trainings of a single network as there are candidates; the other searches get that
many, and answer with their best by validation accuracy. The answer of FaDE is the heaviest path of its last region,
whatever came before; or it gives up one of its regions to train the six best paths of the last one, and answers as the
others do.
Answers are trained anew from four seeds, in full and as briefly as in the search, and judged by test accuracy. Each
search and each full training is a row of a JSONL file; rows that are there are not computed again.

    python bench/fade_search.py [--repeats 10] [--data "digits, six stages" ...] [--searches "random search" FaDE ...]
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from fade_regions import DATA
from rows import Rows
from scipy import stats
from stopwatch import HERE, markdown, one_thread, publish

from tierwise import Study, load_space, make
from tierwise.architecture import Architectures
from tierwise.evaluators.dataset import Arrays
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train
from tierwise.harness.tables import mean_sd
from tierwise.supernets.findings import alone
from tierwise.supernets.joint import Joint
from tierwise.supernets.walk import visited

CANDIDATES, REGIONS, EPOCHS, FULL, SEEDS = 6, 6, 10, 40, 4
ACTIVATIONS = ["relu", "tanh", "sigmoid", "none"]
LAYERS: dict[str, dict[str, Any]] = {
    "digits": {"channels": 16, "widths": [1, 2, 4, 8, 16], "ops": ["linear", "skip"]},
    "mnist1d": {"channels": 8, "widths": [2, 4, 8], "ops": ["conv3x3", "conv1x1", "dw_conv_3x3"], "stride": 2},
}
SPACES = {"digits": ("digits", 3), "digits, six stages": ("digits", 6), "mnist1d": ("mnist1d", 3)}  # data, stages
WALKS: dict[str, dict[str, Any]] = {
    "FaDE": {},
    "FaDE, six of the last region trained": {"regions": 5, "answers": 6},
    "FaDE, drawn networks": {"optimiser": "fair"},
    "FaDE, learnt weights": {"optimiser": "one_level", "reading": "weights"},
    "FaDE, smaller steps": {"step": 0.25},
    "FaDE, mutants of the heaviest": {"moves": "neighbours"},
    "FaDE, novel newcomers": {"exploration": "novelty"},
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "random search": ("random", {}),
    "regularised evolution": ("evolution", {"population": 10, "tournament": 3}),
    "Bayesian optimisation, Weisfeiler-Lehman": ("bananas", {"encoding": "wl"}),
}


def space_of(name: str) -> Any:
    """Stages of DAGs on five vertices."""
    data, stages = SPACES[name]
    layers = {**LAYERS[data], "activations": ACTIVATIONS, "repeat": stages}
    return load_space({"kind": "stages", "name": f"{data}-stages", "vertices": 5, "stages": [layers]})


def train_of(data: str, space: Any, epochs: int = EPOCHS) -> Train:
    """Single networks, by default as many epochs as a supernet has."""
    splits = DATA[SPACES[data][0]].load()
    train, held, test = (_pair(part) for part in (splits.train, splits.validation, splits.test))
    recipe = Recipe(epochs=epochs, batch=64, rate=0.05)
    return Train(train, 10, validation=held, test=test, recipe=recipe, together=40, space=space)


def _pair(part: Any) -> tuple[Any, Any]:
    assert isinstance(part, Arrays)
    return part.x.numpy(), part.y.numpy()


def answer(name: str, data: str, seed: int) -> dict[str, Any]:
    """Test accuracies of what one search has found, from four seeds."""
    space, started = space_of(data), time.process_time()
    train = train_of(data, space)
    if name in WALKS:
        settings = {"candidates": CANDIDATES, "regions": REGIONS, "epochs": EPOCHS, **WALKS[name]}
        trained = {key: settings.pop(key) for key in ("optimiser", "reading") if key in settings}
        joint = Joint(train, runs=1, **trained)
        with Study(None, space, make("strategy", "fade", **settings), joint, seed=seed) as study:
            study.run(CANDIDATES * REGIONS, batch=CANDIDATES)
            history = study.history()
        regions = visited(history)
        found, first = regions[-1].best, regions[0].best
        if "answers" in settings:
            found = history.best(1).archs
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


def in_full(text: str, data: str, seed: int) -> list[float]:
    """Test accuracies of an answer that is trained to its end."""
    space = space_of(data)
    return _judged(Architectures.of([space.parse(text)], space), train_of(data, space, FULL), seed)


def _judged(archs: Architectures, train: Train, seed: int) -> list[float]:
    given: dict[str, Any] = {"classes": 10, "seeds": SEEDS, "recipe": train.recipe}
    return alone(archs, train.splits(), seed=1000 + seed, **given)[0].round(3).tolist()


def main() -> None:
    """Measure, write, print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--data", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--searches", nargs="+", default=[*WALKS, *OTHERS], choices=[*WALKS, *OTHERS])
    options = parser.parse_args()
    rows = Rows(Path(HERE) / "results" / "fade-search.jsonl")
    for data in options.data:
        for seed in range(options.repeats):
            for name in options.searches:
                run = rows.of(data, name, seed, make=functools.partial(answer, name, data, seed))
                full = functools.partial(in_full, run["answer"], data, seed)
                rows.of("in full", data, name, seed, make=full)
    publish("fade-search", *_page({tuple(json.loads(key)): row["value"] for key, row in rows.known.items()}))


def _page(known: dict[tuple[Any, ...], Any]) -> tuple[dict[str, Any], str]:
    """All that was computed by now, and as text."""
    parts = [
        "## FaDE's outer search",
        f"{REGIONS} regions of {CANDIDATES} candidates for each stage, trained once for {EPOCHS} epochs; the "
        f"others get {CANDIDATES * REGIONS} trainings of {EPOCHS} epochs and answer with their best by validation. "
        f"Test accuracy (%) of the answer trained in full, {FULL} epochs, and as briefly as in the search: mean ± sd "
        f"over repeats of the mean of {SEEDS} trainings, and the difference to random search with its interval (95 %, "
        "over repeats, by Student's t). All settings as they come. Made by `bench/fade_search.py`.",
    ]
    content: dict[str, Any] = {}
    for data in SPACES:
        found = {name: _repeats(known, data, name) for name in (*WALKS, *OTHERS)}
        if not found["random search"]:
            continue
        random = {seed: np.mean(run["full"]) for seed, run in found["random search"].items()}
        table: list[list[object]] = []
        for name, runs in found.items():
            if not runs:
                continue
            full = [float(np.mean(run["full"])) for run in runs.values()]
            brief = [float(np.mean(run["test"])) for run in runs.values()]
            began = mean_sd((float(np.mean(run["first"])) for run in runs.values() if run["first"]), 1)
            more = [np.mean(run["full"]) - random[seed] for seed, run in runs.items() if seed in random]
            seconds = f"{np.mean([run['search_seconds'] for run in runs.values()]):.0f}"
            ahead = "" if name == "random search" or len(more) < 2 else _interval(np.array(more))
            table.append([name, len(runs), mean_sd(full, 2), ahead, mean_sd(brief, 2), began, seconds])
        head = ["", "repeats", f"{FULL} epochs", "ahead of random search", f"{EPOCHS} epochs"]
        head += ["the same of the first region's heaviest path", "CPU s of the search"]
        parts += [f"**{data}** ({space_of(data).size:.1e} architectures)", markdown(head, table)]
        content[data] = {name: list(runs.values()) for name, runs in found.items()}
    return content, "\n\n".join(parts)


def _repeats(known: dict[tuple[Any, ...], Any], data: str, name: str) -> dict[int, dict[str, Any]]:
    both = {seed: known.get(("in full", data, name, seed)) for *what, seed in known if what == [data, name]}
    return {seed: {**known[data, name, seed], "full": full} for seed, full in sorted(both.items()) if full}


def _interval(values: np.ndarray) -> str:
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    return f"{values.mean():+.2f} ± {half:.2f}"


if __name__ == "__main__":
    main()
