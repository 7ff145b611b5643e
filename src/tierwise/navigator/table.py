"""The map as a table: sorted, page by page, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting, MissingExtra
from tierwise.navigator.architectures import number
from tierwise.navigator.snapshot import Mask, Snapshot

LARGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class TableRow:
    """One architecture. values: of the columns that were asked for."""

    row: int
    text: str
    trial: int | None
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class TablePage:
    """total: rows of the whole table, of which these are some."""

    total: int
    rows: list[TableRow]


def ordered(snapshot: Snapshot, mask: Mask, sort: str, descending: bool) -> NDArray[np.int64]:
    """Rows of a mask by a column, "" for the order of the map; what is not known comes last. Raises UnknownName."""
    rows = np.flatnonzero(mask)
    if not sort:
        return rows
    values = snapshot.column(sort)[rows]
    return rows[np.argsort(np.where(np.isfinite(values), -values if descending else values, np.inf), kind="stable")]


def page(
    snapshot: Snapshot,
    mask: Mask,
    columns: Sequence[str],
    *,
    sort: str = "",
    descending: bool = False,
    offset: int = 0,
    limit: int = LARGEST_PAGE,
) -> TablePage:
    """Some rows of the table. Raises BadSetting, UnknownName."""
    if not 0 < limit <= LARGEST_PAGE or offset < 0:
        raise BadSetting("offset and limit", (offset, limit), f"0 or more, and 1 to {LARGEST_PAGE}")
    every = ordered(snapshot, mask, sort, descending)
    rows = every[offset : offset + limit]
    values = [[number(value) for value in snapshot.column(name)[rows]] for name in columns]
    trials, texts = trial_of(snapshot, rows), [str(arch) for arch in snapshot.archs[rows]]
    return TablePage(
        len(every),
        [
            TableRow(int(row), text, trial, [column[k] for column in values])
            for k, (row, text, trial) in enumerate(zip(rows, texts, trials, strict=True))
        ],
    )


def trial_of(snapshot: Snapshot, rows: NDArray[np.int64]) -> list[int | None]:
    """The trial that has evaluated each row."""
    column = np.zeros(len(snapshot), dtype=np.int64)
    column[snapshot.evaluated] = snapshot.trials
    return [trial or None for trial in column[rows].tolist()]


def as_csv(snapshot: Snapshot, rows: NDArray[np.int64]) -> bytes:
    """These rows with every column, as CSV."""
    names, columns = _columns(snapshot, rows)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["row", "architecture", "trial", *names])
    parts = (np.char.mod("%.10g", column) for column in columns)
    texts = [np.where(part == "nan", "", part).tolist() for part in parts]
    trials = ["" if trial is None else trial for trial in trial_of(snapshot, rows)]
    writer.writerows(zip(rows.tolist(), map(str, snapshot.archs[rows]), trials, *texts, strict=True))
    return file.getvalue().encode()


def as_parquet(snapshot: Snapshot, rows: NDArray[np.int64]) -> bytes:
    """The same as Parquet. Raises MissingExtra."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Parquet", "pyarrow", "benchmarks") from error
    names, columns = _columns(snapshot, rows)
    arrays = {"row": rows, "architecture": [str(arch) for arch in snapshot.archs[rows]]}
    arrays |= {"trial": trial_of(snapshot, rows)} | dict(zip(names, columns, strict=True))
    file = io.BytesIO()
    parquet.write_table(pa.table(arrays), file, compression="zstd")
    return file.getvalue()


def _columns(snapshot: Snapshot, rows: NDArray[np.int64]) -> tuple[list[str], list[NDArray[np.float64]]]:
    names = [name for name, column in snapshot.described.items() if column.kind != "position"]
    return names, [snapshot.column(name)[rows] + (name == "tier") for name in names]
