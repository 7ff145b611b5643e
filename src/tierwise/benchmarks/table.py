"""An evaluator that looks results up in columns, one row for each architecture of a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, BadTable
from tierwise.job import Job
from tierwise.space import Shape, Space
from tierwise.spaces.subset import Subset, part


@dataclass(frozen=True)
class Table:
    """Recorded results of a whole space, in the order of ``space.index``.

    metrics: name -> (size,) column told to the search, or (size, k) where each evaluation gets one of k recorded runs,
    which one by its seed. known_columns: name -> (size,) column known without any training (costs).
    truth: name -> column for reports only; a search never sees it. classes, shape: of the task, its images.
    cheaper: budget, such as epochs of a shorter training -> columns as of `metrics`, told where a cheap evaluation of
    this budget is asked for, and looked at only then.
    """

    name: str
    space: Space
    metrics: Mapping[str, NDArray[Any]]
    known_columns: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    truth: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    classes: int = 10
    shape: Shape = (3, 32, 32)
    cheaper: Mapping[int, Mapping[str, NDArray[Any]]] = field(default_factory=dict[int, Mapping[str, NDArray[Any]]])

    def __post_init__(self) -> None:
        if any(budget < 1 for budget in self.cheaper):
            raise BadSetting(f"budgets of {self.name}", list(self.cheaper), "1 or more; 0 is a full evaluation")
        for columns, most in ((self.metrics, 2), (self.known_columns, 1), (self.truth, 1)):
            self._check(columns, most)

    def _check(self, columns: Mapping[str, NDArray[Any]], most: int) -> None:
        """Raises BadTable for a column that is not one of the space, of at most so many dimensions."""
        for name, column in columns.items():
            if not 1 <= column.ndim <= most or len(column) != self.space.size:
                raise BadTable(self.name, f"column {name} has shape {column.shape}, the space {self.space.size} rows")

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        """The recorded metrics of one architecture at the job's budget.

        Raises BadArchitecture for one that is not recorded, BadSetting for a budget that is not.
        """
        found = self.many(Architectures.of([arch], self.space), [job.seed], job.budget)
        missing = [name for name, column in found.items() if not np.isfinite(column[0])]
        if missing:
            raise BadArchitecture(str(arch), f"{self.name} has no {' and no '.join(missing)} of it for this label")
        return {name: float(column[0]) for name, column in found.items()}

    @property
    def budgets(self) -> tuple[int, ...]:
        """The budgets of cheap evaluations that are recorded, the cheapest first."""
        return tuple(sorted(self.cheaper))

    def many(self, archs: Architectures, seeds: list[int], budget: int = 0) -> dict[str, NDArray[np.float64]]:
        """The recorded metrics of a batch, NaN where one is not recorded; `seeds` pick among recorded runs.

        budget: one of `budgets`, 0 for the full evaluation. Raises BadSetting, BadArchitecture.
        """
        columns, rows = self._told(budget), self._rows(archs)
        return {
            name: _run(column[rows], seeds) if column.ndim == 2 else np.asarray(column[rows], dtype=np.float64)
            for name, column in columns.items()
        }

    def _told(self, budget: int) -> Mapping[str, NDArray[Any]]:
        """The columns of one budget. Raises BadSetting, BadTable."""
        if budget == 0:
            return self.metrics
        if budget not in self.cheaper:
            raise BadSetting("budget", budget, f"one that {self.name} has: {', '.join(map(str, (0, *self.budgets)))}")
        columns = self.cheaper[budget]
        self._check(columns, 2)
        return columns

    def known(self, name: str, archs: Architectures) -> NDArray[np.float64] | None:
        """A cost known before any evaluation, None if there is none of this name."""
        if name in self.known_columns:
            return np.asarray(self.known_columns[name][self._rows(archs)], dtype=np.float64)
        if name in ("flops", "params"):
            try:
                totals = self.space.totals(archs, classes=self.classes, shape=self.shape)
            except BadSetting:
                return None  # a space need not know what its networks cost
            return totals[:, ("flops", "params").index(name)].astype(np.float64)
        return None

    def expected(self, name: str) -> NDArray[np.float64] | None:
        """(size,) a metric, mean of the recorded runs, NaN where there is none; None if there is no such metric."""
        if name not in self.metrics:
            return None
        return mean_of_runs(self.metrics[name])

    def part(self, rows: NDArray[np.int64]) -> Table:
        """The table over these rows of its space, which become a space of their own."""
        return self._cut(rows, Subset(self.space, self.space.at(rows)), self.name)

    def _cut(self, rows: NDArray[np.int64], space: Space, name: str) -> Table:
        def cut(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {key: column[rows] for key, column in columns.items()}

        return replace(
            self,
            name=name,
            space=space,
            metrics=cut(self.metrics),
            known_columns=cut(self.known_columns),
            truth=cut(self.truth),
            cheaper={budget: cut(columns) for budget, columns in self.cheaper.items()},
        )

    def within(self, smaller: Space, name: str) -> Table:
        """The table inside a smaller space, whose `name` is told behind the table's; of it only what is recorded.

        Raises BadSetting for a part of another space, or one of which nothing is recorded.
        """
        if smaller.origin != self.space.origin:
            raise BadSetting(
                "space", repr(smaller), f"a part of {self.space.origin!r}, of which {self.name} has results"
            )
        members = Architectures(self.space, smaller.enumerate().genes)
        rows = self.space.index(members)
        recorded = rows >= 0
        if not recorded.any():
            raise BadSetting("space", repr(smaller), f"a part of which {self.name} has results")
        space = smaller if recorded.all() else part(smaller, members[recorded])
        head, gap, rest = self.name.partition(" ")
        return self._cut(rows[recorded], space, f"{head}:{name}{gap}{rest}")

    def _rows(self, archs: Architectures) -> NDArray[np.int64]:
        rows = self.space.index(archs)
        if (rows < 0).any():
            raise BadArchitecture(str(archs[int(np.argmin(rows))]), f"not in the table {self.name}")
        return rows


def _run(values: NDArray[Any], seeds: list[int]) -> NDArray[np.float64]:
    """(n,) of (n, k) recorded runs one each; a run that is NaN is never picked while there is another."""
    recorded = np.isfinite(values)
    pick = np.array(seeds, dtype=np.uint64) % np.maximum(recorded.sum(1), 1).astype(np.uint64)
    column = (recorded.cumsum(1) > pick[:, None]).argmax(1)
    return values[np.arange(len(values)), column].astype(np.float64)


def mean_of_runs(column: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) a column as it is, or of (n, k) runs each row's mean over the finite ones, NaN where there is none."""
    runs = np.asarray(column).reshape(len(column), -1)
    finite = np.isfinite(runs)
    count = finite.sum(1)
    total = np.where(finite, runs, 0.0).sum(1, dtype=np.float64)
    return np.divide(total, count, out=np.full(len(runs), np.nan), where=count > 0)
