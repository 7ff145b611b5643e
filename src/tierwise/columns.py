"""The trial table in memory: growing columns, so that a history costs nothing to take however long the study is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, NotAStudy
from tierwise.history import STATES, History, Limit, Trial
from tierwise.space import Space
from tierwise.store import Row


class Columns:
    """Rows and columns of the trials of one driver; `told` results so far."""

    def __init__(self, space: Space, rows: Sequence[Row]):
        self.space = space
        self.rows: list[Row] = []
        self.whys: list[dict[str, Any]] = []
        self.told = 0
        self.seconds = 0.0
        self._genes = np.zeros((64, len(space.choices)), dtype=np.int16)
        self._state = np.zeros(64, dtype=np.uint8)
        self._canon = np.zeros(64, dtype=np.uint64)
        self._metrics: dict[str, NDArray[np.float64]] = {}
        try:
            self.add(rows)
        except (ValueError, BadArchitecture) as error:
            raise NotAStudy("study", f"holds genes that are not of space {space.name}: {error}") from error
        self.tell(rows)

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

    def add(self, rows: Sequence[Row]) -> None:
        """New rows at the end."""
        self._grow(len(self) + len(rows))
        for row in rows:
            at = len(self.rows)
            self._genes[at] = Architecture.parse(f"{self.space.name}/{row.genes}").genes
            self._canon[at] = row.canon
            self.rows.append(row)
            self.whys.append(row.why)

    def tell(self, rows: Sequence[Row]) -> None:
        """Known rows have changed."""
        for row in rows:
            at = row.id - 1
            self.rows[at] = row
            self._state[at] = STATES.index(row.state)
            if row.told is not None:
                self.told += 1
                self.seconds += row.metrics.get("seconds", (row.ended or 0.0) - (row.started or 0.0))
            for name, value in row.metrics.items():
                if name not in self._metrics:
                    self._metrics[name] = np.full(len(self._state), np.nan)
                self._metrics[name][at] = value

    def _grow(self, n: int) -> None:
        """Room for `n` rows: doubled, so that adding is cheap on average."""
        if n <= len(self._state):
            return
        more = max(n, 2 * len(self._state)) - len(self._state)
        self._genes = np.concatenate([self._genes, np.zeros((more, self._genes.shape[1]), np.int16)])
        self._state = np.concatenate([self._state, np.zeros(more, np.uint8)])
        self._canon = np.concatenate([self._canon, np.zeros(more, np.uint64)])
        self._metrics = {k: np.concatenate([v, np.full(more, np.nan)]) for k, v in self._metrics.items()}

    def best(self, objective: str) -> float | None:
        """The best finished value, None before the first."""
        column = self._metrics.get(objective)
        if column is None:
            return None
        best = np.nanmax(column[: len(self)], initial=-math.inf)
        return None if math.isinf(best) else float(best)

    def trial(self, position: int) -> Trial:
        """One row as a value."""
        row = self.rows[position]
        arch = Architecture(self.space.name, tuple(self._genes[position].tolist()))
        return Trial(row.id, arch, row.state, row.why, row.metrics, row.error)

    def history(
        self, objective: str, seed: int, total: int, limits: Mapping[str, Limit], costs: Mapping[str, Any]
    ) -> History:
        """Views of the columns as they are now."""
        n = len(self)
        return History(
            space=self.space,
            objective=objective,
            seed=seed,
            total=total,
            archs=self.archs,
            state=self.state,
            canon=self._canon[:n],
            metrics={name: column[:n] for name, column in self._metrics.items()},
            ids=np.arange(n),
            whys=self.whys,
            limits=limits,
            costs=costs,
        )
