"""The data of a claim: what a method learns from, what it is judged by, and the checksum that it is the right file."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.benchmarks.table import Table, mean_of_runs
from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.harness.protocol import Data
from tierwise.metrics import kendall_tau
from tierwise.space import Space

Column = NDArray[np.float64]
TRUTH = "truth of the claim"


@dataclass(frozen=True)
class Problem:
    """One data set of a claim: the space of the n architectures that have a label and a truth.

    archs (n), label and truth (n,) in percent, costs (n, 2) FLOPs and parameters, seeds: name -> (n,) labels of single
    trainings. table: the evaluator over the space.
    """

    dataset: str
    space: Space
    archs: Architectures
    label: Column
    truth: Column
    costs: NDArray[np.int64]
    seeds: Mapping[str, Column]
    table: Any

    @property
    def task(self) -> dict[str, Any]:
        """Classes and image shape, as encodings and predictors take them."""
        return {"classes": self.table.classes, "shape": self.table.shape}

    def totals(self, archs: Architectures) -> NDArray[np.int64]:
        """(m, 2) costs of members, looked up."""
        return self.costs[self.space.index(archs)]

    def sample(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` members, uniform, with replacement."""
        return self.archs[rng.integers(len(self.archs), size=n)]

    def facts(self) -> dict[str, Any]:
        """What the table itself allows: noise ceilings, and the best there is."""
        best, columns = int(self.label.argmax()), list(self.seeds.values())
        pairs = [kendall_tau(a, b) for k, a in enumerate(columns) for b in columns[k + 1 :]]
        return {
            "architectures": len(self.label),
            "ceiling": kendall_tau(self.label, self.truth),
            "ceiling_seeds": float(np.mean(pairs)) if pairs else None,
            "best_validation": float(self.label[best]),
            "test_of_best_validation": float(self.truth[best]),
            "best_test": float(self.truth.max()),
        }


def data_folder(claim: Path, given: Path | None) -> Path:
    """`given`, else what TIERWISE_DATA names, else ``shared/data`` beside the repository of the claim."""
    named = os.environ.get("TIERWISE_DATA")
    return given or (Path(named) if named else claim.resolve().parents[2] / "shared" / "data")


def checked_file(data: Data, folder: Path) -> Path | None:
    """The results file of a claim, None where it has none. Raises BadTable if it is absent or another file."""
    if data.file is None:
        return None
    path = folder / data.file
    if not path.is_file():
        raise BadTable(path, "there is no such file; name its folder by --data or TIERWISE_DATA")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != data.sha256:
        raise BadTable(path, f"SHA-256 is {found}, the claim is about {data.sha256}: this is another file")
    return path


def problem(data: Data, dataset: str, folder: Path) -> Problem:
    """The data of one data set; the file was checked before. Raises BadTable, UnknownName, BadSetting."""
    path = None if data.file is None else folder / data.file
    return _problem(data.model_dump_json(), dataset, path)


@functools.lru_cache(maxsize=4)
def _problem(described: str, dataset: str, path: Path | None) -> Problem:
    data = Data.model_validate_json(described)
    table = _arrays(data, dataset, path) if data.space else _benchmark(data, dataset, path)
    columns = {"validation": table.metrics["accuracy"], **table.metrics, **table.truth}
    if "test_accuracy" in table.truth:
        columns["test"] = table.truth["test_accuracy"]
    for name in (data.label, data.truth):
        if not data.space and name not in columns:
            raise UnknownName(f"column of {table.name}", name, columns)
    label = table.metrics["accuracy"] if data.space else columns[data.label]
    truth = table.truth[TRUTH] if data.space else columns[data.truth]
    table = dataclasses.replace(
        table, metrics={**table.metrics, "accuracy": label}, truth={**table.truth, TRUTH: truth}
    )
    rows = np.flatnonzero(np.isfinite(mean_of_runs(label)) & np.isfinite(mean_of_runs(truth)))
    table = table if len(rows) == table.space.size else table.part(rows)  # a search stays inside what is recorded
    archs = table.space.enumerate()
    return Problem(
        dataset=dataset,
        space=table.space,
        archs=archs,
        label=mean_of_runs(table.metrics["accuracy"]),
        truth=mean_of_runs(table.truth[TRUTH]),
        costs=table.space.totals(archs, classes=table.classes, shape=table.shape),
        seeds={name: column for name, column in table.truth.items() if name.startswith("seed")},
        table=table,
    )


def _benchmark(data: Data, dataset: str, path: Path | None) -> Any:
    given = {} if path is None else {"truth": path}
    return registry.make("benchmark", str(data.benchmark), dataset=dataset, **given, **data.options)


def _arrays(data: Data, dataset: str, path: Path | None) -> Any:
    """A table over a space from arrays of an npz file, NaN where there is no label."""
    space = registry.make("space", str(data.space))
    with np.load(str(path), allow_pickle=False) as arrays:
        for name in (data.label, data.truth, data.rows):
            if name is not None and name not in arrays.files:
                raise UnknownName(f"array of {data.file}", name, arrays.files)
        rows = np.arange(space.size) if data.rows is None else arrays[data.rows]
        columns = {name: np.full(space.size, np.nan) for name in ("label", TRUTH)}
        for name, source in (("label", data.label), (TRUTH, data.truth)):
            if arrays[source].shape != rows.shape:
                raise BadSetting(f"array {source}", arrays[source].shape, f"{rows.shape}, one number a row")
            columns[name][rows] = arrays[source].astype(np.float64) * data.scale
    metrics, truth = {"accuracy": columns["label"]}, {TRUTH: columns[TRUTH]}
    return Table(name=f"{data.space}:{dataset}", space=space, metrics=metrics, truth=truth)
