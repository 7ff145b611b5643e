"""TFRecord framing, checked, and the protobuf wire format, both read directly: neither TensorFlow nor protobuf.

A record is its length (uint64, little endian), the masked CRC-32C of those 8 bytes, the data, and the masked CRC-32C
of the data. Sources: the format notes of TensorFlow's ``TFRecord`` and of protobuf's ``Encoding`` page.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadTable, MissingExtra

try:
    from google_crc32c import value as crc32c
except ImportError as missing:
    raise MissingExtra("reading a tfrecord file", "google-crc32c", "benchmarks") from missing

HEADER, FOOTER = 12, 4  # bytes before and after the data
LARGEST_RECORD = 1 << 24  # a record of the benchmark has about 500 bytes; a false length must not cost memory
BATCH = 1 << 23
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
Field = tuple[int, int, int, int]  # field number, wire type, and where its value lies in the message


@dataclass(frozen=True)
class Records:
    """Checked records in a row. buffer: bytes of the file; start, end: (n,) where the data of each lies in it.

    following: the offset in the file of the record after them.
    """

    buffer: bytes
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    following: int


def batches(path: Path, offset: int, number: int) -> Iterator[Records]:
    """The records from byte `offset` on, `number` being how many lie before it, some megabytes at a time.

    Raises BadTable, with the byte offset and the record number, for a wrong checksum or a truncated file.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        while offset < size:
            file.seek(offset)
            records = _batch(path, file, offset, number, size)
            offset, number = records.following, number + len(records.start)
            yield records


def _batch(path: Path, file: BinaryIO, offset: int, number: int, size: int) -> Records:
    """As many whole records as fit; one that is longer than a batch is read by its length."""
    buffer = file.read(BATCH)
    starts, ends, sums, walked = _walk(buffer)
    if not starts:
        length = _first_length(path, buffer, offset, number, size)
        buffer += file.read(max(0, HEADER + length + FOOTER - len(buffer)))
        starts, ends, sums, walked = _walk(buffer)
    start, end = np.array(starts, np.int64), np.array(ends, np.int64)
    _check(path, buffer, start, end, np.array(sums, np.uint32), offset, number)
    return Records(buffer, start, end, offset + walked)


def _walk(buffer: bytes) -> tuple[list[int], list[int], list[int], int]:
    """Data positions and checksums of the whole records in `buffer`, by lengths that are not yet checked."""
    starts: list[int] = []
    ends: list[int] = []
    sums: list[int] = []
    at, size, length_at = 0, len(buffer) - FOOTER, struct.Struct("<Q").unpack_from
    while at + HEADER <= size:
        start = at + HEADER
        end = start + length_at(buffer, at)[0]
        if end > size:
            break
        starts.append(start)
        ends.append(end)
        sums.append(crc32c(buffer[start:end]))
        at = end + FOOTER
    return starts, ends, sums, at


def _first_length(path: Path, buffer: bytes, offset: int, number: int, size: int) -> int:
    """The checked length of the record that begins `buffer`, when it may be read whole."""
    where = f"record {number} at byte {offset:,}"
    if len(buffer) < HEADER:
        raise BadTable(path, f"ends inside {where}: the file is truncated", [number])
    length = int.from_bytes(buffer[:8], "little")
    claimed = np.array([crc32c(buffer[:8])], np.uint32)
    if masked(claimed)[0] != int.from_bytes(buffer[8:HEADER], "little"):
        raise BadTable(path, f"the length of {where} has a wrong checksum: the file is damaged", [number])
    if length > LARGEST_RECORD:
        raise BadTable(path, f"{where} claims {length:,} bytes; at most {LARGEST_RECORD:,} are read", [number])
    if offset + HEADER + length + FOOTER > size:
        raise BadTable(path, f"ends inside {where}: the file is truncated", [number])
    return length


def _check(
    path: Path,
    buffer: bytes,
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    sums: NDArray[np.uint32],
    offset: int,
    number: int,
) -> None:
    """Raises BadTable for the first record whose length or data does not fit its checksum."""
    lengths, which = np.unique(end - start, return_inverse=True)
    of_length = np.array([crc32c(int(length).to_bytes(8, "little")) for length in lengths], np.uint32)
    bad_length = masked(of_length)[which] != _uint32(buffer, start - FOOTER)
    wrong = np.flatnonzero(bad_length | (masked(sums) != _uint32(buffer, end)))
    if len(wrong):
        first = int(wrong[0])
        what = "length" if bad_length[first] else "data"
        where = f"record {number + first} at byte {offset + int(start[first]) - HEADER:,}"
        raise BadTable(path, f"the {what} of {where} has a wrong checksum: the file is damaged", [number + first])


def masked(checksums: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """(n,) checksums as a tfrecord file stores them: rotated right by 15 bits, plus a constant."""
    return ((checksums >> np.uint32(15)) | (checksums << np.uint32(17))) + np.uint32(0xA282EAD8)


def slices(buffer: bytes, start: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """(n, width) the bytes that begin at each place."""
    if not len(start) or not width:
        return np.empty((len(start), width), np.uint8)
    # one item at each byte: numpy copies such overlapping items faster than rows of a window
    every = np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, 0, (1,))
    return every[start].view(np.uint8).reshape(len(start), width)


def starts_with(buffer: bytes, at: NDArray[np.int64], end: NDArray[np.int64], text: bytes) -> NDArray[np.bool_]:
    """(n,) whether ``buffer[at:end]`` begins with `text`."""
    inside: NDArray[np.bool_] = at + len(text) <= end
    place, same = np.where(inside, at, 0), inside.copy()
    if len(text) < 8:
        return same & (slices(buffer, place, len(text)) == np.frombuffer(text, np.uint8)).all(1)
    for first in {*range(0, len(text) - 7, 8), len(text) - 8}:  # eight bytes at a time, compared as one number
        word = np.frombuffer(text, np.uint64, 1, first)
        same &= slices(buffer, place + first, 8).view(np.uint64).ravel() == word
    return same


def _uint32(buffer: bytes, start: NDArray[np.int64]) -> NDArray[np.uint32]:
    return slices(buffer, start, 4).view("<u4").ravel()


# ---- protobuf wire format --------------------------------------------------------------------------------------------


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and the place after it. Raises ValueError."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("a number that does not end")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at


def fields(message: bytes, at: int, end: int) -> Iterator[Field]:
    """Every field in ``message[at:end]``: its number, wire type, first byte and end. Raises ValueError."""
    while at < end:
        key, at = varint(message, at)
        kind, length = key & 7, 0
        if kind == VARINT:
            _, after = varint(message, at)
        elif kind == BYTES:
            length, at = varint(message, at)
            after = at + length
        elif kind in (FIXED64, FIXED32):
            after = at + (8 if kind == FIXED64 else 4)
        else:
            raise ValueError(f"a field of wire type {kind}")
        if after > end:
            raise ValueError("a field that does not end inside its message")
        yield key >> 3, kind, at, after
        at = after
