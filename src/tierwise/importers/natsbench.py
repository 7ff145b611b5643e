"""NATS-Bench, topology and size: the official folders of pickles (one for each architecture) and single files.

A folder is read file by file and goes on where it stopped. A single file is one pickle, read from its beginning to its
end; curves are shortened while it is read, so that memory stays at a small part of what the file holds.

Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size" (2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tierwise.errors import BadTable
from tierwise.importers.convert import Part, Progress
from tierwise.importers.decompress import pieces
from tierwise.importers.trained_runs import part_of, record_of, shorten
from tierwise.importers.unpickle import load

ENDINGS = (".pickle.pbz2", ".pickle")
MOST_ONE = 16 << 20  # bytes of the pickle of one architecture; the largest published has 0.4 million
MOST_ALL = 16 << 30  # bytes of a pickle of all architectures
BLOCK = 256  # architectures in a part
LICENCE = "MIT"


@dataclass(frozen=True)
class NATSBench:
    """The reader of one of the two spaces. first: the architecture with number 0. size: how many there are.

    complete: refuse a folder in which architectures are missing.
    """

    name: str
    space: str
    first: str
    size: int
    complete: bool = True
    licence: str = LICENCE
    official: tuple[str, ...] = ()  # the authors publish the first digits of an MD5 sum in the names, no more

    @property
    def about(self) -> str:
        return f"{self.name}: a folder with meta.pickle.pbz2 and one pickle for each architecture, or a single pickle"

    def recognise(self, path: Path, head: bytes) -> bool:
        try:
            meta = _existing(path, "meta") if path.is_dir() else path
            if meta is None or (not path.is_dir() and head[:3] != b"BZh" and head[:1] != b"\x80"):
                return False
            start = next(pieces(meta, MOST_ALL), b"")[:1000]
        except (BadTable, OSError):
            return False
        return b"meta_archs" in start and self.first.encode() in start

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        source = self._folder(path, start, progress) if path.is_dir() else self._single(path, start, progress)
        records: list[tuple[int, str, dict[str, float]]] = []
        done = start
        for done, states in source:
            records.append(self._record(path, done - 1, states))
            if len(records) == BLOCK:
                yield done, part_of(records, self.space, path)
                records = []
        if records:
            yield done, part_of(records, self.space, path)

    def _folder(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Any]]:
        files = [_existing(path, f"{number:06d}", str(number)) for number in range(self.size)]
        missing = [number for number, file in enumerate(files) if file is None]
        if len(missing) == self.size or (missing and self.complete):
            raise BadTable(path, f"{len(missing):,} of {self.size:,} architectures have no file", missing)
        for number in range(start, self.size):
            file = files[number]
            if file is not None:
                yield number + 1, load(pieces(file, MOST_ONE), file, shrink=shorten)
                progress(number + 1, self.size)

    def _single(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Any]]:
        total = path.stat().st_size
        progress(0, total)
        content = load(pieces(path, MOST_ALL), path, shrink=shorten)
        infos = cast(dict[Any, Any], content).get("arch2infos") if isinstance(content, dict) else None
        if not isinstance(infos, dict) or not infos or not all(type(key) is int for key in infos):
            raise BadTable(path, "no results by architecture number (arch2infos) in it")
        results = cast(dict[int, Any], infos)
        missing = sorted(set(range(self.size)) - results.keys())
        if missing and self.complete:
            raise BadTable(path, f"{len(missing):,} of {self.size:,} architectures are missing", missing)
        for number in sorted(results):
            if number >= start:
                yield number + 1, results[number]
        progress(total, total)

    def _record(self, path: Path, number: int, states: Any) -> tuple[int, str, dict[str, float]]:
        if not isinstance(states, dict) or not states:
            raise BadTable(path, "no results by epochs", [number])
        return record_of(path, number, cast(dict[Any, Any], states))


def _existing(folder: Path, *names: str) -> Path | None:
    candidates = (folder / (name + ending) for name in names for ending in ENDINGS)
    return next((file for file in candidates if file.is_file()), None)


TOPOLOGY = NATSBench(
    "nats-bench-topology",
    "nasbench201",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    15_625,
)
SIZE = NATSBench("nats-bench-size", "nats-bench-size", "8:8:8:8:8", 32_768)
IMPORTERS = (TOPOLOGY, SIZE)
