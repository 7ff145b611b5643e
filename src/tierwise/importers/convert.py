"""Makes a published benchmark file into a Parquet table in the user's data folder, once: ``tierwise bench add FILE``.

How to write an importer: a module of this package with a tuple ``IMPORTERS`` of objects that follow ``Importer``, and
its name in ``MODULES`` below (they are asked in this order and imported only when asked; give up cheaply on a foreign
file: ``recognise`` sees the first 4096 bytes and may open the file). A module may have several importers, one for each
benchmark that it reads.

``parts`` yields ``(next start, Part)``. A start is any whole number that the importer can go on from: 0 is the
beginning, and what follows ``next start`` must not depend on what was yielded before it, because a conversion that was
killed goes on in another process. A part has for each of its records ``rows`` (place in ``space.index`` order) and in
``columns`` one value, named as in the table. Records may come in any order, a row may occur often, and a column may be
missing from a part. NaN: this record says nothing. Otherwise a cell that is told twice must be told the same.

* A name that ends in ``#*3`` numbers repeats: the first value of a row becomes column ``#0``, the next ``#1``, in the
  order of the file, at most three (BadTable names the records that are too many).
* Columns are float32; give float64 where float32 would round (parameter counts).
* ``order`` may have a key of each record by which the official rows are sorted: it is checked that equal rows have
  equal keys and that keys ascend with rows.

Whatever is wrong with the file, ``parts`` raises BadTable with the record numbers. ``convert`` does everything else:
checksums, shards, the journal, resuming, merging, the card, and one rename at the end, before which nothing is visible.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.errors import BadSetting, BadTable
from tierwise.importers.folder import TABLE, Card, benchmarks_folder, read_card, write_card
from tierwise.importers.shards import Shards, sync

MODULES = ("nasbench101", "nasbench201", "natsbench", "hwnasbench", "nar_json", "plain")
HEAD = 4096  # bytes that `recognise` is shown
CHECKSUM_BLOCK = 1 << 22
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
Progress = Callable[[int, int], None]  # done, total


@dataclass(frozen=True)
class Part:
    """Some records of a source. rows: (n,) places in ``space.index`` order. columns: name -> (n,) values.

    order: (n,) keys that ascend with the official rows, or None.
    """

    columns: dict[str, NDArray[Any]]
    rows: NDArray[np.int64]
    order: NDArray[np.uint64] | None = None


class Importer(Protocol):
    """A reader of one published format.

    name: what the converted benchmark is called. space: its registered space. about: one line, what file this is.
    licence: of the data. official: known sha256 checksums of the published files, () where none is known.
    """

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def official(self) -> tuple[str, ...]: ...

    def recognise(self, path: Path, head: bytes) -> bool:
        """Whether the file is of this format, by its content; never raises for a foreign file."""
        ...

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        """The records from `start` on, each part with the start of the next. Raises BadTable."""
        ...


def importers() -> Iterator[Importer]:
    """Every importer, each module imported only when it is reached. Raises MissingExtra."""
    for module in MODULES:
        yield from importlib.import_module(f"tierwise.importers.{module}").IMPORTERS


def recognise(path: Path, among: Iterable[Importer] | None = None) -> Importer:
    """The first importer that knows the file (or folder) by its content. Raises BadTable."""
    try:
        head = b"" if path.is_dir() else _head(path)
    except OSError as error:
        raise BadTable(path, f"cannot be read ({error.strerror})") from error
    known = list[str]()
    for importer in importers() if among is None else among:
        if importer.recognise(path, head):
            return importer
        known.append(importer.about)
    raise BadTable(path, f"of no known format; known are: {'; '.join(known)}")


def add(
    paths: Sequence[str | Path],
    *,
    name: str | None = None,
    folder: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    among: Sequence[Importer] | None = None,
) -> list[Card]:
    """Convert each file into a benchmark of the data folder; what was converted before is left as it is.

    name: another name than the importer's, for one file. folder: instead of the user's data folder.
    progress: told (stage, done, total) in bytes. among: these importers only.
    A conversion that was killed goes on where it stopped. Raises BadTable, BadSetting, MissingExtra.
    """
    if name is not None and (len(paths) != 1 or not NAME.fullmatch(name)):
        raise BadSetting("name", name, "letters, digits, dot, dash and underscore, and a single file to be named so")
    root = folder or benchmarks_folder()
    return [_add_one(Path(path), name, root, progress or _silent, among) for path in paths]


def _add_one(
    path: Path,
    name: str | None,
    root: Path,
    progress: Callable[[str, int, int], None],
    among: Sequence[Importer] | None,
) -> Card:
    importer = recognise(path, among)
    name = name or importer.name
    source = _source(path, importer, partial(progress, f"checking {path.name}"))
    target, work = root / name, root / f".{name}.part"
    root.mkdir(parents=True, exist_ok=True)
    with _only_one(root):
        if target.exists():
            return _already(target, source)
        card = _convert(path, importer, name, source, work, partial(progress, f"reading {path.name}"))
        work.rename(target)
        sync(root)
        return card


def _convert(path: Path, importer: Importer, name: str, source: dict[str, Any], work: Path, progress: Progress) -> Card:
    """Everything but the last rename; what cannot be converted leaves nothing behind."""
    size = registry.make("space", importer.space).size
    shards = Shards.resume(work, source)
    try:
        for following, part in importer.parts(path, shards.start, progress):
            _check_part(path, part, size)
            shards.append(part, following)
        _unchanged(path, source)
        columns = shards.merge(path, size, work / TABLE)
    except BadTable:
        shutil.rmtree(work, ignore_errors=True)
        raise
    card = Card(
        name=name,
        space=importer.space,
        source=path.name,
        bytes=source["bytes"],
        sha256=source["sha256"],
        official=source["sha256"] in importer.official if importer.official else None,
        licence=importer.licence,
        rows=size,
        columns=tuple(columns),
        tierwise=version("tierwise"),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    shards.clear()
    write_card(work, card)
    sync(work)
    return card


def _check_part(path: Path, part: Part, size: int) -> None:
    """Raises BadTable for what would end in the wrong cell of the table."""
    lengths = {name: values.shape for name, values in part.columns.items()}
    if any(shape != part.rows.shape for shape in lengths.values()):
        raise BadTable(path, f"columns of {len(part.rows)} records have shapes {lengths}")
    outside = np.flatnonzero((part.rows < 0) | (part.rows >= size))
    if len(outside):
        raise BadTable(path, f"architectures outside the {size:,} of the space", outside.tolist())


def _already(target: Path, source: dict[str, Any]) -> Card:
    card = read_card(target)
    if card.sha256 != source["sha256"]:
        raise BadSetting(
            "name", card.name, f"a name not taken: {target} was made of {card.source}; remove it, or give another name"
        )
    return card


def _source(path: Path, importer: Importer, progress: Progress) -> dict[str, Any]:
    """What must be the same for a conversion to go on: the file and the program that reads it."""
    files = _files(path)
    stats = [file.stat() for file in files]
    total, digest, done = sum(stat.st_size for stat in stats), hashlib.sha256(), 0
    for file in files:
        if path.is_dir():  # of a folder: the names and contents of all its files
            digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(CHECKSUM_BLOCK):
                digest.update(block)
                done += len(block)
                progress(done, total)
    return {
        "importer": importer.name,
        "tierwise": version("tierwise"),
        "bytes": total,
        "changed": max((stat.st_mtime_ns for stat in stats), default=0),
        "sha256": digest.hexdigest(),
    }


def _unchanged(path: Path, source: dict[str, Any]) -> None:
    stats = [file.stat() for file in _files(path)]
    now = sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
    if now != (source["bytes"], source["changed"]):
        raise BadTable(path, "changed while it was read; add it again")


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


@contextlib.contextmanager
def _only_one(root: Path) -> Generator[None]:
    """Two processes never convert into one folder; the lock goes with its process."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BadSetting("folder", str(root), "a folder that no other process adds a benchmark to right now") from error
    finally:
        os.close(handle)


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""
