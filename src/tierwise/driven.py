"""A study as its driver changes it: trials are asked for, started, told, and withdrawn where a person says so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tierwise.architecture import Architectures
from tierwise.asking import new_rows, steered_proposals
from tierwise.errors import BadSetting
from tierwise.goal import at_least_one
from tierwise.history import Prior, Proposal, Trial
from tierwise.job import Outcome, as_metrics
from tierwise.lock import driver_lock
from tierwise.replay import Planned
from tierwise.row import Row
from tierwise.steered import Steered
from tierwise.withdrawing import withdrawn

MOST_RUNS = 100  # that a study remembers


class Driven(Steered):
    """What one process at a time may do: it holds the lock of the file."""

    _obeyed = -1  # how many steering rows what waits has been held against
    _planned: Sequence[Planned] = ()  # steering rows that a run writes by itself

    @contextlib.contextmanager
    def _driving(self) -> Generator[None]:
        """Be the only one who writes, and know all that was written; after a failure it is read anew."""
        if self._drives:
            yield
            return
        with driver_lock(self.path):
            if self._stale or self._store.changed():
                self._columns = self._load()
            self._drives, self._stale = True, True
            try:
                yield
                self._stale = False
            finally:
                self._drives = False

    # ---- asking and telling ------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[Trial]:
        """At most `n` new trials, written as waiting; fewer when the strategy has nothing left."""
        at_least_one(ask=n)
        with self._driving():
            columns, steering = self._columns, self.steering()
            if steering.stop or steering.pause:
                return []
            rng = np.random.default_rng([self.seed, len(columns), columns.told])
            whole = self._unsteered(steering)
            return self._write(steered_proposals(self.strategy, whole, steering, n, rng))

    def _write(self, proposals: Sequence[Proposal]) -> list[Trial]:
        """Proposals become waiting trials, all or none."""
        columns, known = self._columns, (self._columns.told, self._said())
        archs, rows = new_rows(self.space, proposals, len(columns) + 1, known)
        self._store.add(rows)
        columns.add(rows, archs)
        return [columns.trial(row.id - 1) for row in rows]

    def include(self, archs: Architectures, y: Any, source: str) -> int:
        """Results of this very task that are known already become finished trials; how many were new.

        archs (n), y (n,) the objective. source: where they are from, noted as the reason. Raises BadSetting.
        """
        known = Prior(archs, y, source)
        with self._driving():
            columns, fresh = self._columns, np.flatnonzero(self.history().fresh(archs))
            proposals = [Proposal(archs[int(k)], {"strategy": "known", "from": source}) for k in fresh]
            new, rows = new_rows(self.space, proposals, len(columns) + 1, (columns.told, self._said()))
            now, values = time.time(), [{self.objective: value} for value in known.y[fresh].tolist()]
            told = [
                _told(row, columns.told + k, Outcome(value, None, now, now))
                for k, (row, value) in enumerate(zip(rows, values, strict=True), start=1)
            ]
            self._store.add(told)  # asked and told in one transaction: after a kill, all or none are there
            columns.add(told, new)
            columns.tell(told)
            return len(told)

    def tell(
        self, trial: Trial | int, metrics: Mapping[str, float] | float | None = None, error: str | None = None
    ) -> None:
        """The result of a waiting trial: metrics with the objective, or an error. Raises BadSetting."""
        with self._driving():
            position = (trial.id if isinstance(trial, Trial) else int(trial)) - 1
            if not 0 <= position < len(self._columns):
                raise BadSetting("trial", position + 1, f"a trial that was asked for: 1 to {len(self._columns)}")
            if self._columns.rows[position].state != "waiting":
                raise BadSetting(f"trial {position + 1}", self._columns.rows[position].state, "a waiting trial")
            numbers = {} if error is not None else as_metrics(metrics, self.objective)
            self._tell({position: Outcome(numbers, error, time.time(), time.time())})

    def _tell(self, outcomes: Mapping[int, Outcome]) -> None:
        """Results of several trials (by position) in one transaction."""
        rows = [
            _told(self._columns.rows[position], self._columns.told + k, outcome)
            for k, (position, outcome) in enumerate(outcomes.items(), start=1)
        ]
        self._store.update(rows)
        self._columns.tell(rows)

    # ---- between asking and telling ----------------------------------------------------------------------

    def _again(self, positions: Sequence[int]) -> None:
        """Waiting trials are started once more."""
        rows = [self._columns.rows[position] for position in positions]
        rows = [replace(row, attempt=row.attempt + 1) for row in rows]
        self._store.update(rows)
        self._columns.tell(rows)

    def _begin(self, positions: Sequence[int], most: int) -> list[int]:
        """Those of these that people let start now, at most so many, are started; none where somebody has just said
        something that has to be heard first.
        """
        soon = self._soon()
        begun = [k for k in self._in_turn(positions) if self._due(k) and (soon is None or k in soon)][:most]
        new = [self._columns.rows[position] for position in begun]
        new = [replace(row, started=time.time()) for row in new if row.started is None]
        if new and not self._store.update_unless_steered(new, self._obeyed):
            return []
        self._columns.tell(new)
        return begun

    def _in_turn(self, positions: Sequence[int]) -> list[int]:
        """Those that people have approved first, in the order of their approval."""
        approved = {trial: place for place, trial in enumerate(self.steering().approved)}
        return sorted(positions, key=lambda position: approved.get(position + 1, len(approved)))

    def _due(self, position: int) -> bool:
        """Whether a trial may start: while proposals are reviewed once it is approved, or has waited long enough."""
        steering, row = self.steering(), self._columns.rows[position]
        if steering.review is None or row.started is not None or row.id in steering.approved:
            return True
        return time.time() >= row.asked + steering.review.what["wait"]

    def _note_run(self, run: dict[str, Any]) -> None:
        """How the study is run from now on."""
        runs = self.runs
        if runs[-1:] != [run]:
            self._store.put("runs", [*runs, run][-MOST_RUNS:])

    def _reviewed(self) -> bool:
        """Whether proposals wait for a person."""
        return self.steering().review is not None

    def _wanted(self) -> int | None:
        """How many trials people want to wait at once."""
        return self.steering().batch

    def _soon(self) -> list[int] | None:
        """Of a replay what is told before something is said; None where nothing more will be."""
        later = self._planned[len(self.steers()) :]
        if not later:
            return None
        return self._in_turn(self._columns.waiting())[: max(0, later[0].results - self._columns.told)]

    def _say_planned(self, *, asked: bool) -> None:
        """Write what a replay says here. asked: whether all has been asked for that can be by now."""
        for said in self._planned[len(self.steers()) :]:
            if self._columns.told < said.results or (len(self._columns) < said.trials and not asked):
                return
            rows = [self._columns.rows[number - 1] for number in said.running]
            rows = [replace(row, started=time.time()) for row in rows if row.started is None]
            self._store.update(rows)
            self._columns.tell(rows)
            self.steer(said.kind, who=said.who, **said.what)

    def _obey(self, asked: bool) -> list[int] | None:
        """What people do not want any more is withdrawn; the positions, None where nobody has said anything since.

        asked: see ``_say_planned``.
        """
        self._say_planned(asked=asked)
        steering, said = self.steering(), self._said()
        if said == self._obeyed:
            return None
        rows = withdrawn(self._columns, steering, self._store.steering())
        self._store.update(rows)
        self._columns.tell(rows)
        self._obeyed = said
        return [row.id - 1 for row in rows]

    def _said(self) -> int:
        """How many steering rows ``steering`` has read."""
        return 0 if self._steered is None else len(self._steered[0])


def _told(row: Row, told: int, outcome: Outcome) -> Row:
    """A row with its result, the `told`-th of the study."""
    return replace(
        row,
        state="done" if outcome.error is None else "failed",
        told=told,
        metrics=outcome.metrics,
        error=outcome.error,
        started=outcome.started,
        ended=outcome.ended,
    )
