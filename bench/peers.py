"""tierwise beside the samplers of Optuna and NePS: regret, evaluations until the best, and seconds for each proposal.

NAS-Bench-201 on its three data sets, six choices of five operations for everybody, one proposal at a time, defaults
everywhere. A search is told mean validation accuracies. The peers may propose a network again, and each proposal
counts as an evaluation; tierwise evaluates one of functionally equal cells. All in one run, one thread, side by side.

    pip install optuna neural-pipeline-search      # into the environment of tierwise; what is missing is left out
    python bench/peers.py --seeds 10 --slow-seeds 2
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from stopwatch import DATA, markdown, one_thread, publish

from tierwise import Architectures, Study, make
from tierwise.harness.search_tables import evaluations
from tierwise.harness.tables import mean_sd

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
TRIALS, MOST = 150, 300  # evaluations for the regret, and until the best
PACKAGES = {"optuna": "optuna", "neps": "neural-pipeline-search"}  # module: what pip calls it
Run = dict[str, Any]


class Tierwise:
    """A strategy of ours."""

    def __init__(self, strategy: str, data: Any, seed: int):
        self.study = Study(None, data.space, strategy, data, seed=seed)

    def ask(self) -> tuple[int, ...]:
        """Option numbers of the next cell."""
        (self.trial,) = self.study.ask(1)
        return self.trial.arch.genes

    def tell(self, accuracy: float) -> None:
        """Its result."""
        self.study.tell(self.trial, accuracy)


class Optuna:
    """A sampler of Optuna."""

    def __init__(self, sampler: str, data: Any, seed: int):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.choices = data.space.choices
        self.study = optuna.create_study(direction="maximize", sampler=getattr(optuna.samplers, sampler)(seed=seed))

    def ask(self) -> tuple[int, ...]:
        """Option numbers of the next cell."""
        self.trial = self.study.ask()
        named = [self.trial.suggest_categorical(choice.path, choice.options) for choice in self.choices]
        return tuple(choice.options.index(name) for choice, name in zip(self.choices, named, strict=True))

    def tell(self, accuracy: float) -> None:
        """Its result."""
        self.study.tell(self.trial, accuracy)


class NePS:
    """The Bayesian optimisation of NePS, which takes its random numbers from the generators that all share."""

    def __init__(self, data: Any, seed: int):
        import neps
        import torch

        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        self.choices = data.space.choices
        options = {choice.path: neps.HPOCategorical(choices=list(choice.options)) for choice in self.choices}
        space = neps.SearchSpace(options)
        self.optimizer = neps.AskAndTell(optimizer=neps.algorithms.bayesian_optimization(space))

    def ask(self) -> tuple[int, ...]:
        """Option numbers of the next cell."""
        self.trial = self.optimizer.ask()
        return tuple(choice.options.index(self.trial.config[choice.path]) for choice in self.choices)

    def tell(self, accuracy: float) -> None:
        """Its result; NePS minimises."""
        self.optimizer.tell(self.trial.metadata.id, -accuracy)


# name -> the module it needs beside tierwise, whether it has the slow seeds only, how it is made
METHODS: dict[str, tuple[str, bool, Callable[[Any, int], Any]]] = {
    "tierwise `auto`": ("tierwise", False, lambda data, seed: Tierwise("auto", data, seed)),
    "tierwise `evolution`": ("tierwise", False, lambda data, seed: Tierwise("evolution", data, seed)),
    "tierwise `random`": ("tierwise", False, lambda data, seed: Tierwise("random", data, seed)),
    "Optuna TPE": ("optuna", False, lambda data, seed: Optuna("TPESampler", data, seed)),
    "Optuna NSGA-II": ("optuna", False, lambda data, seed: Optuna("NSGAIISampler", data, seed)),
    "NePS Bayesian optimisation": ("neps", True, NePS),
}


def search(peer: Any, data: Any, trials: int, most: int) -> Run:
    """One run of `trials` evaluations, and on to the best or to `most`; seconds of ask and tell together."""
    accuracy, test = data.metrics["accuracy"], data.truth["test_accuracy"]
    rows: list[int] = []
    wall = cpu = 0.0
    while len(rows) < trials or (accuracy[rows].max() < accuracy.max() and len(rows) < most):
        began = time.perf_counter(), time.process_time()
        cell = Architectures(data.space, np.array([peer.ask()]))
        row = int(data.space.index(cell)[0])
        peer.tell(float(accuracy[row]))
        rows.append(row)
        if len(rows) <= trials:
            wall, cpu = wall + time.perf_counter() - began[0], cpu + time.process_time() - began[1]
    first = np.array(rows[:trials])
    held = first[accuracy[first].argmax()]
    found = np.flatnonzero(np.array(rows) == accuracy.argmax())
    return {
        "validation_regret": float(accuracy.max() - accuracy[held]),
        "test_regret": float(test.max() - test[held]),
        "distinct": len(np.unique(data.space.canonical(data.space.at(first)))),
        "best_evaluated_at": int(found[0]) + 1 if len(found) else None,
        "wall_seconds": wall / trials,
        "cpu_seconds": cpu / trials,
    }


def measure(names: list[str], options: argparse.Namespace) -> list[Run]:
    """Every run; the methods take turns, so that a busy machine is busy for all of them."""
    runs: list[Run] = []
    for dataset in DATASETS:
        data = make("benchmark", "nasbench201", dataset=dataset, truth=DATA / "nb201.npz")
        for seed in range(options.seeds):
            for name in names:
                _, slow, maker = METHODS[name]
                if slow and seed >= options.slow_seeds:
                    continue
                run = search(maker(data, seed), data, options.trials, options.most)
                runs.append({"method": name, "dataset": dataset, "seed": seed, **run})
                print(f"{dataset}, seed {seed}, {name}: {run}", file=sys.stderr)
    return runs


def report(names: list[str], runs: list[Run], options: argparse.Namespace, load: float) -> None:
    """Publish figures and tables."""
    modules = sorted({METHODS[name][0] for name in names} - {"tierwise"})
    versions = {PACKAGES[module]: version(PACKAGES[module]) for module in modules}
    head = [f"after {options.trials} evaluations", "runs", "validation regret", "test regret", "distinct networks"]
    head += [f"evaluations to the best, at most {options.most}: mean", "median", "95 %", "found"]
    head += ["s a proposal", "CPU s a proposal"]
    parts = [
        "## Peers",
        f"On {os.cpu_count()} cores with a load of {load:.1f} when it began; "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + ". Six choices of five operations for everybody, one proposal at a time, defaults everywhere. Optuna and "
        "NePS may propose a network again, and each proposal counts as an evaluation; of functionally equal cells "
        "tierwise evaluates one. A run without the best counts with all of its evaluations in the mean, which is then "
        'marked "at least". Seconds are of proposing and learning, without the look-up. Made by `bench/peers.py`.',
    ]
    for dataset in DATASETS:
        rows = [
            _row(name, [run for run in runs if (run["method"], run["dataset"]) == (name, dataset)], options)
            for name in names
        ]
        parts += [f"**{dataset}**", markdown(head, rows)]
    settings = {"trials": options.trials, "most": options.most}
    content = {"load_before": load, "versions": versions, **settings, "runs": runs}
    publish("peers", content, "\n\n".join(parts))


def _row(name: str, mine: list[Run], options: argparse.Namespace) -> list[object]:
    regrets = [mean_sd((run[figure] for run in mine), 2) for figure in ("validation_regret", "test_regret")]
    found = evaluations([run["best_evaluated_at"] for run in mine], options.most)
    seconds = [f"{np.mean([run[kind] for run in mine]):.2g}" for kind in ("wall_seconds", "cpu_seconds")]
    return [name, len(mine), *regrets, f"{np.mean([run['distinct'] for run in mine]):.0f}", *found, *seconds]


def main() -> None:
    """Measure, write, print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--slow-seeds", type=int, default=2, help="of NePS, which takes seconds for each proposal")
    parser.add_argument("--trials", type=int, default=TRIALS, help="evaluations before the regret is taken")
    parser.add_argument("--most", type=int, default=MOST, help="evaluations until the best")
    options = parser.parse_args()
    if not (DATA / "nb201.npz").is_file():
        sys.exit("this benchmark needs the test accuracies of nb201.npz in the folder TIERWISE_DATA names")
    missing = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"left out, because not installed: pip install {' '.join(missing)}", file=sys.stderr)
    names = [name for name, (module, _, _) in METHODS.items() if PACKAGES.get(module) not in missing]
    warnings.filterwarnings("ignore", module="(optuna|neps|botorch|gpytorch|torch|linear_operator)")
    load = os.getloadavg()[0]
    report(names, measure(names, options), options, load)


if __name__ == "__main__":
    main()
