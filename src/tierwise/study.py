"""A study: one search, one file. The only class with state, and the state is the file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architecture, Architectures
from tierwise.columns import Columns
from tierwise.errors import BadSetting, TierwiseError, WrongStudy
from tierwise.history import DONE, STATES, WAITING, History, Limit, Proposal, Strategy, Trial
from tierwise.job import Evaluator, Job, Outcome, as_metrics, evaluate, job_seed
from tierwise.space import Space
from tierwise.store import Row, Store

Order = Literal["arrived", "asked"]
Reasons = dict[str, Any]
Progress = Callable[["Study"], None]


class Study:
    """A search and everything it has found, in one SQLite file.

    path: the file; None keeps the study in memory. space, strategy: objects or registered names.
    evaluator: a function of an architecture (and a Job) giving numbers by name, or a benchmark.
    maximize: the metric to maximise. limits: name -> most, or (least, most); each name is a cost known before an evaluation.
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
        self.evaluator, self.objective, self.seed = evaluator, maximize, seed
        self.limits = {name: _limit(name, value) for name, value in (limits or {}).items()}
        self._costs = {name: self._cost(name) for name in self.limits}
        self.total = 0
        self._store = Store(None if path is None else Path(path), create=True)
        self.path = self._store.path
        try:
            self._agree({**self._describe(), "notes": dict(notes or {})})
            self._columns = Columns(self.space, self._store.rows())
        except BaseException:
            self.close()
            raise

    # ---- asking and telling ------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[Trial]:
        """At most `n` new trials, written as waiting; fewer when the strategy has nothing left."""
        if n < 1:
            raise BadSetting("ask", n, "1 or more")
        columns = self._columns
        rng = np.random.default_rng([self.seed, len(columns), columns.told])
        proposals = self.strategy.ask(self.history(), n, rng)[:n]
        rows = self._new_rows(proposals)
        self._store.add(rows)
        columns.add(rows)
        return [columns.trial(row.id - 1) for row in rows]

    def tell(self, trial: Trial | int, metrics: Mapping[str, float] | float | None = None, error: str | None = None) -> None:
        """The result of a waiting trial: metrics with the objective among them, or an error. Raises BadSetting."""
        position = (trial if isinstance(trial, int) else trial.id) - 1
        if not 0 <= position < len(self._columns):
            raise BadSetting("trial", position + 1, f"1 to {len(self._columns)}")
        if self._columns.rows[position].state != "waiting":
            raise BadSetting(f"trial {position + 1}", self._columns.rows[position].state, "a waiting trial")
        numbers = {} if error is not None else as_metrics(metrics, self.objective)
        self._tell({position: Outcome(numbers, error, time.time(), time.time())})

    def _new_rows(self, proposals: Sequence[Proposal]) -> list[Row]:
        """Waiting rows of the proposals that really are new; a strategy that repeats itself is told so."""
        if not proposals:
            return []
        archs = Architectures.of([p.arch for p in proposals], self.space)
        fresh = self.history().fresh(archs)
        if not fresh.all():
            text = ", ".join(str(archs[int(k)]) for k in np.flatnonzero(~fresh)[:3])
            warnings.warn(f"strategy proposed known or infeasible architectures, dropped: {text}", stacklevel=3)
        keys = self.space.canonical(archs)
        first, seen, now = len(self._columns) + 1, self._columns.told, time.time()
        kept = [(proposals[int(k)], archs[int(k)], int(keys[k])) for k in np.flatnonzero(fresh)]
        return [
            Row(first + i, arch.gene_text, key, _plain(p.why), "waiting", 1, seen, None, {}, None, now, None, None)
            for i, (p, arch, key) in enumerate(kept)
        ]

    def _tell(self, outcomes: Mapping[int, Outcome]) -> None:
        """Results of several trials (by position) in one transaction."""
        rows: list[Row] = []
        for position, outcome in outcomes.items():
            state = "done" if outcome.error is None else "failed"
            rows.append(
                dataclasses.replace(
                    self._columns.rows[position],
                    state=state,
                    told=self._columns.told + len(rows) + 1,
                    metrics=outcome.metrics,
                    error=outcome.error,
                    started=outcome.started,
                    ended=outcome.ended,
                )
            )
        self._store.update(rows)
        self._columns.tell(rows)

    # ---- the loop ----------------------------------------------------------------------------------------

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

        executor, workers: where evaluations run. batch: how many are in flight at once (default: one a worker; 10 inline).
        seconds: budget of simulated seconds where the evaluator records them, else of real ones.
        target: stop once the objective reaches it. order: "asked" tells results in the order of asking, so that
        any number of workers gives the same sequence. Ctrl-C finishes what is running, twice stops at once.
        """
        if self.evaluator is None:
            raise BadSetting("evaluator", None, "a function of an architecture, or a benchmark; or use ask and tell")
        for name, value in (("trials", trials), ("workers", workers), ("batch", 1 if batch is None else batch)):
            if value < 1:
                raise BadSetting(name, value, "1 or more")
        if seconds is not None and not seconds > 0:
            raise BadSetting("seconds", seconds, "more than 0")
        self.total = trials
        inline = executor == "inline"
        size = batch if batch is not None else (10 if inline else workers)
        engine = registry.make("executor", executor, workers=workers) if isinstance(executor, str) else executor
        with self._store.driver_lock(), engine, _interrupt() as interrupted:
            self._requeue()
            loop = _Loop(self, engine, size, order, inline, progress)
            return loop.run(lambda: self._reasons(trials, seconds, target, interrupted))

    def _reasons(self, trials: int, seconds: float | None, target: float | None, interrupted: threading.Event) -> Reasons:
        """Why to stop now; empty while there is no reason."""
        reasons: Reasons = {}
        if interrupted.is_set():
            reasons["interrupted"] = True
        if self._columns.told >= trials:
            reasons["trials"] = self._columns.told
        if seconds is not None and self.seconds >= seconds:
            reasons["seconds"] = self.seconds
        best = self._columns.best(self.objective)
        if target is not None and best is not None and best >= target:
            reasons["target"] = best
        return reasons

    def _requeue(self) -> None:
        """What the last driver left in flight starts once more, as a new attempt."""
        left = [row for row in self._columns.rows if row.state == "waiting"]
        rows = [dataclasses.replace(row, attempt=row.attempt + 1) for row in left]
        self._store.update(rows)
        self._columns.tell(rows)

    # ---- looking -----------------------------------------------------------------------------------------

    def history(self) -> History:
        """What a strategy sees."""
        return self._columns.history(self.objective, self.seed, self.total, self.limits, self._costs)

    def trials(self) -> list[Trial]:
        """Every trial, in the order of asking."""
        return [self._columns.trial(k) for k in range(len(self._columns))]

    def best(self, k: int = 1) -> list[Trial]:
        """The `k` best finished trials, best first."""
        history = self.history()
        done = np.flatnonzero(history.state == DONE)
        return [self._columns.trial(int(i)) for i in done[np.argsort(-history.y[done], kind="stable")[:k]]]

    @property
    def finished(self) -> int:
        """How many trials have a result, good or bad."""
        return self._columns.told

    @property
    def seconds(self) -> float:
        """Seconds spent on evaluations: the recorded ones where the evaluator gives them, else the measured ones."""
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

    # ---- what the file must agree with ---------------------------------------------------------------------

    def _describe(self) -> dict[str, Any]:
        allowed = ["".join(map(str, row.astype(int))) for row in self.space.allowed]
        return {
            "space": self.space.name,
            "allowed": allowed,
            "objective": self.objective,
            "limits": {k: [None if math.isinf(x) else x for x in v] for k, v in self.limits.items()},
            "seed": self.seed,
            "strategy": repr(self.strategy),
        }

    def _agree(self, mine: dict[str, Any]) -> None:
        """A new file takes these settings; an old one must have the same."""
        stored = self._store.settings()
        if not stored:
            self._store.put_settings(mine)
            return
        mine = json.loads(json.dumps(mine))
        for key in (*self._describe(), "notes"):
            if stored.get(key) != mine[key]:
                raise WrongStudy(
                    self.path or "study in memory",
                    f"is a study with {key} {_short(stored.get(key))}, not {_short(mine[key])}; "
                    f"give the same {key} to go on, or another path for a new study",
                )

    def _cost(self, name: str) -> Callable[[Architectures], NDArray[Any]]:
        """The column behind a limit: the evaluator's own cost, or a one-column encoding."""
        known = getattr(self.evaluator, "known", None)
        if known is not None and known(name, self.space.sample(1, np.random.default_rng(0))) is not None:
            return lambda archs: known(name, archs)
        encoding = registry.make("encoding", name)

        def column(archs: Architectures) -> NDArray[Any]:
            values = np.asarray(encoding.fit(archs).transform(archs))
            if values.ndim != 2 or values.shape[1] != 1:
                raise BadSetting("limit", name, "a cost of one column, such as params or flops")
            return values[:, 0]

        return column


class _Loop:
    """Ask, submit, wait, tell, until there is a reason to stop; then finish what is running."""

    def __init__(self, study: Study, engine: Executor, size: int, order: Order, inline: bool, progress: Progress | None):
        self.study, self.engine, self.size, self.order, self.inline, self.progress = study, engine, size, order, inline, progress
        self.flying: dict[Future[Any], list[int]] = {}
        self.queue: list[int] = []  # inline only: what still has to be evaluated, one after another
        self.landed: dict[int, Outcome] = {}  # results waiting for their turn, where order is "asked"

    def run(self, reasons: Callable[[], Reasons]) -> Reasons:
        """The loop; returns the reasons for stopping."""
        study, columns = self.study, self.study._columns
        self._submit([k for k, row in enumerate(columns.rows) if row.state == "waiting"])
        fill_first = self.order == "asked"  # an interrupted sequence goes on exactly where it stopped
        while not (stop := reasons()):
            if fill_first and not self._fill() and not (self.flying or self.queue or self.landed):
                return {"exhausted": f"{type(study.strategy).__name__} has nothing new to propose"}
            fill_first = True
            self._land(one=self.order == "asked")
        while self.flying or self.landed:
            self._land(one=self.order == "asked", start=False)
        return stop

    def _fill(self) -> bool:
        """Ask for what may fly now and submit it; whether there was any."""
        columns = self.study._columns
        waiting = len(columns) - columns.told
        room = self.size - waiting if self.order == "asked" or not self.inline else (self.size if not waiting else 0)
        room = min(room, self.study.total - len(columns))
        asked = self.study.ask(room) if room > 0 else []
        self._submit([trial.id - 1 for trial in asked])
        return bool(asked)

    def _submit(self, positions: list[int]) -> None:
        many = getattr(self.study.evaluator, "many", None)
        if many is not None and self.inline and positions:
            future: Future[Any] = Future()
            future.set_result(self._many(many, positions))
            self.flying[future] = positions
        elif self.inline:
            self.queue += positions
        else:
            self._start(positions)

    def _start(self, positions: list[int]) -> None:
        for position in positions:
            trial = self.study._columns.trial(position)
            job = Job(trial.id, job_seed(self.study.seed, trial.id), self.study._columns.rows[position].attempt)
            self.flying[self.engine.submit(evaluate, self.study.evaluator, trial.arch, job, self.study.objective)] = [position]

    def _many(self, many: Callable[..., Mapping[str, NDArray[Any]]], positions: list[int]) -> list[Outcome]:
        """A whole batch in one look-up; a row without a finite objective has failed."""
        study, started = self.study, time.time()
        archs = study._columns.archs[np.array(positions)]
        seeds = [job_seed(study.seed, k + 1) for k in positions]
        table = many(archs, seeds)
        outcomes: list[Outcome] = []
        for i in range(len(positions)):
            metrics = {name: float(column[i]) for name, column in table.items()}
            finite = math.isfinite(metrics.get(study.objective, math.nan))
            error = None if finite else f"no {study.objective} for {archs[i]}"
            outcomes.append(Outcome(metrics if finite else {}, error, started, time.time()))
        return outcomes

    def _land(self, *, one: bool, start: bool = True) -> None:
        """Wait for results and tell them: all that have arrived, or the next one in the order of asking."""
        if start and self.queue and not self.flying:
            self._start([self.queue.pop(0)])
        if self.flying and not (one and self._next() in self.landed):
            done = wait(list(self.flying), timeout=1.0, return_when=FIRST_COMPLETED).done
            for future in done:
                positions = self.flying.pop(future)
                self.landed.update(zip(positions, _outcomes(future, len(positions)), strict=True))
        ready = sorted(self.landed)
        if one:
            ready = [k for k in ready if k == self._next()]
        if ready:
            self.study._tell({k: self.landed.pop(k) for k in ready})
            if self.progress is not None:
                self.progress(self.study)

    def _next(self) -> int:
        """Position of the oldest waiting trial."""
        state = self.study._columns.state
        return int(np.argmax(state == WAITING)) if (state == WAITING).any() else -1


def _outcomes(future: Future[Any], n: int) -> list[Outcome]:
    """The result of an evaluation, or what killed its worker as a failed outcome."""
    now = time.time()
    error = future.exception()
    if error is None:
        result = future.result()
        return cast(list[Outcome], result) if isinstance(result, list) else [cast(Outcome, result)]
    return [Outcome({}, f"{type(error).__name__}: {error}", now, now)] * n


@contextlib.contextmanager
def _interrupt() -> Iterator[threading.Event]:
    """The first Ctrl-C asks the loop to finish, the second stops at once. Only the main thread hears signals."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _limit(name: str, value: float | Sequence[float]) -> Limit:
    least, most = (-math.inf, float(value)) if isinstance(value, int | float) else (float(value[0]), float(value[1]))
    if not least <= most:
        raise BadSetting(f"limit {name}", value, "a number (at most), or (least, most)")
    return least, most


def _plain(why: Mapping[str, Any]) -> dict[str, Any]:
    """Reasons as JSON: numpy numbers become plain ones."""
    return json.loads(json.dumps(dict(why), default=lambda x: x.item() if isinstance(x, np.generic) else str(x)))


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."


def open_study(path: str | Path) -> tuple[dict[str, Any], list[Row]]:
    """Settings and rows of an existing study, to look at. Raises StudyError."""
    store = Store(Path(path), create=False)
    try:
        settings = store.settings()
        if "space" not in settings:
            raise TierwiseError(f"{path}: the study was never begun; run it again")
        return settings, store.rows()
    finally:
        store.close()
