"""An evaluator that looks results up in columns, one row for each architecture of a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadTable
from tierwise.job import Job
from tierwise.space import Shape, Space


@dataclass(frozen=True)
class Table:
    """Recorded results of a whole space, in the order of ``space.index``.

    metrics: name -> (size,) column told to the search. known: name -> column known without any training (costs).
    truth: name -> column for reports only; a search never sees it. task: classes and image shape.
    """

    name: str
    space: Space
    metrics: Mapping[str, NDArray[Any]]
    known_columns: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    truth: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    classes: int = 10
    shape: Shape = (3, 32, 32)

    def __post_init__(self) -> None:
        for name, column in {**self.metrics, **self.known_columns, **self.truth}.items():
            if column.shape != (self.space.size,):
                raise BadTable(self.name, f"column {name} has shape {column.shape}, the space {self.space.size} rows")

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        """The recorded metrics of one architecture. Raises BadArchitecture for one that is not recorded."""
        row = self._rows(Architectures.of([arch], self.space))[0]
        missing = [name for name, column in self.metrics.items() if not np.isfinite(column[row])]
        if missing:
            raise BadArchitecture(str(arch), f"{self.name} has no {' and no '.join(missing)} of it for this label")
        return {name: float(column[row]) for name, column in self.metrics.items()}

    def many(self, archs: Architectures, seeds: list[int]) -> dict[str, NDArray[np.float64]]:
        """The recorded metrics of a batch, NaN where one is not recorded; `seeds` have no part in a table."""
        rows = self._rows(archs)
        return {name: np.asarray(column[rows], dtype=np.float64) for name, column in self.metrics.items()}

    def known(self, name: str, archs: Architectures) -> NDArray[np.float64] | None:
        """A cost known before any evaluation, None if there is none of this name."""
        if name in self.known_columns:
            return np.asarray(self.known_columns[name][self._rows(archs)], dtype=np.float64)
        if name in ("flops", "params"):
            totals = self.space.totals(archs, classes=self.classes, shape=self.shape)
            return totals[:, ("flops", "params").index(name)].astype(np.float64)
        return None

    def _rows(self, archs: Architectures) -> NDArray[np.int64]:
        rows = self.space.index(archs)
        if (rows < 0).any():
            raise BadArchitecture(str(archs[int(np.argmin(rows))]), f"not in the table {self.name}")
        return rows
