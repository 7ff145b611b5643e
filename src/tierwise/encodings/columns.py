"""Recorded numbers of architectures as features: zero-cost proxies, accuracies after few epochs, measured costs."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from tierwise.architecture import Architectures, Archs
from tierwise.benchmarks.columns_file import ColumnsFile, read_architectures, read_columns
from tierwise.encoding import Encoding, batch
from tierwise.errors import BadSetting, BadTable
from tierwise.space import Space, mix

MISSING = "missing"
Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Scored:
    """Columns of N recorded rows, ready to be looked up.

    scores: (N, d) normal scores, 0 where there is no number. missing: (N,) 1 where a number is missing, None where a
    record is there for all. place: a batch to the (n,) rows of its records, -1 where there is none.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    missing: NDArray[np.float32] | None
    place: Callable[[Architectures], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Recorded:
    """Columns in memory: name -> (size,) numbers in the order of ``space.index``, NaN where there is none."""

    space: Space
    columns: Mapping[str, NDArray[Any]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recorded) or self.space != other.space or list(self.columns) != list(other.columns):
            return False
        return all(np.array_equal(column, other.columns[name], True) for name, column in self.columns.items())

    def __hash__(self) -> int:
        return hash((self.space, *self.columns))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # never written to, and a clone of an encoding need not copy a whole table

    @functools.cached_property
    def scored(self) -> Scored:
        """The columns as normal scores."""
        scores, missing = _normal_scores(list(self.columns.values()))
        return Scored(tuple(self.columns), scores, missing if missing.any() else None, self._place)

    def _place(self, archs: Architectures) -> NDArray[np.int64]:
        if archs.space.name != self.space.name:
            raise BadSetting("columns", f"architectures of {archs.space.name}", f"those of {self.space.name}")
        return self.space.index(Architectures(self.space, archs.genes))


class Columns(Encoding):
    """Recorded numbers of architectures, each column by its order alone: (n, columns) normal scores.

    A number becomes the quantile of a normal distribution at its rank among all recorded numbers of its column, equal
    ones in the middle of their ranks; so the unit, a sentinel such as -1e8 and infinity do no harm. Where there is no
    number (NaN, an empty cell, an architecture without a record) stands 0, and if that can happen, a last column of
    0 and 1 says so. An architecture that is not in a file takes the record of an equal network.

    path: a CSV, Parquet or npz file with a column ``architecture`` (text) or one column for each choice.
    names: of its columns of numbers; () takes all. cost: full trainings that one row of these columns has taken,
    0.06 for 12 of 200 epochs, 0 for what needs no training. recorded: columns in memory, see ``Columns.of``.

    Raises BadSetting for columns of another space, BadTable with file and rows for what cannot be read.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> space = NASBench201()
    >>> proxy = Columns.of(space, {"proxy": np.arange(space.size)})
    >>> proxy.transform(space.at([0, 7812, 15624])).round(2).ravel().tolist()
    [-4.0, 0.0, 4.0]
    """

    def __init__(
        self, path: str = "", names: tuple[str, ...] = (), cost: float = 0.0, recorded: Recorded | None = None
    ):
        self.path = path
        self.names = names
        self.cost = cost
        self.recorded = recorded

    @classmethod
    def of(cls, space: Space, columns: Mapping[str, NDArray[Any]], cost: float = 0.0) -> Columns:
        """Name -> (size,) numbers in the order of ``space.index``, NaN for none. Raises BadSetting for other shapes."""
        if not columns:
            raise BadSetting("columns", "none", "at least one column of numbers")
        for name, column in columns.items():
            if np.shape(column) != (space.size,):
                raise BadSetting(f"column {name}", np.shape(column), f"one number a row of {space!r}")
        arrays = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
        return cls(cost=cost, recorded=Recorded(space, arrays))

    @property
    def text(self) -> str | None:
        """What stands for it in a saved predictor, ``"columns:PATH"``; None where the path alone does not say all."""
        return None if self.recorded is not None or self.names else f"columns:{self.path}"

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """(n, columns), and one more for missing numbers if any record lacks one."""
        rows = batch(archs)
        table = self._table(rows.space)
        at, width = table.place(rows), len(table.names)
        known = at >= 0
        x = np.zeros((len(rows), width + (table.missing is not None)), dtype=np.float32)
        x[known, :width] = table.scores[at[known]]
        if table.missing is not None:
            x[:, width] = 1.0
            x[known, width] = table.missing[at[known]]
        return x

    def feature_names(self, space: Space) -> list[str]:
        """What each column of ``transform`` is."""
        table = self._table(space)
        return [*table.names, *([] if table.missing is None else [MISSING])]

    def _table(self, space: Space) -> Scored:
        if (self.recorded is None) == (not self.path) or (self.recorded is not None and self.names):
            raise BadSetting("columns", self.path or "neither", "a path with or without names, or Columns.of(...)")
        if self.recorded is not None:
            return self.recorded.scored
        path = Path(self.path)
        changed = path.stat().st_mtime_ns if path.is_file() else 0
        return _read(path, changed, tuple(self.names), space)


@functools.lru_cache(maxsize=8)  # encodings are made anew for every batch
def _read(path: Path, changed: int, names: tuple[str, ...], space: Space) -> Scored:
    """The columns of a file as it was when `changed`."""
    read, whole = read_columns(path), whole_space(space)
    archs, used = read_architectures(read, whole)
    free = [name for name in read.columns if name not in used]
    absent = [name for name in names if name not in free]
    if absent:
        raise BadTable(path, f"no columns of numbers {', '.join(absent)}; there is: {', '.join(free)}")
    chosen = list(names) or [name for name in free if read.is_numeric(name)]
    if not chosen:
        raise BadTable(path, f"no column of numbers beside {', '.join(sorted(used))}")
    scores, missing = _normal_scores([_numbers(read, name) for name in chosen])
    partial = missing.any() or len(archs) < whole.size
    return Scored(tuple(chosen), scores, missing if partial else None, _finder(archs))


def _numbers(read: ColumnsFile, name: str) -> NDArray[np.float64]:
    """(n,) numbers, NaN where a cell is empty; infinity is one. Raises BadTable for other text."""
    column = read.columns[name]
    if column.dtype.kind == "f":
        return column.astype(np.float64)
    values, wrong = np.full(len(column), np.nan), np.zeros(len(column), dtype=np.bool_)
    for row, text in enumerate(read.texts(name)):
        try:
            values[row] = float(text or "nan")
        except ValueError:
            wrong[row] = True
    if wrong.any():
        raise BadTable(read.source, f"column {name!r} holds what is no number", read.rows(wrong))
    return values


def _normal_scores(columns: Iterable[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, d) normal scores, 0 where a number is missing; (N,) 1 where any is."""
    values = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    empty = np.isnan(values)
    scores = np.zeros(values.shape, dtype=np.float32)
    for column, (numbers, absent) in enumerate(zip(values.T, empty.T, strict=True)):
        known = np.flatnonzero(~absent)
        scores[known, column] = ndtri((rankdata(numbers[known]) - 0.5) / max(len(known), 1))
    return scores, np.asarray(empty.any(1), dtype=np.float32)


def _finder(records: Architectures) -> Callable[[Architectures], NDArray[np.int64]]:
    """From a batch to the rows of `records`: of the same genes, else of the first equal network, else -1."""
    space = records.space

    def networks(archs: Architectures) -> Keys:
        return space.canonical(Architectures(space, archs.genes))

    by_genes, by_network = _sorted(_gene_keys(records)), _sorted(networks(records))

    def place(archs: Architectures) -> NDArray[np.int64]:
        found = _search(by_genes, _gene_keys(archs))
        rest = np.flatnonzero(found < 0)
        found[rest] = _search(by_network, networks(archs[rest]))
        return found

    return place


def _gene_keys(archs: Architectures) -> Keys:
    """(n,) one key a gene row."""
    place = np.arange(archs.shape[1], dtype=np.uint64) * np.uint64(2**17)
    return mix(archs.genes.astype(np.uint64) + place).sum(1, dtype=np.uint64)


def _sorted(keys: Keys) -> tuple[Keys, NDArray[np.int64]]:
    order = np.argsort(keys, kind="stable")
    return keys[order], order


def _search(among: tuple[Keys, NDArray[np.int64]], wanted: Keys) -> NDArray[np.int64]:
    ordered, order = among
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[place] == wanted, order[place], -1)


def whole_space(space: Space) -> Space:
    """The space before narrowing, and before a table cut it to what it records: features do not depend on that."""
    space = getattr(space, "whole", space)
    if not space.narrowed:
        return space
    full = copy.copy(space)
    counts = np.array([len(choice.options) for choice in space.choices])
    full.allowed = np.arange(space.allowed.shape[1]) < counts[:, None]
    full._cache = {}  # pyright: ignore[reportPrivateUsage]  what it holds is of the narrowed space
    return full
