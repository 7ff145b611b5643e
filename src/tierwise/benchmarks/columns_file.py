"""A user's file of results: its columns, and the architectures that they name."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadTable, MissingExtra
from tierwise.importers.npz import read_npz
from tierwise.space import Space

KINDS = (".csv", ".parquet", ".npz")
Floats = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True)
class ColumnsFile:
    """The columns of a results file, by name, each (n,), float64 or text.

    first: how messages number the first row: in a CSV file as its line, 2, else 0.
    """

    source: str
    columns: dict[str, Floats | Texts]
    first: int = 0

    def rows(self, mask: NDArray[np.bool_]) -> list[int]:
        """The numbers of some rows, as messages give them."""
        return (np.flatnonzero(mask) + self.first).tolist()

    def numbers(self, name: str) -> Floats:
        """(n,) a column of numbers, NaN where a cell is empty. Raises BadTable for other text or infinity."""
        if name not in self.columns:
            raise BadTable(self.source, f"no column {name!r}; there is: {', '.join(self.columns)}")
        values, wrong = _as_numbers(self.columns[name])
        wrong |= np.isinf(values)
        if wrong.any():
            raise BadTable(self.source, f"column {name!r} holds what is no finite number", self.rows(wrong))
        return values

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds any number; one without is text."""
        return bool(np.isfinite(_as_numbers(self.columns[name])[0]).any())

    def texts(self, name: str) -> list[str]:
        """(n,) a column as text; whole numbers without a point, nothing where a cell is empty."""
        column = self.columns[name]
        if column.dtype.kind == "U":
            return [text.strip() for text in column.tolist()]
        return ["" if np.isnan(x) else str(int(x)) if x == int(x) else str(x) for x in column.tolist()]


def read_columns(path: str | Path) -> ColumnsFile:
    """The columns of a CSV (.csv), Parquet (.parquet) or npz file. Raises BadTable, MissingExtra."""
    source = Path(path)
    readers = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
    if source.suffix.lower() not in readers:
        raise BadTable(source, f"not a kind of file that is read here: {', '.join(KINDS)}")
    if not source.is_file():
        raise BadTable(source, "there is no such file")
    read = readers[source.suffix.lower()](source)
    if not read.columns or not len(next(iter(read.columns.values()))):
        raise BadTable(source, "has no rows")
    return read


def read_architectures(read: ColumnsFile, space: Space, column: str = "architecture") -> tuple[Architectures, set[str]]:
    """(n,) the architectures of all rows, and the names of the columns that say them.

    Either one column of text, as ``space.parse`` understands it or the genes alone ("3-0-2"), or one column for
    each choice, called by its path and holding option names; there a cell may be empty where the choice has no
    effect on the network. Raises BadTable for rows that name no architecture, and for the same one twice.
    """
    paths = [choice.path for choice in space.choices]
    if column in read.columns:
        archs, used = _parsed(read, space, column), {column}
    elif all(path in read.columns for path in paths):
        archs, used = _chosen(read, space), set(paths)
    else:
        absent = [path for path in paths if path not in read.columns]
        problem = f"no column {column!r} of architectures, and no column for the choices {', '.join(absent[:5])}"
        raise BadTable(read.source, f"{problem}; there is: {', '.join(read.columns)}")
    keys = archs.keys() if space.free else space.index(archs)
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    again = first[back.ravel()] != np.arange(len(archs))
    if again.any():
        raise BadTable(read.source, "architectures that stand there twice", read.rows(again))
    return archs, used


def _parsed(read: ColumnsFile, space: Space, column: str) -> Architectures:
    genes = np.zeros((len(read.columns[column]), len(space.choices)), dtype=np.int16)
    reasons: dict[int, str] = {}
    for row, text in enumerate(read.texts(column)):
        genes_alone = text.replace("-", "").replace("_", "").isdigit() and text.count("-") == len(space.choices) - 1
        try:
            genes[row] = space.parse(f"{space.name}/{text}" if genes_alone else text).genes
        except BadArchitecture as error:
            reasons.setdefault(row, str(error))
    if reasons:
        reason = next(iter(reasons.values()))
        raise BadTable(read.source, f"no architecture of {space.name}: {reason}", [r + read.first for r in reasons])
    archs = Architectures(space, genes)
    outside = ~space.contains(archs)
    if outside.any():
        raise BadTable(read.source, f"architectures outside {space!r}", read.rows(outside))
    return archs


def _chosen(read: ColumnsFile, space: Space) -> Architectures:
    genes = np.zeros((len(read.columns[space.choices[0].path]), len(space.choices)), dtype=np.int16)
    empty = np.zeros(genes.shape, dtype=np.bool_)
    for gene, choice in enumerate(space.choices):
        code = {option: k for k, option in enumerate(choice.options)}
        texts = read.texts(choice.path)
        unknown = np.array([bool(text) and text not in code for text in texts])
        if unknown.any():
            seen = texts[int(unknown.argmax())]
            problem = f"column {choice.path!r} holds {seen!r}; allowed: {', '.join(choice.options[:20])}"
            raise BadTable(read.source, problem, read.rows(unknown))
        genes[:, gene] = [code.get(text, 0) for text in texts]
        empty[:, gene] = [not text for text in texts]
    archs = Architectures(space, genes)
    if not space.free:  # there a choice that is not active is -1
        archs = Architectures(space, np.where(empty, -1, genes))
        missing = ~space.contains(archs)
    else:
        missing = ~_without_effect(archs, empty)
    if missing.any():
        raise BadTable(read.source, "an empty cell of a choice that the network depends on", read.rows(missing))
    return archs


def _without_effect(archs: Architectures, empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whether the network is the same whatever single option stands in the empty cells."""
    space, same = archs.space, np.ones(len(archs), dtype=np.bool_)
    keys = space.canonical(archs)
    for gene in np.flatnonzero(empty.any(0)).tolist():
        for option in range(1, len(space.choices[gene].options)):
            changed = archs.genes.copy()
            changed[empty[:, gene], gene] = option
            same &= space.canonical(Architectures(space, changed)) == keys
    return same


def _as_numbers(column: Floats | Texts) -> tuple[Floats, NDArray[np.bool_]]:
    """The numbers of a column, NaN where a cell is empty or no number, and where it is no number."""
    if column.dtype.kind == "f":
        return column.astype(np.float64), np.zeros(len(column), dtype=np.bool_)
    values, wrong = np.full(len(column), np.nan), np.zeros(len(column), dtype=np.bool_)
    for row, text in enumerate(column.tolist()):
        if text.strip():
            try:
                values[row] = float(text)
            except ValueError:
                wrong[row] = True
    return values, wrong


def _csv(source: Path) -> ColumnsFile:
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte order mark
            header, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable(source, f"not a readable CSV file ({error})") from error
    names = [name.strip() for name in header]
    if len(set(names)) < len(names):
        raise BadTable(source, f"two columns of one name in: {', '.join(names)}")
    uneven = [line for line, row in enumerate(rows, start=2) if len(row) != len(names)]
    if uneven:
        raise BadTable(source, f"lines without exactly {len(names)} fields, as the first line has", uneven)
    columns = {name: np.array([row[k] for row in rows], dtype=np.str_) for k, name in enumerate(names)}
    return ColumnsFile(str(source), dict(columns), first=2)


def _parquet(source: Path) -> ColumnsFile:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("a Parquet table", "pyarrow", "benchmarks") from error
    try:
        table: Any = parquet.read_table(source)
    except (OSError, pa.ArrowException) as error:
        raise BadTable(source, f"not a readable Parquet file ({error})") from error
    return ColumnsFile(str(source), {name: _plain(table[name].to_pylist()) for name in table.column_names})


def _plain(values: list[Any]) -> Floats | Texts:
    """A column of numbers where all are, nothing where there is none; otherwise text."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)


def _npz(source: Path) -> ColumnsFile:
    columns = {name: _plain(array.tolist()) for name, array in read_npz(source).items() if array.ndim == 1}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadTable(source, f"arrays of different lengths: {lengths}")
    return ColumnsFile(str(source), columns)
