"""Real trainings of NAS-Bench-201's cells on small signals, in the package: nothing to install, nothing to download.

Cells: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020). Signals:
Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D" (2024). Each of the 5,260 distinct cells was trained for
24 epochs from several seeds; docs/mnist1d.md has the protocol, the checks and the noise, tools/mnist1d what made it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.benchmarks.label import Label
from tierwise.benchmarks.mnist1d_cells import CLASSES, TEST, VALIDATION, costs, distinct
from tierwise.benchmarks.table import Table, mean_of_runs
from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.importers.npz import read_npz
from tierwise.spaces.nasbench201 import NASBench201

FILE = Path(__file__).with_name("mnist1d.npz")
DATASETS = ("mnist1d",)
EPOCHS = (4, 8, 12, 16, 20, 24)  # those that a search can be told
ABSENT = 65_535  # hits where a class was not trained under a seed
EVERY_CLASS = 3  # seeds that all classes have; further ones are of the best classes alone
LATENCIES = ("latency", "latency_batch64")
PROXY, CURVE = "proxy/", "curve/"

Column = NDArray[np.float64]


def load(dataset: str = "mnist1d", label: str = "validation") -> Table:
    """The benchmark as an evaluator: ``accuracy`` (percent) and ``seconds`` (processor time of a training).

    label: ``accuracy@epochs#run``, see `Label`; validation after 4, 8, 12, 16, 20 or 24 epochs, test after 24; runs are
    the seeds 0 to 9, of which the last seven exist for the best classes alone. Fewer epochs are cheap evaluations.
    Known beforehand: ``flops`` and ``params`` of these networks, ``latency`` and ``latency_batch64`` (seconds for 1 and
    64 signals) and zero-cost proxies, as far as the file has them. Reports see ``test_accuracy``. Where some classes
    are not trained, the space is the part that is. Raises UnknownName, BadSetting, BadTable.
    """
    if dataset not in DATASETS:
        raise UnknownName("data set of mnist1d", dataset, DATASETS)
    wanted = Label.parse(label)
    epochs = _epochs(wanted)
    recorded, cell, space = arrays(), distinct()[0], NASBench201()
    metrics = _told(recorded, wanted, epochs)
    shorter = [fewer for fewer in EPOCHS if fewer < epochs] if wanted.accuracy == "validation" else []
    truth = {"test_accuracy": mean_of_runs(_percent(recorded["test_hits"], TEST))[cell]}
    runs = accuracies(recorded, epochs)[cell]
    truth |= {f"seed{k}": runs[:, k] for k in range(EVERY_CLASS) if np.isfinite(runs[:, k]).any()}
    flops, params = costs(space.enumerate()).T
    made = Table(
        name="mnist1d" + (" (labels are TEST accuracies)" if wanted.accuracy == "test" else ""),
        space=space,
        metrics=metrics,
        known_columns={"flops": flops, "params": params, **_known(recorded)},
        truth=truth,
        classes=CLASSES,  # the shape stays that of the space: its own formulas are of images, ours are known columns
        cheaper={fewer: _told(recorded, wanted, fewer) for fewer in shorter},
    )
    trained = np.isfinite(metrics["accuracy"]).reshape(space.size, -1).any(1)
    return made if trained.all() else made.part(np.flatnonzero(trained))


def _epochs(wanted: Label) -> int:
    """Raises BadSetting."""
    recorded = EPOCHS if wanted.accuracy == "validation" else EPOCHS[-1:]
    if wanted.epochs is None:
        return recorded[-1]
    if wanted.epochs not in map(str, recorded):
        allowed = ", ".join(f"{wanted.accuracy}@{epochs}" for epochs in recorded)
        raise BadSetting("label", f"{wanted.accuracy}@{wanted.epochs}", allowed)
    return int(wanted.epochs)


@functools.cache
def arrays() -> dict[str, NDArray[Any]]:
    """What is recorded, by class and seed; docs/mnist1d.md describes every array. Raises BadTable."""
    found = read_npz(FILE)
    if not np.array_equal(found.get("cell", []), distinct()[1]):
        raise BadTable(FILE, "is of other classes of cells than this version tells apart; reinstall tierwise")
    if (found["val_hits"][:, :, -1] == ABSENT).all():
        raise BadTable(FILE, "has no training; reinstall tierwise")
    return found


def accuracies(recorded: dict[str, NDArray[Any]], epochs: int) -> Column:
    """(5260, seeds) validation accuracies, percent, NaN where not trained."""
    return _percent(recorded["val_hits"][:, :, EPOCHS.index(epochs)], VALIDATION)


def _percent(hits: NDArray[np.uint16], signals: int) -> Column:
    return np.where(hits == ABSENT, np.nan, hits.astype(np.float64) * 100 / signals)


def _told(recorded: dict[str, NDArray[Any]], wanted: Label, epochs: int) -> dict[str, Column]:
    """Columns of all cells: (15625,), or (15625, seeds) for the run "noise". Raises BadSetting."""
    is_test = wanted.accuracy == "test"
    accuracy = _percent(recorded["test_hits"], TEST) if is_test else accuracies(recorded, epochs)
    taken = recorded["seconds"].astype(np.float64) * (epochs / EPOCHS[-1])
    seconds = np.where(np.isfinite(accuracy), taken, np.nan)
    cell = distinct()[0]
    return {"accuracy": _pick(accuracy, wanted.run)[cell], "seconds": _pick(seconds, wanted.run)[cell]}


def _pick(runs: Column, run: str) -> Column:
    if run == "mean":
        return mean_of_runs(runs)
    if run == "noise":
        return runs
    trained = np.flatnonzero(np.isfinite(runs).any(0)).tolist()
    if run not in map(str, trained):
        raise BadSetting("label", f"#{run}", f"#mean, #noise, or a seed: {', '.join(f'#{k}' for k in trained)}")
    return runs[:, int(run)]


def _known(recorded: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Latencies and proxies that are there, by cell."""
    cell = distinct()[0]
    named = {name.removeprefix(PROXY): name for name in recorded if name in LATENCIES or name.startswith(PROXY)}
    return {name: recorded[source].astype(np.float64)[cell] for name, source in sorted(named.items())}
