"""The data of a claim: what a method learns from, what it is judged by, and the checksum that it is the right file."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.benchmarks.table import Table, mean_of_runs
from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.harness.checks import ONE_TRAINING, known
from tierwise.harness.protocol import Data
from tierwise.metrics import kendall_tau
from tierwise.space import Space

Column = NDArray[np.float64]
TRUTH = "truth of the claim"
COSTS = ("flops", "params")


@dataclass(frozen=True)
class Origin:
    """What a problem was read from: `rows` (n,) are its places in the whole space of `size` architectures."""

    data: Data
    folder: Path
    size: int
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """One data set of a claim: the space of the n architectures that have a label and a truth.

    archs (n), label and truth (n,) in percent; known_costs: name -> (n,) of FLOPs and parameters what is known;
    seeds: name -> (n,) labels of single trainings. table: the evaluator over the space. origin: None for one that was
    not read from a claim.
    """

    dataset: str
    space: Space
    archs: Architectures
    label: Column
    truth: Column
    known_costs: Mapping[str, Column]
    seeds: Mapping[str, Column]
    table: Any
    origin: Origin | None = None

    def column(self, name: str) -> Column:
        """(n,) numbers known before the label, NaN where there is none.

        A column that the benchmark knows without training ("latency"), an accuracy after fewer epochs where the
        benchmark has it ("validation@12#mean"), or an array of the results file ("c10_val12"), one number for each of
        its rows or for each architecture of the space. Raises UnknownName, and BadSetting for label or truth itself.
        """
        known = self.table.known_columns
        if name in known:
            found = np.asarray(known[name], dtype=np.float64)
        elif self.origin is None:
            raise UnknownName("recorded input", name, known)
        elif self.origin.data.benchmark and "@" in name:
            settings = {**self.origin.data.options, "dataset": self.dataset, "label": name}
            made = registry.make("benchmark", self.origin.data.benchmark, **settings)
            found = mean_of_runs(made.metrics["accuracy"])[self.origin.rows]
        else:
            found = _array(self.origin, name, known)
        scale = 1.0 if self.origin is None else self.origin.data.scale
        for what, column in (("label", self.label), ("truth", self.truth)):
            if np.allclose(found * scale, column, rtol=1e-6, atol=0, equal_nan=True):
                raise BadSetting(f"input {name}", f"the {what} itself", "what is known before a training has ended")
        return found

    @property
    def task(self) -> dict[str, Any]:
        """Classes and image shape, as encodings and predictors take them."""
        return {"classes": self.table.classes, "shape": self.table.shape}

    @property
    def costs(self) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters. Raises BadSetting where one is unknown."""
        if missing := [name for name in COSTS if name not in self.known_costs]:
            raise BadSetting(f"costs of {self.table.name}", list(self.known_costs), f"with {' and '.join(missing)}")
        return np.stack([self.known_costs[name] for name in COSTS], 1).astype(np.int64)

    def totals(self, archs: Architectures) -> NDArray[np.int64]:
        """(m, 2) costs of members, looked up. Raises BadSetting where one is unknown."""
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
    return _problem(data.model_dump_json(), dataset, folder)


@functools.lru_cache(maxsize=4)
def _problem(described: str, dataset: str, folder: Path) -> Problem:
    data = Data.model_validate_json(described)
    path = None if data.file is None else folder / data.file
    table = _arrays(data, dataset, path) if data.space else _benchmark(data, dataset, path)
    columns = {"validation": table.metrics["accuracy"], **table.metrics, **table.truth}
    if data.label == ONE_TRAINING:
        trainings = [column for name, column in table.truth.items() if name.startswith(ONE_TRAINING)]
        columns |= {ONE_TRAINING: np.stack(trainings, 1)} if trainings else {}
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
    size = table.space.size
    rows = np.flatnonzero(np.isfinite(mean_of_runs(label)) & np.isfinite(mean_of_runs(truth)))
    table = table if len(rows) == table.space.size else table.part(rows)  # a search stays inside what is recorded
    archs, origin = table.space.enumerate(), Origin(data, folder, size, rows)
    if data.cheap is not None:
        known(f"data set in data.cheap.accuracy of {table.name}", dataset, data.cheap.accuracy)
        early = _array(origin, data.cheap.accuracy[dataset], ())
        seconds = {"seconds": data.cheap.seconds * table.metrics["seconds"]} if "seconds" in table.metrics else {}
        table = dataclasses.replace(table, cheaper={data.cheap.budget: {"accuracy": early, **seconds}})
    return Problem(
        dataset=dataset,
        space=table.space,
        archs=archs,
        label=mean_of_runs(table.metrics["accuracy"]),
        truth=mean_of_runs(table.truth[TRUTH]),
        known_costs=_costs(table, archs),
        seeds={name: column for name, column in table.truth.items() if name.startswith(ONE_TRAINING)},
        table=table,
        origin=origin,
    )


def _costs(table: Any, archs: Architectures) -> dict[str, Column]:
    """The costs by the space's formulas; without any, those that are recorded for every architecture."""
    try:
        totals = table.space.totals(archs, classes=table.classes, shape=table.shape)
        return {name: totals[:, place].astype(np.float64) for place, name in enumerate(COSTS)}
    except BadSetting:
        recorded = {name: table.known_columns[name] for name in COSTS if name in table.known_columns}
        return {name: np.asarray(column, np.float64) for name, column in recorded.items() if np.isfinite(column).all()}


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


def _array(origin: Origin, name: str, known: Iterable[str]) -> Column:
    """(n,) an array of the results file, NaN where it has no number."""
    data = origin.data
    if data.file is None or not data.file.endswith(".npz"):
        raise UnknownName("recorded input", name, known)
    with np.load(origin.folder / data.file, allow_pickle=False) as arrays:
        if name not in arrays.files:
            raise UnknownName(f"recorded input, column or array of {data.file}", name, [*known, *arrays.files])
        numbers = np.asarray(arrays[name], dtype=np.float64)
        rows = None if data.rows is None else arrays[data.rows]
    if numbers.shape == (origin.size,):
        return numbers[origin.rows]
    if rows is None or numbers.shape != rows.shape:
        allowed = f"({origin.size},), one number for each architecture of the space, or one for each labelled row"
        raise BadSetting(f"input {name}", numbers.shape, allowed)
    column = np.full(origin.size, np.nan)
    column[rows] = numbers
    return column[origin.rows]
