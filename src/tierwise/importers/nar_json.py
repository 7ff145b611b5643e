"""The two "expanded" data sets of NAR: NAS-Bench-101 as one JSON list, NAS-Bench-201 as one JSON object.

Read record by record through a window over the file. The costs by vertex and edge that the files repeat are left out:
the spaces give them exactly.

Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker" (2022).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadTable
from tierwise.importers.convert import Part, Progress

WINDOW = 1 << 20
MOST_RECORD = 1 << 20  # bytes; the published records have 2 to 5 thousand
BLOCK = 4096  # records in a part
NUMBER = 1 << 48  # a start is record number * NUMBER + byte offset
Record = tuple[str, dict[str, Any]]  # key in an object, "" in a list
Columns = dict[str, NDArray[Any]]

CELLS_101 = 7
OPS_101 = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
FIELDS_101 = {
    "avg_train_accuracy": ("cifar10/train_accuracy@108#mean", 100),
    "avg_validation_accuracy": ("cifar10/validation_accuracy@108#mean", 100),
    "avg_test_accuracy": ("cifar10/test_accuracy@108#mean", 100),
    "avg_training_time": ("cifar10/training_seconds@108#mean", 1),
    "trainable_parameters": ("cifar10/params", 1),
    "flops": ("cifar10/flops", 1),
}
# (names in the files, prefix of the columns, name of the run whose costs they are)
DATASETS_201 = (
    (("cifar10",), "cifar10", "cifar10-valid"),
    (("cifar100",), "cifar100", "cifar100"),
    (("imagenet16", "imagenat16", "image16"), "imagenet16-120", "ImageNet16-120"),
)
PRECISE = ("/params", "/flops")


@dataclass(frozen=True)
class NARFile:
    """The reader of one of the two files. mark: the text that tells them apart. first: how the file begins."""

    name: str
    space: str
    about: str
    licence: str
    official: tuple[str, ...]
    first: bytes
    mark: bytes
    columns: Callable[[Path, Sequence[Record], int], tuple[Columns, NDArray[np.int64]]]

    def recognise(self, path: Path, head: bytes) -> bool:
        return head.lstrip().startswith(self.first) and self.mark in head

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        number, begin = divmod(start, NUMBER)
        total = path.stat().st_size
        block: list[Record] = []
        behind = begin
        for key, record, behind in records(path, begin, number, self.first == b"{"):
            block.append((key, record))
            if len(block) == BLOCK:
                yield self._part(path, block, number, behind)
                number, block = number + len(block), []
                progress(behind, total)
        if block:
            yield self._part(path, block, number, behind)
        progress(total, total)

    def _part(self, path: Path, block: list[Record], number: int, offset: int) -> tuple[int, Part]:
        columns, rows = self.columns(path, block, number)
        wrong = np.flatnonzero(rows < 0)
        if len(wrong):
            raise BadTable(path, f"records of no architecture of {self.space}", (wrong + number).tolist())
        return (number + len(block)) * NUMBER + offset, Part(columns, rows)


def records(path: Path, offset: int, number: int, keyed: bool) -> Iterator[tuple[str, dict[str, Any], int]]:
    """(key, record, offset behind it) of the top-level list or object from `offset` on. Raises BadTable.

    number: of the record at `offset`, for messages. Memory: a window and one record.
    """
    with path.open("rb") as file:
        window = _Window(path, file.read, number)
        file.seek(offset)
        window.offset = offset
        closing = "}" if keyed else "]"
        if not offset:
            window.expect("{" if keyed else "[")
        first = not offset
        while (token := window.peek()) != closing:
            if not first:
                window.expect(",")
            elif not token:
                break
            first = False
            key = window.value() if keyed else ""
            if keyed:
                window.expect(":")
            record = window.value()
            if type(record) is not dict or type(key) is not str:
                raise window.wrong("not an object with named fields")
            window.number += 1
            yield key, cast(dict[str, Any], record), window.offset + window.at
        window.expect(closing)
        if window.peek():
            raise window.wrong("something follows the end of the data")


class _Window:
    """Text of the file around the present place; bytes are characters here, which JSON's own signs allow."""

    def __init__(self, path: Path, read: Callable[[int], bytes], number: int):
        self.path, self.read, self.number = path, read, number
        self.text, self.at, self.offset, self.ended = "", 0, 0, False
        self.decoder = json.JSONDecoder()

    def wrong(self, problem: str) -> BadTable:
        return BadTable(self.path, f"{problem} at byte {self.offset + self.at:,}", [self.number])

    def more(self) -> None:
        piece = self.read(WINDOW)
        self.ended = not piece
        self.offset += self.at
        self.text, self.at = self.text[self.at :] + piece.decode("latin-1"), 0

    def peek(self) -> str:
        """The next sign that is no white space, "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def expect(self, sign: str) -> None:
        if self.peek() != sign:
            raise self.wrong(f"expected {sign!r}, found {self.peek() or 'the end of the file'!r}")
        self.at += 1

    def value(self) -> Any:
        """The next JSON value, as a whole in the window."""
        self.peek()
        while True:
            try:
                found, end = self.decoder.raw_decode(self.text, self.at)
            except ValueError as error:
                problem = error
            except RecursionError as error:
                raise self.wrong("values nested too deeply") from error
            else:
                if end < len(self.text) or self.ended:
                    self.at = end
                    return found
                problem = ValueError("a value that does not end")
            if self.ended:
                raise self.wrong(f"the file is cut or broken ({problem})")
            if len(self.text) - self.at > MOST_RECORD:
                raise self.wrong(f"no record within {MOST_RECORD:,} bytes ({problem})")
            self.more()


def _columns_101(path: Path, block: Sequence[Record], number: int) -> tuple[Columns, NDArray[np.int64]]:
    space = registry.make("space", "nasbench101")
    adjacency = np.zeros((len(block), CELLS_101, CELLS_101), np.uint8)
    ops = np.full((len(block), CELLS_101 - 2), -1, np.int8)
    wrong: list[int] = []
    for place, (_, record) in enumerate(block):
        if not _cell_101(record, adjacency[place], ops[place]):
            wrong.append(number + place)
    if wrong:
        raise BadTable(path, "module_adjacency or module_operations of no cell", wrong)
    rows = space.index(space.encode(adjacency, ops))
    columns = {
        column: _numbers(path, block, number, (field,), column) * scale for field, (column, scale) in FIELDS_101.items()
    }
    return columns, rows


def _cell_101(record: dict[str, Any], adjacency: NDArray[np.uint8], ops: NDArray[np.int8]) -> bool:
    """Write one cell into its frame of seven vertices; False if it is none."""
    matrix, names = record.get("module_adjacency"), record.get("module_operations")
    if not isinstance(matrix, list) or not isinstance(names, list):
        return False
    lines, vertices = cast(list[Any], matrix), cast(list[Any], names)
    n = len(vertices)
    if not 2 <= n <= CELLS_101 or len(lines) != n or vertices[0] != "input" or vertices[-1] != "output":
        return False
    if any(name not in OPS_101 for name in vertices[1:-1]):
        return False
    if any(not isinstance(line, list) or len(cast(list[Any], line)) != n for line in lines):
        return False
    if any(entry not in (0, 1) for line in lines for entry in line):
        return False
    place = [*range(n - 1), CELLS_101 - 1]
    adjacency[np.ix_(place, place)] = np.array(lines, np.uint8)
    ops[: n - 2] = [OPS_101.index(name) for name in vertices[1:-1]]
    return True


def _columns_201(path: Path, block: Sequence[Record], number: int) -> tuple[Columns, NDArray[np.int64]]:
    space = registry.make("space", "nasbench201")
    try:
        parsed = [space.parse(str(record.get("arch_str"))) for _, record in block]
    except BadArchitecture as error:
        raise BadTable(path, str(error)) from error
    rows = space.index(Architectures.of(parsed, space))
    wrong = [number + k for k, (key, _) in enumerate(block) if key != str(rows[k])]
    if wrong:
        raise BadTable(path, "architectures under another number than the benchmark's", wrong)
    columns: Columns = {}
    for names, prefix, run in DATASETS_201:
        for metric, column in (
            ("val_acc", "validation_accuracy@200#mean"),
            ("test_acc", "test_accuracy@200#mean"),
            ("latency", "latency"),
        ):
            fields = tuple(f"{name}_{metric}" for name in names)
            columns[f"{prefix}/{column}"] = _numbers(path, block, number, fields, column)
        for cost in ("params", "flops"):
            columns[f"{prefix}/{cost}"] = _numbers(path, block, number, (f"{run}_total_{cost}",), f"/{cost}")
    return columns, rows


def _numbers(path: Path, block: Sequence[Record], number: int, fields: tuple[str, ...], column: str) -> NDArray[Any]:
    """One field of all records, by whichever of its names is there. Raises BadTable."""
    values = [next((record[field] for field in fields if field in record), None) for _, record in block]
    wrong = [
        number + place
        for place, value in enumerate(values)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0
    ]
    if wrong:
        raise BadTable(path, f"{fields[0]} is no number of 0 or more", wrong)
    return np.array(values, dtype=np.float64 if column.endswith(PRECISE) else np.float32)


IMPORTERS = (
    NARFile(
        "nasbench101-nar",
        "nasbench101",
        "nasbench101-nar: NAR's JSON list of NAS-Bench-101",
        "Apache-2.0 (NAS-Bench-101); the repository of NAR: BSD-3-Clause",
        ("ff051bbe69e50490f8092dfc5d020675ed44e932d13619da0b6cc941f77b9c32",),
        b"[",
        b'"module_adjacency"',
        _columns_101,
    ),
    NARFile(
        "nasbench201-nar",
        "nasbench201",
        "nasbench201-nar: NAR's JSON object of NAS-Bench-201",
        "MIT (NAS-Bench-201); the repository of NAR: BSD-3-Clause",
        ("e462fa2dbff708a0d8e3f8c2bdcd5d843355d9db01cb62c5532331ad0b8ca7af",),
        b"{",
        b'"cell_adjacency"',
        _columns_201,
    ),
)
