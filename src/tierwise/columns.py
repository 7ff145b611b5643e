"""The trial table in memory: growing columns, so that a history costs little, however long the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.history import DONE, STATES, WAITING, WITHDRAWN, History, Known, Limit, Trial
from tierwise.row import Row
from tierwise.space import Space


class Columns:
    """Rows and columns of the trials of one driver; `told` results so far. Raises ValueError.

    Withdrawn trials keep their row and are no part of a history.
    """

    def __init__(self, space: Space, rows: Sequence[Row], objective: str):
        self.space = space
        self.objective = objective
        self.rows: list[Row] = []
        self.whys: list[dict[str, Any]] = []
        self.told = self.withdrawn = 0
        self.seconds = 0.0
        self.full = 0  # results of full evaluations
        self.best: float | None = None  # of them
        self.best_at = 0  # which of them it was, from 1
        self._place: dict[int, int] = {}  # canonical key -> position, of full evaluations not withdrawn
        self._oldest = 0  # no position before this one is waiting
        self._genes = np.zeros((64, len(space.choices)), dtype=np.int16)
        self._state = np.zeros(64, dtype=np.uint8)
        self._canon = np.zeros(64, dtype=np.uint64)
        self._budget = np.zeros(64, dtype=np.int64)
        self._ids = np.arange(64)
        self._metrics: dict[str, NDArray[np.float64]] = {}
        self.read(rows)

    def read(self, rows: Sequence[Row]) -> list[int]:
        """Rows of the file that are new or have changed; their positions. Raises ValueError."""
        known, new = len(self), [row for row in rows if row.id > len(self)]
        told = sorted(row.told for row in rows if row.told is not None)
        if told != list(range(self.told + 1, self.told + 1 + len(told))):
            raise ValueError("results are missing from the order of telling")
        self.add(new, [Architecture.parse(f"{self.space.name}/{row.genes}") for row in new])
        # as they were told: sums come out the same to the last bit
        self.tell(sorted(rows, key=lambda row: row.told or 0))
        if rows:
            self._check(known)
        return [row.id - 1 for row in rows]

    def _check(self, known: int) -> None:
        """A file that anybody may have edited is believed where genes, keys and results fit together."""
        new = self.archs[known:]
        self.space.check(new)
        wrong = np.flatnonzero(self.space.canonical(new) != self._canon[known : len(self)])
        if len(wrong):
            raise ValueError(f"the canonical key of trial {known + wrong[0] + 1} is not that of its genes")
        y = self._metrics.get(self.objective, np.full(len(self._state), np.nan))[: len(self)]
        missing = np.flatnonzero((self.state == DONE) & ~np.isfinite(y))
        if len(missing):
            raise ValueError(f"trial {missing[0] + 1} is done without a value of {self.objective}")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def archs(self) -> Architectures:
        """(n) every trial's architecture."""
        return Architectures(self.space, self._genes[: len(self)])

    @property
    def state(self) -> NDArray[np.uint8]:
        """(n) codes of ``history.STATES``."""
        return self._state[: len(self)]

    @property
    def counted(self) -> int:
        """How many trials are, or will be, evaluated: all but the withdrawn ones."""
        return len(self) - self.withdrawn

    def waiting(self) -> list[int]:
        """Positions of the trials without a result, the oldest first."""
        return np.flatnonzero(self.state == WAITING).tolist()

    def oldest(self) -> int:
        """The position of the oldest trial without a result; the length where there is none."""
        while self._oldest < len(self) and self._state[self._oldest] != WAITING:
            self._oldest += 1
        return self._oldest

    def add(self, rows: Sequence[Row], archs: Sequence[Architecture]) -> None:
        """New rows at the end, and their architectures."""
        self._grow(len(self) + len(rows))
        for row, arch in zip(rows, archs, strict=True):
            at = len(self.rows)
            if len(arch.genes) != self._genes.shape[1]:
                raise ValueError(f"trial {row.id} has {len(arch.genes)} genes, the space {self._genes.shape[1]}")
            self._genes[at] = arch.genes
            self._canon[at] = row.canon
            self._budget[at] = row.budget
            if not row.budget:
                self._place[row.canon] = at
            self.rows.append(row)
            self.whys.append(row.why)

    def tell(self, rows: Sequence[Row]) -> None:
        """Known rows have changed."""
        for row in rows:
            at = row.id - 1
            self.rows[at] = row
            self._state[at] = STATES.index(row.state)
            if row.state == "withdrawn":
                self.withdrawn += 1
                if self._place.get(row.canon) == at:  # it may be proposed again
                    del self._place[row.canon]
            if row.told is not None:
                self.told += 1
                self.full += not row.budget
                self.seconds += row.seconds
            for name, value in row.metrics.items():
                if name not in self._metrics:
                    self._metrics[name] = np.full(len(self._state), np.nan)
                self._metrics[name][at] = value
            if row.state == "done" and not row.budget and self.objective in row.metrics:
                value = row.metrics[self.objective]
                if self.best is None or value > self.best:
                    self.best, self.best_at = value, self.full

    def _grow(self, n: int) -> None:
        """Room for `n` rows: doubled, so that adding is cheap on average."""
        if n <= len(self._state):
            return
        more = max(n, 2 * len(self._state)) - len(self._state)
        self._genes = np.concatenate([self._genes, np.zeros((more, self._genes.shape[1]), np.int16)])
        self._state = np.concatenate([self._state, np.zeros(more, np.uint8)])
        self._canon = np.concatenate([self._canon, np.zeros(more, np.uint64)])
        self._budget = np.concatenate([self._budget, np.zeros(more, np.int64)])
        self._ids = np.arange(len(self._state))
        self._metrics = {k: np.concatenate([v, np.full(more, np.nan)]) for k, v in self._metrics.items()}

    def trial(self, position: int) -> Trial:
        """One row as a value."""
        row = self.rows[position]
        arch = Architecture(self.space.name, tuple(self._genes[position].tolist()))
        return Trial(row.id, arch, row.state, row.why, row.metrics, row.error, row.budget)

    def history(self, seed: int, total: int, limits: Mapping[str, Limit], costs: Mapping[str, Any]) -> History:
        """The columns as they are now; what a later result would change is copied."""
        n = len(self)
        history = History(
            space=self.space,
            objective=self.objective,
            seed=seed,
            total=total,
            archs=self.archs,
            state=self.state.copy(),
            canon=self._canon[:n],
            budget=self._budget[:n],
            metrics={name: column[:n].copy() for name, column in self._metrics.items()},
            ids=self._ids[:n],
            whys=self.whys,
            limits=limits,
            costs=costs,
            known=Known(self._place, n),
        )
        return history.rows(history.state != WITHDRAWN) if self.withdrawn else history
