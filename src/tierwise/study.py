"""A study: one search, one file. The only class with state, and the state is the file."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, cast

import numpy as np

from tierwise import registry
from tierwise.architecture import Architecture, Architectures
from tierwise.columns import Columns
from tierwise.errors import BadArchitecture, BadSetting, NotAStudy
from tierwise.history import History, Proposal, Strategy, Trial
from tierwise.job import Evaluator, Outcome, as_metrics, check_evaluator
from tierwise.lock import driver_lock
from tierwise.loop import Goal, Loop, Order, Reasons, at_least_one, interruptible
from tierwise.row import Row, asked
from tierwise.settings import agree, as_limit, cost, describe
from tierwise.space import Space
from tierwise.store import Store

Progress = Callable[["Study"], None]
BATCH = 10  # trials that wait at once, where neither `batch` nor the number of workers says otherwise


class Study:
    """A search and everything it has found, in one SQLite file.

    path: the file; None keeps the study in memory. space, strategy: objects or registered names.
    evaluator: a function of an architecture (and a Job) giving numbers by name, or a benchmark.
    maximize: the metric to maximise. limits: name -> most, or (least, most), of a cost known beforehand.
    Run the same line again to go on after any interruption. Raises StudyError, UnknownName, BadSetting.
    """

    def __init__(
        self,
        path: str | Path | None,
        space: Space | str,
        strategy: Strategy | str = "tiers",
        evaluator: Evaluator | Callable[..., Any] | None = None,
        *,
        maximize: str = "accuracy",
        limits: Mapping[str, float | tuple[float, float]] | None = None,
        seed: int = 0,
        notes: Mapping[str, Any] | None = None,
    ):
        self.space: Space = registry.make("space", space) if isinstance(space, str) else space
        self.strategy: Strategy = registry.make("strategy", strategy) if isinstance(strategy, str) else strategy
        self.evaluator, self.objective, self.seed = evaluator, maximize, int(seed)
        if self.seed < 0:
            raise BadSetting("seed", seed, "0 or more")
        self.limits = {name: as_limit(name, value) for name, value in (limits or {}).items()}
        self._costs = {name: cost(name, self.space, evaluator) for name in self.limits}
        self.total = 0
        self._drives = self._stale = False
        self._store = Store(None if path is None else Path(path), create=True)
        self.path = self._store.path
        try:
            agree(
                self._store,
                describe(self.space, maximize, self.limits, self.seed, self.strategy, notes or {}),
            )
            self._columns = self._load()
        except BaseException:
            self.close()
            raise

    # ---- the file and the memory of it -------------------------------------------------------------------

    def _load(self) -> Columns:
        try:
            return Columns(self.space, self._store.rows(), self.objective)
        except (ValueError, OverflowError, BadArchitecture) as error:
            reason = f"is damaged, or not of this space {self.space.name} ({error}); restore a copy"
            raise NotAStudy(self.path or "study in memory", reason) from error

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
            columns = self._columns
            rng = np.random.default_rng([self.seed, len(columns), columns.told])
            history = self.history()
            archs, rows = self._new_rows(history, self.strategy.ask(history, n, rng)[:n])
            self._store.add(rows)
            columns.add(rows, archs)
            return [columns.trial(row.id - 1) for row in rows]

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

    def _new_rows(self, history: History, proposals: Sequence[Proposal]) -> tuple[list[Architecture], list[Row]]:
        """Waiting rows of the proposals that really are new; a strategy that repeats itself is told so."""
        if not proposals:
            return [], []
        archs = Architectures.of([p.arch for p in proposals], self.space)
        self.space.check(archs)
        fresh = history.fresh(archs)
        if not fresh.all():
            text = ", ".join(str(archs[int(k)]) for k in np.flatnonzero(~fresh)[:3])
            warnings.warn(f"strategy proposed known or infeasible architectures, dropped: {text}", stacklevel=4)
        keys, kept = self.space.canonical(archs).tolist(), np.flatnonzero(fresh).tolist()
        first, seen = len(self._columns) + 1, self._columns.told
        rows = [asked(first + i, archs[k], keys[k], proposals[k].why, seen) for i, k in enumerate(kept)]
        return [archs[k] for k in kept], rows

    def _tell(self, outcomes: Mapping[int, Outcome]) -> None:
        """Results of several trials (by position) in one transaction."""
        rows = [
            dataclasses.replace(
                self._columns.rows[position],
                state="done" if outcome.error is None else "failed",
                told=self._columns.told + k,
                metrics=outcome.metrics,
                error=outcome.error,
                started=outcome.started,
                ended=outcome.ended,
            )
            for k, (position, outcome) in enumerate(outcomes.items(), start=1)
        ]
        self._store.update(rows)
        self._columns.tell(rows)

    # ---- running -----------------------------------------------------------------------------------------

    def run(
        self,
        trials: int,
        *,
        executor: str | Executor = "inline",
        workers: int = 1,
        batch: int | None = None,
        seconds: float | None = None,
        target: float | None = None,
        order: Order = "arrived",
        progress: Progress | None = None,
    ) -> Reasons:
        """Search until the study has `trials` finished trials, and say why it stopped.

        executor, workers: where evaluations run. batch: how many trials wait at once (default: one a worker;
        10 inline and with order "asked"). target: stop once the objective reaches it.
        seconds: budget of simulated seconds where the evaluator records them, else of real ones.
        order: "asked" tells results in the order of asking: any number of workers, and any interruption,
        give the same sequence for the same batch.
        Ctrl-C finishes what is running, twice stops at once.
        """
        goal = Goal(trials, seconds, target)
        at_least_one(workers=workers, batch=BATCH if batch is None else batch)
        check_evaluator(self.evaluator)
        if order not in ("arrived", "asked"):
            raise BadSetting("order", order, '"arrived" or "asked"')
        mine = isinstance(executor, str)  # another executor belongs to the caller
        engine: Executor = registry.make("executor", executor, workers=workers) if mine else executor
        try:
            with self._driving(), interruptible() as interrupted:
                if stop := goal.reasons(self._columns, interrupted):
                    return stop
                self.total = trials
                loop = self._loop(engine, batch, order, progress)
                return loop.run(lambda: goal.reasons(self._columns, interrupted))
        finally:
            if mine:
                engine.shutdown(wait=False, cancel_futures=True)

    def _loop(self, engine: Executor, batch: int | None, order: Order, progress: Progress | None) -> Loop:
        """What an earlier run left in flight starts once more; then new trials."""
        slots: int = getattr(engine, "workers", 0)  # an engine that does not say gets the whole batch
        alone = getattr(engine, "here", False) or order == "asked" or not slots
        size = batch if batch is not None else (BATCH if alone else slots)

        def tell(outcomes: Mapping[int, Outcome]) -> None:
            self._tell(outcomes)
            if progress is not None:
                progress(self)

        columns, evaluator = self._columns, cast(Evaluator, self.evaluator)
        loop = Loop(columns, self.ask, tell, evaluator, self.seed, self.total, engine, size, slots or size, order)
        loop.queue = self._requeue(columns.waiting()[: self.total - columns.told])
        return loop

    def _requeue(self, positions: list[int]) -> list[int]:
        """These start once more, as a new attempt."""
        rows = [self._columns.rows[position] for position in positions]
        rows = [dataclasses.replace(row, attempt=row.attempt + 1) for row in rows]
        self._store.update(rows)
        self._columns.tell(rows)
        return positions

    # ---- looking -----------------------------------------------------------------------------------------

    def history(self) -> History:
        """What a strategy sees."""
        return self._columns.history(self.seed, self.total, self.limits, self._costs)

    def trials(self) -> list[Trial]:
        """Every trial, in the order of asking."""
        return [self._columns.trial(k) for k in range(len(self._columns))]

    def best(self, k: int = 1) -> list[Trial]:
        """The `k` best finished trials, best first."""
        return [self._columns.trial(int(position)) for position in self.history().best(k).ids]

    @property
    def finished(self) -> int:
        """How many trials have a result, good or bad."""
        return self._columns.told

    @property
    def seconds(self) -> float:
        """Seconds spent on evaluations: as recorded where the evaluator records them, else as measured."""
        return self._columns.seconds

    @property
    def notes(self) -> dict[str, Any]:
        """What the maker of the study noted, such as its benchmark."""
        return self._store.settings().get("notes", {})

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        best = self.best()
        found = f"best {self.objective} {best[0].metrics[self.objective]:.4g}" if best else "nothing found yet"
        return f"<study {self.path or 'in memory'}: {self.finished} trials of {self.space.name}, {found}>"


def open_study(path: str | Path) -> tuple[dict[str, Any], list[Row]]:
    """Settings and rows of an existing study, to look at while it may be driven. Raises StudyError."""
    store = Store(Path(path), create=False)
    try:
        settings = store.settings()
        if "space" not in settings:
            raise NotAStudy(path, "the study was never begun; run it again")
        return settings, store.rows()
    finally:
        store.close()
