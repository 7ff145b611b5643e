"""The trials of a study, kept up to date row by row: where they are on the map, and what their results come to."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.navigator.population import Population
from tierwise.navigator.trials import state_of
from tierwise.row import Row
from tierwise.space import Space

LATEST = 30  # results whose pace tells how many come in an hour


@dataclass(frozen=True, slots=True)
class Best:
    """The best result. gain: above the best before it, None for the first. after: results since then."""

    trial: int
    row: int
    value: float
    gain: float | None
    after: int


class Record:
    """rows: as the study has them. places: (n) of the map. done: positions of the full evaluations with a result, y:
    their results, in the order of telling. counts: trials by state.
    """

    def __init__(self, space: Space, objective: str, population: Population):
        self.space, self.objective, self.population = space, objective, population
        self.rows: Sequence[Row] = ()
        self.counts: Counter[str] = Counter()
        self._genes: list[tuple[int, ...]] = []
        self._places: list[int] = []
        self._states: list[tuple[str, float | None]] = []
        self._open: set[int] = set()
        self._done: list[int] = []
        self._y: list[float] = []
        self._of_network: dict[int, int] = {}  # canonical key -> position, of full evaluations that were not withdrawn
        self._best: Best | None = None
        self._ends: deque[float] = deque(maxlen=LATEST)
        self.told = 0

    def update(self, rows: Sequence[Row]) -> list[int]:
        """Positions of the trials that are new or have changed since the last time."""
        self.rows, known = rows, len(self._states)
        new = range(known, len(rows))
        changed = sorted(k for k in self._open if self._states[k] != _fingerprint(rows[k]))
        if new:
            archs = [Architecture.parse(f"{self.space.name}/{rows[k].genes}") for k in new]
            self._places += self.population.add(Architectures.of(archs, self.space)).tolist()
            self._genes += [arch.genes for arch in archs]
        for k in (*changed, *new):
            self._note(k, rows[k])
        changed += new
        for k in sorted(changed, key=lambda position: rows[position].told or 0):
            self._tell(k, rows[k])
        return changed

    def _note(self, k: int, row: Row) -> None:
        if k < len(self._states):
            self.counts[self._states[k][0]] -= 1
            self._states[k] = _fingerprint(row)
        else:
            self._states.append(_fingerprint(row))
        self.counts[state_of(row)] += 1
        (self._open.add if row.state == "waiting" else self._open.discard)(k)
        if row.budget:
            return
        if row.state != "withdrawn":
            self._of_network.setdefault(row.canon, k)
        elif self._of_network.get(row.canon) == k:
            del self._of_network[row.canon]

    def _tell(self, k: int, row: Row) -> None:
        if row.told is None:
            return
        self.told = max(self.told, row.told)
        if row.ended is not None:
            self._ends.append(row.ended)
        if row.state == "done" and not row.budget and self.objective in row.metrics:
            value, before = row.metrics[self.objective], self._best
            self._done.append(k)
            self._y.append(value)
            if before is None or value > before.value:
                gain = None if before is None else value - before.value
                self._best = Best(k + 1, self._places[k], value, gain, row.told)

    @property
    def best(self) -> Best | None:
        """The best full evaluation; the earlier wins a tie."""
        return None if self._best is None else replace(self._best, after=self.told - self._best.after)

    @property
    def rate(self) -> float | None:
        """Results an hour over the latest ones, by the clock; None where there are too few."""
        if len(self._ends) < 2 or max(self._ends) <= min(self._ends):
            return None
        return 3600 * (len(self._ends) - 1) / (max(self._ends) - min(self._ends))

    @property
    def places(self) -> NDArray[np.int64]:
        """(n,) row of the map of every trial."""
        return np.array(self._places, dtype=np.int64)

    @property
    def done(self) -> NDArray[np.int64]:
        """(k,) positions of the labels, in the order of telling."""
        return np.array(self._done, dtype=np.int64)

    @property
    def y(self) -> NDArray[np.float64]:
        """(k,) their results."""
        return np.array(self._y, dtype=np.float64)

    def place(self, k: int) -> int:
        """The row of one trial."""
        return self._places[k]

    def genes(self, positions: Sequence[int]) -> NDArray[np.int16]:
        """(n, choices) of some trials."""
        found = np.array([self._genes[k] for k in positions], dtype=np.int16)
        return found.reshape(len(positions), len(self.space.choices))

    def trial_of(self, canon: int) -> int | None:
        """The number of the trial that evaluates this network in full."""
        found = self._of_network.get(canon)
        return None if found is None else found + 1


def _fingerprint(row: Row) -> tuple[str, float | None]:
    """What of a row may change, as it is shown."""
    return state_of(row), row.started
