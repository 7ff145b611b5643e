"""Each optimiser of the weights of candidates on NAS-Bench-201 as a supernet, on small real data; the accuracy of the
cell that it chooses is looked up among the true ones.

Reads ``nb201.npz`` (test accuracies after 200 epochs). The supernet is small, and its data are not those of the table:
what is compared is which cell each optimiser chooses under equal conditions. Stopped at any time, it goes on when run
again.

    python bench/optimisers_nasbench201.py [--seeds 5] [--data digits mnist1d] [--optimisers gdas ...] [--epochs 24]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from optimiser_runs import CLASSES, DATA, EPOCHS, NETWORK, PAGE, RECIPE, drawn
from rows import Rows
from stopwatch import DATA as TABLES
from stopwatch import HERE, markdown, one_thread, publish

from tierwise.architecture import Architectures
from tierwise.errors import TrainingFailed
from tierwise.harness.tables import mean_sd
from tierwise.registry import installed, make
from tierwise.spaces.nasbench201 import OPS, NASBench201
from tierwise.supernets.cells import CellSupernet
from tierwise.supernets.search import search

SPACE = NASBench201()
COLUMNS = {"CIFAR-10": "c10", "CIFAR-100": "c100", "ImageNet16-120": "in16"}


def chosen(data: str, optimiser: str, seed: int, epochs: int) -> dict[str, Any]:
    """The genes that a search derives, and the weights of the candidates."""
    splits = DATA[data]()
    shape = splits.train.shape
    net = drawn(seed, lambda: CellSupernet(SPACE, classes=CLASSES, shape=shape, network=NETWORK))
    try:
        found = search(net, splits, make("optimiser", optimiser), epochs=epochs, seed=seed, recipe=RECIPE)
    except TrainingFailed as error:
        return {"failed": str(error)}
    return {"genes": list(found.genes), "weights": [own.round(4).tolist() for own in found.weights]}


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """A row for each optimiser, then random and the best."""
    with np.load(TABLES / "nb201.npz", allow_pickle=False) as arrays:
        true = {name: arrays[f"{column}_test200_mean"] for name, column in COLUMNS.items()}
    rows: list[list[object]] = []
    for name, runs in found.items():
        genes = np.array([run["genes"] for run in runs if "genes" in run], dtype=np.int16).reshape(-1, 6)
        at = SPACE.index(Architectures(SPACE, genes))
        counts = [mean_sd((genes == OPS.index(op)).sum(1), 1) for op in ("skip_connect", "none", "nor_conv_3x3")]
        seconds = mean_sd([run["cpu_seconds"] for run in runs], 0)
        rows.append([f"`{name}`", *(mean_sd(own[at], 2) for own in true.values()), *counts, seconds])
    rows.append(["a random cell", *(mean_sd(own, 2) for own in true.values()), "1.2", "1.2", "1.2", "0"])
    rows.append(["the best cell", *(f"{own.max():.2f}" for own in true.values()), "", "", "", ""])
    return markdown(["", *COLUMNS, "skips of 6", "none", "3x3", "CPU-s"], rows)


def main() -> None:
    """Run what is missing, and write the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--data", nargs="+", default=list(DATA))
    parser.add_argument("--optimisers", nargs="+", default=list(installed("optimiser")))
    given = parser.parse_args()
    rows, parts = Rows(HERE / "results" / "optimisers-nasbench201.jsonl"), list[str]()
    for data in given.data:
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in given.optimisers}
        for seed in range(given.seeds):
            for name, runs in found.items():
                job = (data, name, seed, given.epochs)
                runs.append(rows.timed(*job, make=lambda job=job: chosen(*job)))
        parts.append(f"Searched on `{data}`:\n\n{table(found)}")
    head = (
        "## NAS-Bench-201\n\nTest accuracy on the data of the benchmark, after 200 epochs, of the cell that is derived "
        f"from a supernet of two cells (8 and 16 channels) after {given.epochs} epochs on small data; mean and "
        f"standard deviation of {given.seeds} searches, of a random cell those of all 15,625. A collapse shows in the "
        "number of skips or of `none`. Made by `bench/optimisers_nasbench201.py`."
    )
    publish("optimisers-nasbench201", {"rows": rows.known}, "\n\n".join([head, *parts]), PAGE)


if __name__ == "__main__":
    one_thread()
    main()
