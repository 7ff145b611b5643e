"""The records of NAS-Bench-101's tfrecord files, as arrays.

A record is a JSON list: module hash, epochs, adjacency matrix as "0110...", operations "input,...,output", and a base64
``ModelMetrics`` message; layouts as in the file ``model_metrics.proto`` and the loader of the authors' public code
(Apache-2.0). Nearly all records have one of a few byte layouts. Those are read by numpy, all records of a layout at
once; what looks otherwise is read one by one by the general parsers, which also say what is wrong with it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadTable
from tierwise.importers.nasbench101_metrics import FIGURES, Runs, layout, read_messages, read_texts
from tierwise.importers.tfrecord import Records, slices, starts_with

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
VERTICES, EDGES = 7, 21
HASH = re.compile(r"[0-9a-fA-F]{32}")


def genes(cells: NDArray[np.int64]) -> NDArray[np.int16]:
    """(n, 26) genes of the space: 21 edges by target, then source, and 5 operations, -1 where a vertex is absent."""
    edges = (cells[:, None] >> np.arange(EDGES)) & 1
    ops = ((cells[:, None] >> (EDGES + 2 * np.arange(VERTICES - 2))) & 3) - 1
    return np.concatenate([edges, ops], axis=1).astype(np.int16)


def read(path: Path, records: Records, number: int) -> Runs:
    """All records of a batch, of which `number` lie before it in the file. Raises BadTable, with record numbers."""
    n = len(records.start)
    whole = np.zeros((3, n), np.int64)
    runs = Runs(np.zeros(n, np.uint64), whole[0], whole[1], np.zeros((n, FIGURES)), whole[2])
    done = _read_regular(records, runs)
    problems: dict[int, str] = {}
    for row in np.flatnonzero(~done).tolist():
        try:
            _read_one(records.buffer[records.start[row] : records.end[row]], runs, row)
        except ValueError as error:
            problems[number + row] = str(error)
    if problems:
        first = min(problems)
        raise BadTable(path, f"record {first}: {problems[first]}", sorted(problems))
    return runs


# ---- all records of a layout at once ---------------------------------------------------------------------------------


def _read_regular(records: Records, runs: Runs) -> NDArray[np.bool_]:
    """Fills in the rows of the usual layout; (n,) which those are."""
    buffer, start, end = records.buffer, records.start, records.end
    quotes = np.flatnonzero(np.frombuffer(buffer, np.uint8) == ord('"'))
    first, after = np.searchsorted(quotes, start), np.searchsorted(quotes, end)
    done = np.zeros(len(start), np.bool_)
    rows = np.flatnonzero(after - first == 8)
    q = quotes[first[rows, None] + np.arange(8)]
    digits = q[:, 2] - q[:, 1] - 5
    usual = (q[:, 0] == start[rows] + 1) & (q[:, 1] == q[:, 0] + 33) & (q[:, 7] == end[rows] - 2)
    usual &= (q[:, 4] == q[:, 3] + 3) & (q[:, 6] == q[:, 5] + 3) & (digits >= 1) & (digits <= 3)
    rows, q, digits = rows[usual], q[usual], digits[usual]
    if not len(rows):
        return done
    separators = [slices(buffer, at, 2) for at in (q[:, 1] + 1, q[:, 2] - 2, q[:, 3] + 1, q[:, 5] + 1)]
    usual = (np.concatenate(separators, axis=1) == np.frombuffer(b", " * 4, np.uint8)).all(1)
    brackets = np.concatenate([slices(buffer, start[rows], 1), slices(buffer, end[rows] - 1, 1)], axis=1)
    usual &= (brackets == np.frombuffer(b"[]", np.uint8)).all(1)
    for column, (values, good) in (
        (runs.key, _keys(buffer, q[:, 0] + 1)),
        (runs.epochs, _numbers(buffer, q[:, 1] + 3, digits)),
        (runs.cell, _cells(buffer, q)),
    ):
        column[rows] = values
        usual &= good
    done[rows[usual]] = read_texts(buffer, q[usual, 6] + 1, q[usual, 7], runs, rows[usual])
    return done


def _keys(buffer: bytes, at: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """(n,) the first 64 bits of hashes of 32 hexadecimal digits, and where that is what they are."""
    text = slices(buffer, at, 32)
    letter = text | 0x20  # lower case
    good = np.all(((text >= 48) & (text <= 57)) | ((letter >= 97) & (letter <= 102)), axis=1)
    text[~good] = ord("0")
    return np.frombuffer(bytes.fromhex(text.tobytes().decode("ascii")), ">u8")[::2].astype(np.uint64), good


def _numbers(
    buffer: bytes, at: NDArray[np.int64], digits: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) numbers of one to three digits, and where that is what they are."""
    text = slices(buffer, at, 3).astype(np.int64) - ord("0")
    used = np.arange(3) < digits[:, None]
    good = np.all(~used | ((text >= 0) & (text <= 9)), axis=1) & ((digits == 1) | (text[:, 0] > 0))
    powers = np.where(used, 10 ** np.maximum(digits[:, None] - 1 - np.arange(3), 0), 0)
    return (text * powers).sum(1), good


def _cells(buffer: bytes, q: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) codes of cells by the places of the quotes around the adjacency and the operations, and where they are."""
    code, good = np.zeros(len(q), np.int64), np.zeros(len(q), np.bool_)
    for v in range(2, VERTICES + 1):
        rows = np.flatnonzero(q[:, 3] - q[:, 2] - 1 == v * v)
        bits = slices(buffer, q[rows, 2] + 1, v * v) - np.uint8(ord("0"))
        place = _edge_places(v)
        good[rows] = (bits <= 1).all(1) & ~bits[:, place < 0].any(1)
        code[rows] = bits[:, place >= 0].astype(np.int64) @ (1 << place[place >= 0])
    vertices = np.sqrt(q[:, 3] - q[:, 2] - 1).astype(np.int64)
    at = q[:, 4] + 1
    good &= starts_with(buffer, at, q[:, 5], b"input,")
    at = at + len(b"input,")
    for slot in range(VERTICES - 2):
        there = slot < vertices - 2
        op = np.zeros(len(q), np.int64)
        for k, name in enumerate(OPS, start=1):
            op[there & starts_with(buffer, at, q[:, 5], f"{name},".encode())] = k
        good &= ~there | (op > 0)
        code |= op << (EDGES + 2 * slot)
        at = at + np.array([0, *(len(name) + 1 for name in OPS)])[op]
    return code, good & starts_with(buffer, at, q[:, 5], b"output") & (at + len(b"output") == q[:, 5])


def _edge_places(v: int) -> NDArray[np.int64]:
    """(v * v,) the bit of each entry of an adjacency matrix, -1 where no edge may be; the output is the last vertex."""
    place = np.full((v, v), -1, np.int64)
    for target in range(1, v):
        y = VERTICES - 1 if target == v - 1 else target
        place[:target, target] = np.arange(target) + y * (y - 1) // 2
    return place.ravel()


# ---- one record ------------------------------------------------------------------------------------------------------


def _read_one(data: bytes, runs: Runs, row: int) -> None:
    """Fills in one row from a record of any layout. Raises ValueError."""
    key, epochs, adjacency, operations, metrics = _list_of_five(data)
    if not HASH.fullmatch(key):
        raise ValueError(f"{key[:50]!r} is no module hash of 32 hexadecimal digits")
    runs.key[row], runs.epochs[row] = int(key[:16], 16), epochs
    runs.cell[row] = _cell(adjacency, operations)
    try:
        message = base64.b64decode(metrics, validate=True)
    except ValueError as error:
        raise ValueError(f"its metrics are not base64 ({error})") from error
    try:
        layout(message)
    except ValueError as error:
        raise ValueError(f"its metrics are no ModelMetrics message ({error})") from error
    if not read_messages(np.frombuffer(message, np.uint8)[None], runs, np.array([row]))[0]:
        figures = runs.figures[row].tolist()
        raise ValueError(f"impossible metrics: seconds and fractions {figures}, {runs.params[row]} parameters")


def _list_of_five(data: bytes) -> tuple[str, int, str, str, str]:
    kinds = (str, int, str, str, str)
    try:
        record: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(record, list) or [type(item) for item in record] != list(kinds):
        raise ValueError("not a list of module hash, epochs, adjacency, operations and metrics")
    key, epochs, adjacency, operations, metrics = record
    if not 0 < epochs < 1000:
        raise ValueError(f"{epochs} epochs")
    return key, epochs, adjacency, operations, metrics


def _cell(adjacency: str, operations: str) -> int:
    names = operations.split(",")
    v = math.isqrt(len(adjacency))
    if v * v != len(adjacency) or not 2 <= v <= VERTICES or set(adjacency) - set("01"):
        raise ValueError(f"{adjacency[:60]!r} is no square matrix of 2 to {VERTICES} vertices")
    if len(names) != v or names[0] != "input" or names[-1] != "output" or set(names[1:-1]) - set(OPS):
        raise ValueError(f"{operations[:120]!r} are not {v} operations of input, {', '.join(OPS)}, output")
    bits, place = np.array(list(adjacency)) == "1", _edge_places(v)
    if bits[place < 0].any():
        raise ValueError("its adjacency matrix is not upper triangular")
    code = int(np.sum(1 << place[bits]))
    for slot, name in enumerate(names[1:-1]):
        code |= (OPS.index(name) + 1) << (EDGES + 2 * slot)
    return code
