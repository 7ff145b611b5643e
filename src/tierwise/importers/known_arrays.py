"""NPZ files with the arrays of NAS-Bench-201 (NATS-Bench v1.0, 15,625 cells) or of NAS-Bench-101 (a labelled sample).

They are recognised by the names of their arrays. In those of NAS-Bench-101 an accuracy is the best of three runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadTable
from tierwise.importers import npz
from tierwise.importers.convert import Part, Progress

Content = dict[str, NDArray[Any]]
SEEDS = (777, 888, 999)
DATASETS = {"c10": "cifar10", "c100": "cifar100", "in16": "imagenet16-120"}
SCALARS = {  # one column each: the array behind the data set's prefix -> metric
    "test200_mean": "test_accuracy@200#mean",
    "val12": "validation_accuracy@12#mean",
    "test12": "test_accuracy@12#mean",
    "cost12": "training_seconds@12#mean",
    "train_time200": "training_seconds@200#mean",
    "latency": "latency",
}
EPOCHS_101 = (4, 12, 36, 108)
VERTICES = 7


@dataclass(frozen=True)
class KnownArrays:
    """The reader of one layout. arrays: names that must be there."""

    name: str
    space: str
    about: str
    licence: str
    arrays: frozenset[str]
    columns: Callable[[Path, Content], tuple[NDArray[np.int64], Content]]
    official: tuple[str, ...]

    def recognise(self, path: Path, head: bytes) -> bool:
        return head[:2] == b"PK" and self.arrays <= npz.names(path)

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        if start:
            return
        rows, columns = self.columns(path, npz.read_npz(path))
        total = path.stat().st_size
        progress(total, total)
        yield 1, Part(columns, rows)


def _nasbench201(path: Path, arrays: Content) -> tuple[NDArray[np.int64], Content]:
    space = registry.make("space", "nasbench201")
    rows = space.index(Architectures(space, arrays["ops"].astype(np.int16)))
    _check_rows(path, rows, space.size)
    columns: Content = {}
    for short, name in DATASETS.items():
        for k, seed in enumerate(SEEDS):
            columns[f"{name}/validation_accuracy@200#{seed}"] = arrays[f"{short}_val200"][:, k]
            # the seeds of CIFAR-10's test accuracies are all there, in an order that nobody guarantees
            columns[f"{name}/test_accuracy@200#{k if short == 'c10' else seed}"] = arrays[f"{short}_test200"][:, k]
        for array, metric in SCALARS.items():
            if f"{short}_{array}" in arrays:
                columns[f"{name}/{metric}"] = arrays[f"{short}_{array}"].astype(np.float32)
        columns[f"{name}/params"] = np.round(arrays[f"{short}_params_M"].astype(np.float64) * 1e6)
        # millions with five digits behind the point
        columns[f"{name}/conv_macs"] = np.round(arrays[f"{short}_flops_M"].astype(np.float64) * 1e6, -1)
        columns[f"{name}/seeds"] = arrays["n_seeds"].astype(np.float32)
        proxies = [array for array in arrays if array.startswith(f"{short}_zc_")]
        columns |= {f"{name}/{array.removeprefix(f'{short}_zc_')}": arrays[array] for array in proxies}
    columns["cifar10-valid/test_accuracy@200#mean"] = arrays["c10_trainsplit_test200_mean"]
    devices = [array for array in arrays if array.startswith("lat_")]
    columns |= {f"cifar10/latency_{array.removeprefix('lat_')}_ms": arrays[array] for array in devices}
    return rows, columns


def _nasbench101(path: Path, arrays: Content) -> tuple[NDArray[np.int64], Content]:
    space = registry.make("space", "nasbench101")
    rows = space.index(space.encode(*_cells(path, arrays)))
    _check_rows(path, rows, space.size)
    columns: Content = {"cifar10/params": arrays["params"].astype(np.float64)}
    labelled, scored = arrays["labelled_space_index"], arrays["zen_index"]
    for epochs in EPOCHS_101:
        percent = arrays[f"labelled_val{epochs}"].astype(np.float64) * 100
        columns[f"cifar10/validation_accuracy@{epochs}#best"] = _spread(path, len(rows), labelled, percent)
    seconds = arrays["labelled_train_time108"]
    columns["cifar10/training_seconds@108#best"] = _spread(path, len(rows), labelled, seconds)
    columns["cifar10/zen"] = _spread(path, len(rows), scored, arrays["zen"])
    return rows, columns


def _cells(path: Path, arrays: Content) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Adjacency matrices in the frame of seven vertices, and operations: edge x -> y is bit x + y(y-1)/2."""
    bits, sizes, labels = arrays["bits"].astype(np.int64), arrays["v"], arrays["lab"].astype(np.int64)
    if sizes.min() < 2 or sizes.max() > VERTICES:
        raise BadTable(path, "cells of other than 2 to 7 vertices")
    adjacency = np.zeros((len(bits), VERTICES, VERTICES), np.uint8)
    ops = np.full((len(bits), VERTICES - 2), -1, np.int8)
    for size in np.unique(sizes).tolist():
        those, place = np.flatnonzero(sizes == size), [*range(size - 1), VERTICES - 1]
        for y in range(size):
            for x in range(y):
                adjacency[those, place[x], place[y]] = bits[those] >> (x + y * (y - 1) // 2) & 1
        for k in range(size - 2):
            ops[those, k] = labels[those] // 3 ** (size - 3 - k) % 3
    return adjacency, ops


def _check_rows(path: Path, rows: NDArray[np.int64], size: int) -> None:
    wrong = np.flatnonzero(rows != np.arange(len(rows)))
    if len(wrong) or len(rows) != size:
        raise BadTable(path, f"{len(rows):,} cells, not the {size:,} of the space in official order", wrong.tolist())


def _spread(path: Path, size: int, rows: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float32]:
    column = np.full(size, np.nan, np.float32)
    if rows.shape != values.shape or len(np.unique(rows)) != len(rows) or rows.min() < 0 or rows.max() >= size:
        raise BadTable(path, f"labels of {len(rows):,} rows that are not {len(rows):,} different cells")
    column[rows] = values
    return column


KNOWN = (
    KnownArrays(
        "nasbench201-npz",
        "nasbench201",
        "nasbench201-npz: arrays of all NAS-Bench-201 cells (NATS-Bench v1.0)",
        "several, see the documentation of benchmarks",
        frozenset({"ops", "n_seeds", "c10_val200", "c10_test200", "in16_val200", "c10_trainsplit_test200_mean"}),
        _nasbench201,
        ("044522569e4a3fa60f26351e4913487d04b150cd6baa21994a4910a60473425f",),
    ),
    KnownArrays(
        "nasbench101-sample",
        "nasbench101",
        "nasbench101-sample: all NAS-Bench-101 cells, 30,001 of them with the best validation accuracy of three",
        "none stated for the accuracies; NAS-Bench-101 itself Apache-2.0",
        frozenset({"bits", "v", "lab", "params", "labelled_space_index", "labelled_val108"}),
        _nasbench101,
        ("63c5cfc1f93373ccdd8d5a484488b7089ff7dfa57a828561b17e576d2ab051bf",),
    ),
)
