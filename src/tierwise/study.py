"""A study: one search, one file. The only class with state, and the state is the file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.asking import new_rows, steered_proposals
from tierwise.columns import Columns
from tierwise.errors import BadArchitecture, BadSetting, NotAStudy, TierwiseError
from tierwise.filters import Columns as RuleColumns
from tierwise.goal import Goal, Reasons, at_least_one
from tierwise.history import History, Prior, Proposal, Strategy, Trial
from tierwise.job import Evaluator, Outcome, as_metrics, check_budget, check_evaluator
from tierwise.lock import driver_lock
from tierwise.loop import BATCH, Loop, Order, interruptible, room
from tierwise.pareto import goals_of, non_dominated
from tierwise.row import Row
from tierwise.settings import agree, as_limit, cost, describe, known_costs, stored_prior
from tierwise.space import Space
from tierwise.steering import Steer, Steering, checked
from tierwise.store import Store
from tierwise.tracking import Tracker, Trackers
from tierwise.trial_folder import read_curve

Progress = Callable[["Study"], None]


class Study:
    """A search and everything it has found, in one SQLite file.

    path: the file; None keeps the study in memory. space, strategy: objects or registered names.
    evaluator: a function of an architecture (and a Job) giving numbers by name, or a benchmark.
    maximize: the metric to maximise. limits: name -> most, or (least, most), of a cost known beforehand.
    against: costs known beforehand of which less is better; the search is then for the front, see ``front``.
    prior: labels of another task, for strategies that can learn from them; kept in the file, counted, no trials.
    Run the same line again to go on after any interruption. Raises StudyError, UnknownName, BadSetting.
    """

    def __init__(
        self,
        path: str | Path | None,
        space: Space | str,
        strategy: Strategy | str = "auto",
        evaluator: Evaluator | Callable[..., Any] | None = None,
        *,
        maximize: str = "accuracy",
        limits: Mapping[str, float | tuple[float, float]] | None = None,
        against: Sequence[str] = (),
        prior: Prior | None = None,
        seed: int = 0,
        notes: Mapping[str, Any] | None = None,
    ):
        self.space: Space = registry.make("space", space) if isinstance(space, str) else space
        self.strategy: Strategy = registry.make("strategy", strategy) if isinstance(strategy, str) else strategy
        for_space = getattr(evaluator, "for_space", None)  # it builds networks, and does not know yet of what space
        evaluator = evaluator if for_space is None else for_space(self.space)
        self.evaluator, self.objective, self.seed = evaluator, maximize, int(seed)
        if self.seed < 0:
            raise BadSetting("seed", seed, "0 or more")
        if prior is not None and not getattr(self.strategy, "learns_prior", False):
            allowed = "none with this strategy, which learns from labels of this very task alone; auto learns from both"
            raise BadSetting("prior", prior.source, allowed)
        if evaluator is not None:
            for budget in getattr(self.strategy, "budgets", ()):
                check_budget(evaluator, budget)
        self.limits = {name: as_limit(name, value) for name, value in (limits or {}).items()}
        self.against = tuple(against)
        self._costs = {name: cost(name, self.space, evaluator) for name in (*self.limits, *self.against)}
        self.total = 0
        self._drives = self._stale = False
        self._steered: tuple[list[Steer], Steering] | None = None  # what these rows come to: rules may sweep the space
        self._store = Store(None if path is None else Path(path), create=True)
        self.path = self._store.path
        try:
            settled = self.limits, self.seed, self.strategy, notes or {}, self.against, prior
            mine = describe(self.space, maximize, *settled)
            self.prior = stored_prior(agree(self._store, mine), self.space, self.path)
            self._columns = self._load()
            self.steering()  # what cannot be obeyed is said now
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
            columns, steering = self._columns, self.steering()
            rng = np.random.default_rng([self.seed, len(columns), columns.told])
            history = self._history(steering)
            held = steering.stop or steering.pause
            proposals = [] if held else steered_proposals(self.strategy, history, steering, n, rng)
            archs, rows = new_rows(history, proposals, columns.told)
            self._store.add(rows)
            columns.add(rows, archs)
            return [columns.trial(row.id - 1) for row in rows]

    def include(self, archs: Architectures, y: Any, source: str) -> int:
        """Results of this very task that are known already become finished trials; how many were new.

        archs (n), y (n,) the objective. source: where they are from, noted as the reason. Raises BadSetting.
        """
        known = Prior(archs, y, source)
        with self._driving():
            fresh = np.flatnonzero(self.history().fresh(archs))
            proposals = [Proposal(archs[int(k)], {"strategy": "known", "from": source}) for k in fresh]
            new, rows = new_rows(self.history(), proposals, self._columns.told)
            now, values = time.time(), [{self.objective: value} for value in known.y[fresh].tolist()]
            told = [
                _told(row, self._columns.told + k, Outcome(value, None, now, now))
                for k, (row, value) in enumerate(zip(rows, values, strict=True), start=1)
            ]
            self._store.add(told)  # asked and told in one transaction: after a kill, all or none are there
            self._columns.add(told, new)
            self._columns.tell(told)
            return len(told)

    # ---- steering ----------------------------------------------------------------------------------------

    def steer(self, kind: str, *, who: str = "", **what: Any) -> int:
        """Write a steering row, which the next ``ask`` obeys whoever drives the study; its number.

        kind and its fields: see ``tierwise.steering.Steering``. A row that cannot be obeyed is refused: raises
        BadSetting, UnknownName, BadArchitecture.

        >>> from tierwise import Study, make
        >>> study = Study(None, make("space", "nasbench201"), "random")
        >>> study.steer("ban", choice="cell/0-1", option="none")
        1
        >>> study.steering().space.size
        12500
        """
        fields = checked(kind, what)

        def check(rows: list[Steer]) -> None:
            steering = Steering.of(self.space, rows, self._rule_columns)
            if kind == "evaluate":
                arch = Architectures.of([steering.queue[-1][1]], self.space)
                if not self._history(steering).fresh(arch)[0]:
                    allowed = "a new one, in what is left of the space, within the limits"
                    raise BadSetting("steering evaluate: architecture", str(arch[0]), allowed)

        return self._store.steer(who, self._columns.told, kind, fields, check)

    def steering(self) -> Steering:
        """What all steering rows come to. Raises NotAStudy."""
        rows = self._store.steering()
        if self._steered is None or self._steered[0] != rows:
            try:
                self._steered = rows, Steering.of(self.space, rows, self._rule_columns)
            except TierwiseError as error:
                raise NotAStudy(self.path or "study in memory", f"its steering cannot be obeyed ({error})") from error
        return self._steered[1]

    def _rule_columns(self) -> RuleColumns:
        """What may stand in a rule; loaded when somebody writes one."""
        return {**known_costs(self.space, self.evaluator), **self._costs}

    def steers(self) -> list[Steer]:
        """Every steering row, in the order of writing."""
        return self._store.steering()

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
        patience: int | None = None,
        gain: float | None = None,
        order: Order = "arrived",
        progress: Progress | None = None,
        trackers: Sequence[Tracker | str] = (),
    ) -> Reasons:
        """Search until the study has `trials` finished trials, and say why it stopped.

        executor, workers: where evaluations run. batch: how many trials wait at once (default: one a worker;
        10 inline and with order "asked"). target: stop once the objective reaches it.
        seconds: budget of simulated seconds where the evaluator records them, else of real ones.
        patience: stop after so many full evaluations without a better one. gain: what one more evaluation costs, in
        units of the objective: stop once the strategy expects less of its next proposals (`auto` says what it expects).
        order: "asked" tells results in the order of asking: any number of workers, and any interruption,
        give the same sequence for the same batch.
        trackers: who hears of every result, such as "tensorboard", or objects with ``on_tell``.
        Ctrl-C finishes what is running, twice stops at once.
        """
        goal = Goal(trials, seconds, target, patience, gain)
        if gain is not None and not getattr(self.strategy, "tells_gain", False):
            raise BadSetting("gain", gain, "none with this strategy, which does not say what it expects; auto does")
        at_least_one(workers=workers, batch=BATCH if batch is None else batch)
        check_evaluator(self.evaluator)
        if order not in ("arrived", "asked"):
            raise BadSetting("order", order, '"arrived" or "asked"')
        mine = isinstance(executor, str)  # another executor belongs to the caller
        heard = Trackers(trackers)
        engine: Executor = registry.make("executor", executor, workers=workers) if mine else executor
        try:
            with self._driving(), interruptible() as interrupted:

                def reasons() -> Reasons:
                    stop = self.steering().stop
                    said = None if stop is None else f"by steering row {stop.id}{stop.who and f' of {stop.who}'}"
                    return goal.reasons(self._columns, interrupted, said)

                if stop := reasons():
                    return stop
                self.total = trials
                loop = self._loop(engine, batch, order, progress, heard)
                return loop.run(reasons, lambda: self.steering().pause is not None)
        finally:
            heard.close()
            if mine:
                engine.shutdown(wait=False, cancel_futures=True)

    def _loop(
        self, engine: Executor, batch: int | None, order: Order, progress: Progress | None, trackers: Trackers
    ) -> Loop:
        """What an earlier run left in flight starts once more; then new trials."""

        def tell(outcomes: Mapping[int, Outcome]) -> None:
            self._tell(outcomes)
            trackers.tell(self, [self._columns.trial(position) for position in outcomes])
            if progress is not None:
                progress(self)

        columns, evaluator = self._columns, cast(Evaluator, self.evaluator)
        size, slots = room(engine, batch, order)
        steps = self.ask, tell, self._again
        loop = Loop(columns, *steps, evaluator, self.seed, self.total, engine, size, slots, order, self._store.folder)
        loop.resume(columns.waiting()[: self.total - columns.told])
        return loop

    def _again(self, positions: Sequence[int]) -> None:
        """Waiting trials are started once more."""
        rows = [self._columns.rows[position] for position in positions]
        rows = [replace(row, attempt=row.attempt + 1) for row in rows]
        self._store.update(rows)
        self._columns.tell(rows)

    # ---- looking -----------------------------------------------------------------------------------------

    def history(self) -> History:
        """What a strategy sees."""
        return self._history(self.steering())

    def _history(self, steering: Steering) -> History:
        columns = self._columns.history(self.seed, self.total, self.limits, self._costs)
        known = columns.known.plus(np.array(sorted(steering.banned), dtype=np.uint64))
        return steering.left.within(replace(columns, known=known, against=self.against, prior=self.prior))

    def trials(self) -> list[Trial]:
        """Every trial, in the order of asking."""
        return [self._columns.trial(k) for k in range(len(self._columns))]

    def best(self, k: int = 1) -> list[Trial]:
        """The `k` best finished trials, best first."""
        return [self._columns.trial(int(position)) for position in self.history().best(k).ids]

    def front(self) -> list[Trial]:
        """The finished trials that no other one beats in the objective and in every cost of ``against``, best first."""
        done = self.history().done
        order = np.flatnonzero(non_dominated(goals_of(done, done.archs, done.y)))
        order = order[np.argsort(-done.y[order], kind="stable")]
        return [self._columns.trial(int(position)) for position in done.ids[order]]

    def curve(self, trial: Trial | int) -> list[dict[str, float]]:
        """What the evaluation of a trial reported, a dict a step; none where it reported nothing."""
        number, folder = trial.id if isinstance(trial, Trial) else int(trial), self._store.folder
        return [] if folder is None else read_curve(folder / f"trial-{number}")

    def cost(self, name: str, archs: Architectures) -> NDArray[np.float64]:
        """(n,) a cost of ``limits`` or ``against``."""
        return np.asarray(self._costs[name](archs), dtype=np.float64)

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
