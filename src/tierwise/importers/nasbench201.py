"""NAS-Bench-201: the official ``.pth`` files (``NAS-Bench-201-v1_0-e61699.pth``, ``NAS-Bench-201-v1_1-096897.pth``).

Read by ``torch.load(weights_only=True)``, to which numpy's scalar and its type are named as the only further globals;
the whole file is in memory while it is read, as torch gives it at once.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import numpy as np

from tierwise.errors import BadTable, MissingExtra
from tierwise.importers.convert import Part, Progress
from tierwise.importers.trained_runs import part_of, record_of

SPACE = "nasbench201"
SIZE = 15_625
BLOCK = 256  # architectures in a part
ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # files of torch before 1.6 begin with this number, pickled


@dataclass(frozen=True)
class NASBench201File:
    """The reader. complete: refuse a file in which architectures are missing."""

    complete: bool = True
    name: str = "nasbench201"
    space: str = SPACE
    about: str = "nasbench201: NAS-Bench-201-v1_0-e61699.pth or NAS-Bench-201-v1_1-096897.pth"
    licence: str = "MIT"
    official: tuple[str, ...] = ()  # the authors publish the last digits of another sum in the names, no more

    def recognise(self, path: Path, head: bytes) -> bool:
        named = "nas-bench-201" in path.name.lower() or b"meta_archs" in head
        return named and head.startswith((ZIP, LEGACY))

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        total = path.stat().st_size
        progress(0, total)
        infos = _results(path, _read(path))
        missing = sorted(set(range(SIZE)) - infos.keys())
        if missing and self.complete:
            raise BadTable(path, f"{len(missing):,} of {SIZE:,} architectures are missing", missing)
        numbers = sorted(number for number in infos if number >= start)
        for first in range(0, len(numbers), BLOCK):
            block = numbers[first : first + BLOCK]
            records = [_record(path, number, infos.pop(number)) for number in block]
            yield block[-1] + 1, part_of(records, SPACE, path)
            progress(total * (first + len(block)) // len(numbers), total)


def _read(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("reading NAS-Bench-201's .pth file", "torch", "torch") from error
    try:
        with torch.serialization.safe_globals(_allowed()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()
        raise BadTable(path, f"torch does not read it as plain data: {reason[0] if reason else error!r}") from error


def _allowed() -> list[Any]:
    """What else than torch's own list may be named: numpy's scalar (under both its names) and its types."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = {type(np.dtype(code)) for code in ("f8", "f4", "i8", "i4", "b1")}
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [*((scalar, name) for name in names), np.dtype, *kinds]


def _results(path: Path, content: Any) -> dict[int, Any]:
    """``arch2infos``: number of the architecture -> ``less`` (12 epochs) and ``full`` (200 epochs)."""
    infos = cast(dict[Any, Any], content).get("arch2infos") if isinstance(content, dict) else None
    if not isinstance(infos, dict) or not infos:
        raise BadTable(path, "no results by architecture number (arch2infos) in it")
    results = cast(dict[Any, Any], infos)
    if not all(type(number) is int and 0 <= number < SIZE for number in results):
        raise BadTable(path, f"results under other numbers than 0 to {SIZE - 1}")
    return results


def _record(path: Path, number: int, infos: Any) -> tuple[int, str, dict[str, float]]:
    states = {key: infos[key] for key in ("less", "full") if key in infos} if isinstance(infos, dict) else {}
    if not states:
        raise BadTable(path, 'neither "less" nor "full" results', [number])
    return record_of(path, number, states)


IMPORTERS = (NASBench201File(),)
