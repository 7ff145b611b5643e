"""The arrays of an NPZ file, none of which claims more than the file holds."""

from __future__ import annotations

import lzma
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from tierwise.errors import BadTable

MOST = 4 << 30  # bytes of all arrays together
MOST_RATIO = 1000  # arrays of zeros shrink that much, arrays of results 1 to 20 times
RATIO_FREE = 64 << 20


def names(path: Path) -> set[str]:
    """The names of the arrays; empty for what is no NPZ file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy") for info in archive.infolist()}
    except (OSError, zipfile.BadZipFile):
        return set()


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays by name, never pickled objects. Raises BadTable."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
            if total > MOST or (total > RATIO_FREE and total > MOST_RATIO * packed):
                raise BadTable(path, f"expands to {total:,} bytes from {packed:,}, more than a table does")
            arrays: dict[str, NDArray[Any]] = {}
            for member in members:
                with archive.open(member) as file:
                    _check_header(path, member, file)
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(".npy")] = npy.read_array(file, allow_pickle=False)
            return arrays
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise BadTable(path, f"not a readable NPZ file ({error})") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise BadTable(path, f"a broken NPZ file ({error})") from error


def _check_header(path: Path, member: zipfile.ZipInfo, file: IO[bytes]) -> None:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise BadTable(path, f"array {member.filename} has Python objects, which are not read")
    if math.prod(shape) * dtype.itemsize > member.file_size:
        raise BadTable(path, f"array {member.filename} claims shape {shape} in {member.file_size:,} bytes")
