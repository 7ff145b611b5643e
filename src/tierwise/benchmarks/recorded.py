"""A benchmark that ``tierwise bench add`` has converted, as an evaluator: columns of its Parquet table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tierwise.benchmarks.table import Table, mean_of_runs
from tierwise.errors import BadSetting, BadTable, MissingExtra, UnknownName
from tierwise.importers.folder import converted
from tierwise.space import Shape, Space

COLUMN = re.compile(r"(?P<dataset>[^/]+)/(?P<metric>[^@#]+)(@(?P<epochs>[^#]+))?(#(?P<seed>.+))?")
Label = Literal["validation", "test"]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Metric:
    """Where one metric at one number of epochs is recorded. seeds: recorded seed -> column name."""

    epochs: str
    seeds: dict[str, str]

    @property
    def runs(self) -> list[str]:
        """The seeds of single trainings, in the order of the file."""
        return [seed for seed in self.seeds if seed not in ("mean", "")]

    def is_shorter(self, other: _Metric) -> bool:
        """Whether it is recorded after fewer epochs than another one."""
        numbers = self.epochs.isdecimal() and other.epochs.isdecimal()
        return numbers and 0 < int(self.epochs) < int(other.epochs)

    def has(self, seed: str) -> bool:
        """Whether `pick` finds something."""
        return seed in ("mean", "noise", *self.runs) or (seed.isdecimal() and int(seed) < len(self.runs))

    def pick(self, seed: str) -> list[str]:
        """The columns whose mean over what is recorded is the answer. Raises BadSetting."""
        if seed in ("mean", "noise") and not self.runs:
            return list(self.seeds.values())[:1]
        if seed in ("mean", "noise"):
            return [self.seeds[run] for run in self.runs]
        if seed in self.runs:
            return [self.seeds[seed]]
        if seed.isdecimal() and int(seed) < len(self.runs):
            return [self.seeds[self.runs[int(seed)]]]
        positions = f', a position below {len(self.runs)}, "noise"' if self.runs else ""
        raise BadSetting("seed", seed, f'"mean"{positions}{"".join(f", {run!r}" for run in self.runs)}')


def recorded(
    name: str,
    space: Space,
    dataset: str,
    *,
    label: Label = "validation",
    seed: str = "mean",
    epochs: int | str | None = None,
    objectives: Sequence[str] = (),
    classes: int,
    shape: Shape,
) -> Table:
    """A converted benchmark's ``accuracy`` (percent) and, where recorded, ``seconds`` of training up to `epochs`.

    label: the accuracy that the search is told; the name of a table of test accuracies says so.
    seed: "mean" of the recorded runs, one of them by its own number ("777") or by its position ("0"), or "noise": each
    evaluation gets one run, which one by the seed of its job.
    epochs: as recorded, by default the most; fewer recorded ones are told as cheap evaluations, where they have the
    seed. objectives: further columns told, for example latency_raspi4_ms; one that
    needs no training is known before. Test accuracy at the most epochs, mean of the runs, is kept for reports.
    Raises UnknownName, BadSetting, BadTable, MissingExtra.
    """
    if label not in ("validation", "test"):
        raise BadSetting("label", label, "validation or test")
    known, columns = _open(name, space, dataset)
    chosen = _at(known, f"{label}_accuracy", epochs)
    metrics = _told(columns, known, chosen, seed)
    costs: Columns = {}
    for objective in objectives:
        where = _at(known, objective, None)
        metrics[objective] = columns.told(where, "mean")
        if not where.epochs:
            costs[objective] = metrics[objective]
    truth: Columns = {f"seed{k}": columns.told(chosen, run) for k, run in enumerate(chosen.runs)}
    if "test_accuracy" in known:
        truth["test_accuracy"] = columns.told(_at(known, "test_accuracy", None), "mean")
    said = f"{name}:{dataset}" + (" (labels are TEST accuracies)" if label == "test" else "")
    lengths = [where for where in known[f"{label}_accuracy"].values() if where.has(seed) and where.is_shorter(chosen)]
    cheaper = _Cheaper(columns.path, space.size, known, {int(where.epochs): where for where in lengths}, seed)
    return Table(said, space, metrics, costs, truth, classes, shape, cheaper)


def _told(columns: _Reader, known: dict[str, dict[str, _Metric]], accuracy: _Metric, seed: str) -> Columns:
    """``accuracy`` and, where recorded, ``seconds`` of as many epochs."""
    told: Columns = {"accuracy": columns.told(accuracy, seed)}
    clock = known.get("training_seconds", {}).get(accuracy.epochs)
    if clock:  # a source may tell accuracies of single runs, but seconds of their mean only
        told["seconds"] = columns.told(clock, seed if clock.runs == accuracy.runs else "mean")
    return told


@dataclass(frozen=True, eq=False)
class _Cheaper(Mapping[int, Columns]):
    """What shorter trainings are told as, by their epochs; read when first asked for, as most searches never do."""

    path: Path
    size: int
    known: dict[str, dict[str, _Metric]]
    accuracy: dict[int, _Metric]
    seed: str
    read: dict[int, Columns] = field(default_factory=dict[int, Columns])

    def __getitem__(self, budget: int) -> Columns:
        if budget not in self.read:
            where = self.accuracy[budget]
            self.read[budget] = _told(_Reader(self.path, self.size), self.known, where, self.seed)
        return self.read[budget]

    def __iter__(self) -> Iterator[int]:
        return iter(self.accuracy)

    def __len__(self) -> int:
        return len(self.accuracy)


def _open(name: str, space: Space, dataset: str) -> tuple[dict[str, dict[str, _Metric]], _Reader]:
    path, card = converted(name)
    if card.space != space.name:
        raise BadSetting("space", space.name, f"{card.space}, of which {name} has results")
    return _known(card.columns, dataset), _Reader(path, space.size)


def objective(name: str, space: Space, dataset: str, metric: str) -> NDArray[Any]:
    """(size,) one metric of a converted benchmark at the most epochs, mean of its runs. Raises UnknownName."""
    path, card = converted(name)
    if card.space != space.name:
        raise BadSetting("objective", f"{name}:{metric}", f"a table of {space.name}, {name} is one of {card.space}")
    return _Reader(path, space.size).told(_at(_known(card.columns, dataset), metric, None), "mean")


def means(name: str, size: int) -> Columns:
    """Every figure of a converted benchmark, mean over its runs: ``dataset/metric@epochs`` -> (size,) values."""
    path, card = converted(name)
    reader, found = _Reader(path, size), Columns()
    for dataset in {column.partition("/")[0] for column in card.columns}:
        for metric, lengths in _known(card.columns, dataset).items():
            for epochs, where in lengths.items():
                key = f"{dataset}/{metric}" + (f"@{epochs}" if epochs else "")
                found[key] = reader.told(where, "mean")
    return found


def _known(columns: Sequence[str], dataset: str) -> dict[str, dict[str, _Metric]]:
    """metric -> epochs -> where it is recorded. Raises UnknownName."""
    datasets: set[str] = set()
    known: dict[str, dict[str, _Metric]] = {}
    for column in columns:
        parts = COLUMN.fullmatch(column)
        if parts is None:
            continue
        datasets.add(parts["dataset"])
        if parts["dataset"] == dataset:
            epochs = parts["epochs"] or ""
            metric = known.setdefault(parts["metric"], {}).setdefault(epochs, _Metric(epochs, {}))
            metric.seeds[parts["seed"] or ""] = column
    if dataset not in datasets:
        raise UnknownName("data set of this benchmark", dataset, datasets)
    return known


def _at(known: dict[str, dict[str, _Metric]], metric: str, epochs: int | str | None) -> _Metric:
    """One metric at one number of epochs, by default the most. Raises UnknownName, BadSetting."""
    if metric not in known:
        raise UnknownName("recorded metric of this data set", metric, known)
    lengths = sorted(known[metric], key=lambda text: (int(text) if text.isdecimal() else -1, text))
    wanted = lengths[-1] if epochs is None else str(epochs)
    if wanted not in known[metric]:
        raise BadSetting("epochs", epochs, ", ".join(lengths) if lengths != [""] else "None")
    return known[metric][wanted]


class _Reader:
    """Reads single columns of a Parquet table, each once."""

    def __init__(self, path: Path, size: int):
        try:
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtra("a converted benchmark", "pyarrow", "benchmarks") from error
        try:
            self.file = pq.ParquetFile(path, memory_map=True)
        except (OSError, ValueError) as error:
            raise BadTable(path, f"cannot be read ({error}); remove its folder and add the benchmark anew") from error
        if self.file.metadata.num_rows != size:
            raise BadTable(path, f"has {self.file.metadata.num_rows:,} rows, the space {size:,}")
        self.path = path
        self.read: Columns = {}

    def told(self, metric: _Metric, seed: str) -> NDArray[Any]:
        """(size,) values, or (size, k) recorded runs for the seed "noise". Raises BadSetting, BadTable."""
        names = metric.pick(seed)
        fresh = [name for name in names if name not in self.read]
        try:
            table = self.file.read(fresh) if fresh else None
        except (OSError, ValueError) as error:
            raise BadTable(self.path, f"cannot be read ({error}); remove its folder and add it anew") from error
        for name in fresh:
            self.read[name] = table.column(name).to_numpy() if table is not None else np.empty(0)
        if len(names) == 1:
            return self.read[names[0]]
        runs = np.stack([self.read[name] for name in names], axis=1)
        return runs if seed == "noise" else mean_of_runs(runs)
