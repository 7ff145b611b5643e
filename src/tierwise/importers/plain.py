"""A table of one's own in the data folder: CSV, Parquet or NPZ with architectures and columns of numbers.

A table need not be added to be searched (``benchmarks.own`` reads the file itself); added, it is there under a name,
and its labels are chosen as those of the published benchmarks are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tierwise import registry
from tierwise.benchmarks.columns_file import KINDS, read_architectures, read_columns
from tierwise.errors import BadTable
from tierwise.importers.convert import Part, Progress
from tierwise.importers.known_arrays import KNOWN

# the usual names of columns -> names in a converted table; any other keeps its own
NAMES = {"accuracy": "validation_accuracy", "seconds": "training_seconds"}


@dataclass(frozen=True)
class PlainTable:
    """An importer of such a table: ``convert.add([path], among=[PlainTable("mine", "nasbench201")])``.

    name: of the converted benchmark. space: the registered space. dataset: what the numbers are about.
    Architectures are given as ``columns_file.read_architectures`` says; every other column of numbers is taken, as
    ``dataset/column`` (``accuracy`` is a validation accuracy, ``seconds`` a training time), unless it has a slash and
    is a full name already, such as ``cifar10/test_accuracy@200#0``. An empty cell is not recorded.
    """

    name: str
    space: str
    dataset: str = "cifar10"
    licence: str = "unknown"
    official: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        return f"{self.name}: a table of one's own ({', '.join(KINDS)})"

    def recognise(self, path: Path, head: bytes) -> bool:
        """By the ending of the name."""
        return path.suffix.lower() in KINDS

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        """All records at once. Raises BadTable with the numbers of rows at fault."""
        if start:
            return
        read, space = read_columns(path), registry.make("space", self.space)
        archs, used = read_architectures(read, space)
        found = {name: read.numbers(name) for name in read.columns if name not in used and read.is_numeric(name)}
        if not found:
            raise BadTable(path, f"no column of numbers beside the architectures; there is: {', '.join(read.columns)}")
        progress(path.stat().st_size, path.stat().st_size)
        yield 1, Part({self._full(name): column for name, column in found.items()}, space.index(archs))

    def _full(self, name: str) -> str:
        return name if "/" in name else f"{self.dataset}/{NAMES.get(name, name)}"


IMPORTERS = KNOWN
