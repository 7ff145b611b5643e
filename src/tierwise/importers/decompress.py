"""The bytes of a file that may be compressed, in pieces and never more of them than such a file can hold."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tierwise.errors import BadTable

PIECE = 1 << 20
MOST_RATIO = 100  # a pickle of numbers shrinks 4 to 40 times
RATIO_FREE = 16 << 20  # bytes below which the ratio is not asked


def pieces(path: Path, most: int) -> Iterator[bytes]:
    """The bytes of a pickle file, bzip2 or plain by its first bytes. Raises BadTable above `most` bytes or a ratio of
    100, and for a broken or cut compressed stream.
    """
    with path.open("rb") as file:
        compressed = file.read(3) == b"BZh"
        file.seek(0)
        yield from _bounded(_decompressed(file, path) if compressed else _plain(file), path, most, file)


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _decompressed(file: BinaryIO, path: Path) -> Iterator[bytes]:
    stream, pending = bz2.BZ2Decompressor(), b""
    try:
        while True:
            if stream.eof:  # parallel compressors write several streams
                pending = stream.unused_data or file.read(PIECE)
                if not pending:
                    return
                if not b"BZh".startswith(pending[:3]):
                    raise BadTable(path, "bytes that are no bzip2 follow the compressed pickle")
                stream = bz2.BZ2Decompressor()
            elif stream.needs_input and not (pending := file.read(PIECE)):
                raise BadTable(path, "the compressed file ends early; download it again")
            yield stream.decompress(pending, PIECE)
            pending = b""
    except (OSError, EOFError, ValueError) as error:
        raise BadTable(path, f"not a readable bzip2 file ({error}); download it again") from error


def _bounded(stream: Iterator[bytes], path: Path, most: int, file: BinaryIO) -> Iterator[bytes]:
    total = 0
    for piece in stream:
        total += len(piece)
        if total > most:
            raise BadTable(path, f"holds more than {most:,} bytes, the limit for a file of this kind")
        if total > RATIO_FREE and total > MOST_RATIO * file.tell():
            raise BadTable(path, f"expands more than {MOST_RATIO} times, which no table of numbers does")
        yield piece
