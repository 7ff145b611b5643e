"""The hidden folder of a conversion under way: shards, the journal that a killed conversion goes on from, the merge.

    .NAME.part/journal.jsonl    first line: the source; then one line a shard: its file, columns, and the next start
    .NAME.part/00000.parquet    the records of one part

A line is written after its shard is on disk. So a shard without a line, or a torn last line, is read from the source
again and nothing is lost or told twice.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadTable, MissingExtra

if TYPE_CHECKING:
    from tierwise.importers.convert import Part

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as missing:
    raise MissingExtra("adding a benchmark", "pyarrow", "benchmarks") from missing

JOURNAL = "journal.jsonl"
ROWS, ORDER = "_row", "_order"
REPEATED = re.compile(r"(?P<name>.*)#\*(?P<most>\d+)")
ROW_GROUP = 65_536
Line = dict[str, Any]


@dataclass
class Shards:
    """The shards that the journal of `folder` names; `start` is where the source is read on."""

    folder: Path
    lines: list[Line] = field(default_factory=list[Line])

    @property
    def start(self) -> int:
        """Where the source is read on."""
        return self.lines[-1]["next"] if self.lines else 0

    @classmethod
    def resume(cls, folder: Path, source: Line) -> Shards:
        """What is left of a conversion of the very same source, else an empty folder."""
        lines = _read_journal(folder / JOURNAL)
        if not lines or lines[0] != source:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            lines = [source]
        # written anew, because a line after a torn one would be lost with it
        fresh = folder / "journal.new"
        _append(fresh, lines)
        fresh.replace(folder / JOURNAL)
        return cls(folder, lines[1:])

    def append(self, part: Part, following: int) -> None:
        """Write one part; when this returns, a killed conversion goes on from `following`."""
        name = f"{len(self.lines):05d}.parquet"
        columns = {ROWS: part.rows, **part.columns}
        if part.order is not None:
            columns[ORDER] = part.order
        pq.write_table(pa.table(columns), self.folder / name, compression="lz4", use_dictionary=False)
        sync(self.folder / name)
        kinds = {column: values.dtype.str for column, values in columns.items()}
        line = {"shard": name, "records": len(part.rows), "columns": kinds, "next": following}
        _append(self.folder / JOURNAL, [line])
        self.lines.append(line)

    def clear(self) -> None:
        """Remove the journal, then its shards: a kill in between leaves nothing to go on from, which is safe."""
        (self.folder / JOURNAL).unlink()
        for line in self.lines:
            (self.folder / line["shard"]).unlink()

    def merge(self, source: Path, size: int, target: Path) -> list[str]:
        """One Parquet table of `size` rows of all shards; the names of its columns. Raises BadTable."""
        names = sorted({name for line in self.lines for name in line["columns"]})
        rows = self._column(ROWS)
        if ORDER in names:
            _check_order(source, rows, self._column(ORDER))
        table: dict[str, NDArray[Any]] = {}
        for name in names:
            if name in (ROWS, ORDER):
                continue
            values, repeated = self._column(name), REPEATED.fullmatch(name)
            if repeated:
                columns = _numbered(source, name, rows, values, size, int(repeated["most"]))
                table |= {f"{repeated['name']}#{k}": column for k, column in enumerate(columns)}
            else:
                table[name] = _scattered(source, name, rows, values, size)
        pq.write_table(pa.table(table), target, compression="zstd", row_group_size=ROW_GROUP)
        sync(target)
        return list(table)

    def _column(self, name: str) -> NDArray[Any]:
        """The values of all records, NaN where a shard has no such column."""
        pieces: list[NDArray[Any]] = []
        for line in self.lines:
            if name in line["columns"]:
                with pq.ParquetFile(self.folder / line["shard"]) as file:
                    pieces.append(file.read([name]).column(0).to_numpy())
            else:
                pieces.append(np.full(line["records"], np.nan, np.float32))
        return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def sync(path: Path) -> None:
    """Returns when the file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _append(path: Path, lines: list[Line]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def _read_journal(path: Path) -> list[Line]:
    """The whole lines; a kill may leave a torn last one."""
    lines: list[Line] = []
    texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for text in texts:
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines


def _check_order(source: Path, rows: NDArray[np.int64], keys: NDArray[np.uint64]) -> None:
    """Raises BadTable unless keys ascend exactly as rows do."""
    order = np.lexsort((keys, rows))
    row_steps, key_steps = np.diff(rows[order]), keys[order][1:] > keys[order][:-1]
    wrong = np.flatnonzero((row_steps > 0) != key_steps)
    if len(wrong):
        records = np.unique(np.concatenate([order[wrong], order[wrong + 1]])).tolist()
        problem = "the key of a record does not fit its architecture: it has another place in the official order"
        raise BadTable(source, f"{problem}, or is the key of two architectures", records)


def _numbered(
    source: Path, name: str, rows: NDArray[np.int64], values: NDArray[Any], size: int, most: int
) -> list[NDArray[Any]]:
    """One column a repeat: the k-th finite value of each row."""
    told = np.flatnonzero(np.isfinite(values))
    order = told[np.argsort(rows[told], kind="stable")]
    sorted_rows = rows[order]
    first = np.searchsorted(sorted_rows, sorted_rows)
    repeat = np.arange(len(order)) - first
    if (repeat >= most).any():
        raise BadTable(
            source, f"more than {most} repeats of {name.split('#')[0]}", np.sort(order[repeat >= most]).tolist()
        )
    columns: list[NDArray[Any]] = []
    for k in range(int(repeat.max(initial=-1)) + 1):
        column = np.full(size, np.nan, values.dtype)
        column[sorted_rows[repeat == k]] = values[order[repeat == k]]
        columns.append(column)
    return columns


def _scattered(source: Path, name: str, rows: NDArray[np.int64], values: NDArray[Any], size: int) -> NDArray[Any]:
    """One column; a row that is told twice must be told the same."""
    told = np.flatnonzero(~np.isnan(values))
    column = np.full(size, np.nan, values.dtype)
    column[rows[told]] = values[told]
    different = told[column[rows[told]] != values[told]]
    if len(different):
        raise BadTable(source, f"two different values of {name} for one architecture", different.tolist())
    return column
