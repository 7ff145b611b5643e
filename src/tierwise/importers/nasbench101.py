"""NAS-Bench-101's tfrecord files, ``nasbench_only108`` and ``nasbench_full``.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (2019): 423,624 cells, each trained three
times on CIFAR-10 for 108 epochs (and in the full file for 4, 12 and 36 as well), evaluated half-way and at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadTable
from tierwise.importers import nasbench101_records, tfrecord
from tierwise.importers.convert import Part, Progress
from tierwise.importers.nasbench101_metrics import METRICS, Runs
from tierwise.space import Space

EPOCHS = (4, 12, 36, 108)
REPEATS = 3
RECORD = re.compile(rb'\s*\[\s*"[0-9a-fA-F]{32}"\s*,\s*\d+\s*,\s*"[01]+"\s*,\s*"input')
NUMBER = 1 << 48  # a start is record number * NUMBER + byte offset


class NASBench101File:
    """Reads both files; every record is one training."""

    name = "nasbench101"
    space = "nasbench101"
    about = "NAS-Bench-101 (nasbench_only108.tfrecord, nasbench_full.tfrecord)"
    licence = "Apache-2.0"
    official: tuple[str, ...] = (  # as published beside the download, only108 and full
        "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
    )

    def recognise(self, path: Path, head: bytes) -> bool:
        """By the first record."""
        return RECORD.match(head, tfrecord.HEADER) is not None

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        """A part for each few megabytes of the file. Raises BadTable, with record numbers."""
        number, offset = divmod(start, NUMBER)
        size, space = path.stat().st_size, registry.make("space", self.space)
        known: dict[int, int] = {}
        for records in tfrecord.batches(path, offset, number):
            runs = nasbench101_records.read(path, records, number)
            rows = _rows(path, space, runs, number, known)
            number += len(rows)
            progress(records.following, size)
            yield number * NUMBER + records.following, Part(_columns(path, runs, number), rows, runs.key)


def _rows(path: Path, space: Space, runs: Runs, number: int, known: dict[int, int]) -> NDArray[np.int64]:
    """(n,) rows of the space; the codes that `known` lacks are looked up all at once."""
    codes, which = np.unique(runs.cell, return_inverse=True)
    fresh = np.array([code for code in codes.tolist() if code not in known], np.int64)
    if len(fresh):
        found = space.index(Architectures(space, nasbench101_records.genes(fresh)))
        known.update(zip(fresh.tolist(), found.tolist(), strict=True))
    rows = np.array([known[code] for code in codes.tolist()], np.int64)[which]
    outside = np.flatnonzero(rows < 0)
    if len(outside):
        raise BadTable(path, "graphs that are no cells of NAS-Bench-101", (outside + number).tolist())
    return rows


def _columns(path: Path, runs: Runs, number: int) -> dict[str, NDArray[Any]]:
    """Accuracies in percent, seconds, and the number of parameters, which float32 would round."""
    unknown = np.flatnonzero(~np.isin(runs.epochs, EPOCHS))
    if len(unknown):
        raise BadTable(path, f"trained for other than {EPOCHS} epochs", (unknown + number - len(runs.epochs)).tolist())
    columns: dict[str, NDArray[Any]] = {"cifar10/params": runs.params.astype(np.float64)}
    for epochs in np.unique(runs.epochs).tolist():
        for k, figures in enumerate(runs.figures.T):
            metric, half = METRICS[k % len(METRICS)][1], "-half" if k < len(METRICS) else ""
            values = figures * 100 if metric.endswith("accuracy") else figures
            told = np.where(runs.epochs == epochs, values, np.nan).astype(np.float32)
            columns[f"cifar10/{metric}@{epochs}{half}#*{REPEATS}"] = told
    return columns


IMPORTERS = (NASBench101File(),)
