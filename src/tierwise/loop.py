"""The driver of a study: ask, start, land, tell, until there is a reason to stop; then finish what runs."""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tierwise.columns import Columns
from tierwise.errors import TierwiseError, WorkerDied
from tierwise.goal import Reasons
from tierwise.job import Job, Outcome, as_metrics, check_budget, earlier_outcome, error_text, evaluate, job_seed

Order = Literal["arrived", "asked"]
ATTEMPTS = 3  # at an evaluation whose worker dies: it may have been killed, or be too large for any worker
_LOOK = 0.2  # seconds between two looks at a search, or a proposal, that waits for a person
BATCH = 10  # trials that wait at once, where neither `batch` nor the number of workers says otherwise


def room(engine: Executor, batch: int | None, order: Order) -> tuple[int, int]:
    """How many trials wait at once, and how many of them are evaluated at once."""
    slots: int = getattr(engine, "workers", 0)  # an engine that does not say gets the whole batch
    alone = getattr(engine, "here", False) or order == "asked" or not slots
    size = batch if batch is not None else (BATCH if alone else slots)
    return size, slots or size


@dataclass(frozen=True)
class Driver:
    """What a loop does to its study; `columns` follow.

    ask(n): write at most n new trials. begin(positions, most): write that these are started, as far as people let them;
    those. tell(outcomes by position): write results. again(positions): write that these are started once more.
    obey(asked): write what people have withdrawn since; the positions, None where nobody has said anything. asked:
    whether all that can be asked for by now has been. reviewed(): whether proposals wait for a person. said(): how many
    steering rows there are. batch(): how many trials people want to wait at once, None without a wish.
    """

    ask: Callable[[int], Sequence[object]]
    begin: Callable[[Sequence[int], int], list[int]]
    tell: Callable[[Mapping[int, Outcome]], None]
    again: Callable[[Sequence[int]], None]
    obey: Callable[[bool], list[int] | None]
    reviewed: Callable[[], bool]
    said: Callable[[], int]
    batch: Callable[[], int | None]


@dataclass
class Loop:
    """One run. size: how many trials wait at once. slots: how many of them are evaluated at once."""

    columns: Columns
    driver: Driver
    evaluator: Callable[..., Any]
    seed: int
    total: int
    engine: Executor
    size: int
    slots: int
    order: Order
    folder: Path | None  # of the folders of the trials
    queue: list[int] = field(default_factory=list[int])  # positions to be started
    flying: dict[Future[Any], list[int]] = field(default_factory=dict[Future[Any], list[int]])
    landed: dict[int, Outcome] = field(default_factory=dict[int, Outcome])  # told when their turn comes

    def resume(self) -> None:
        """What waits and is not known here, as what an earlier run left: tell what its workers have finished since,
        start the rest, what was started once more.
        """
        known = {*self.queue, *self.landed, *(position for positions in self.flying.values() for position in positions)}
        waiting = self.columns.waiting()[: self.total - self.columns.told]
        positions = [position for position in waiting if position not in known]
        held = self.driver.reviewed()
        self.driver.again([p for p in positions if not held or self.columns.rows[p].started is not None])
        for position in positions:
            done = earlier_outcome(self.columns.archs[position], self._job(position), self.columns.objective)
            if done is None:
                self.queue.append(position)
            else:
                self.landed[position] = done

    def run(self, reasons: Callable[[], Reasons], paused: Callable[[], bool] = lambda: False) -> Reasons:
        """The loop; returns the reasons for stopping, which are not empty. While `paused` nothing is asked for."""
        try:
            return self._run(reasons, paused)
        except BaseException:
            for future in self.flying:
                future.cancel()  # it waits in the study for the next run
            raise

    def _run(self, reasons: Callable[[], Reasons], paused: Callable[[], bool]) -> Reasons:
        self._obey(asked=False)
        self.resume()
        while not (stop := reasons()):
            self._obey(asked=False)
            self._fill()
            if self._obey(asked=True):
                continue
            if not (self.queue or self.flying or self.landed):
                if paused():
                    time.sleep(_LOOK)
                    continue
                return reasons() or {"exhausted": "the strategy has nothing new to propose"}  # somebody may say stop
            self._start()
            if not (self.flying or self._ready()):
                time.sleep(_LOOK)  # all that waits waits for a person
            self._land()
        while self.flying or self._ready():
            if self.order == "asked":
                self._fill()  # but start nothing: the sequence stays that of a run that never stopped
            self._land()
        return stop

    def _obey(self, *, asked: bool) -> bool:
        """What people have withdrawn is not started, and what waited behind it takes its place; whether they have said
        anything.
        """
        withdrawn = self.driver.obey(asked)
        if withdrawn:
            self.queue = [position for position in self.queue if position not in withdrawn]
            self.resume()
        return withdrawn is not None

    def _fill(self) -> None:
        """Ask for what may wait now.

        In order "asked" once after each result, and each word of a person, however many workers there are and however
        often it stopped. In order "arrived" whenever there is room; with one slot, a batch is evaluated to its end
        first; while proposals wait for a person, those that run do not count, so that workers always find some.
        """
        columns = self.columns
        waiting = columns.counted - columns.told
        room = (self.driver.batch() or self.size) - waiting
        if self.order == "asked":
            last = columns.rows[-1] if columns.rows else None
            if last is not None and (last.seen, last.steered) == (columns.told, self.driver.said()):
                return
        elif self.slots == 1 and waiting:
            return
        elif self.driver.reviewed():
            room += len(self.flying)
        if (room := min(room, self.total - columns.counted)) > 0:
            before = len(columns)
            self.driver.ask(room)
            self.queue += range(before, len(columns))

    def _start(self) -> None:
        """Submit what there are free slots for; all of it, where the evaluator has columns. Raises BadSetting."""
        for budget in {self.columns.rows[position].budget for position in self.queue}:
            check_budget(self.evaluator, budget)  # it would fail every row of this budget, or fool the study
        many = getattr(self.evaluator, "many", None)
        here = many is not None and getattr(self.engine, "here", False)
        free = len(self.queue) if here else min(len(self.queue), self.slots - len(self.flying))
        begun = self.driver.begin(self.queue, free) if free > 0 else []
        self.queue = [position for position in self.queue if position not in begun]
        if here and many is not None:
            for _, alike in itertools.groupby(begun, lambda position: self.columns.rows[position].budget):
                batch = list(alike)
                self.landed.update(zip(batch, self._many(many, batch), strict=True))
            return
        for position in begun:
            job, arch = self._job(position), self.columns.archs[position]
            self.flying[self.engine.submit(evaluate, self.evaluator, arch, job, self.columns.objective)] = [position]

    def _job(self, position: int) -> Job:
        row = self.columns.rows[position]
        folder = None if self.folder is None else self.folder / f"trial-{position + 1}"
        return Job(position + 1, job_seed(self.seed, position + 1), row.attempt, row.budget, folder)

    def _many(self, many: Callable[..., Mapping[str, NDArray[Any]]], positions: list[int]) -> list[Outcome]:
        """A whole batch in one look-up; where that fails, one by one, so that only the rows at fault fail."""
        archs, started = self.columns.archs[np.array(positions)], time.time()
        jobs = [self._job(position) for position in positions]
        try:
            budget = (jobs[0].budget,) if jobs[0].budget else ()
            table = many(archs, [job.seed for job in jobs], *budget)
            rows = [{name: column[i] for name, column in table.items()} for i in range(len(positions))]
        except (Exception, SystemExit):  # noqa: BLE001  a stranger's function; the single calls below keep its error
            return [
                evaluate(self.evaluator, arch, job, self.columns.objective)
                for arch, job in zip(archs, jobs, strict=True)
            ]
        return [self._outcome(row, started) for row in rows]

    def _outcome(self, row: Mapping[str, Any], started: float) -> Outcome:
        try:
            return Outcome(as_metrics(row, self.columns.objective), None, started, time.time())
        except TierwiseError as error:
            return Outcome({}, error_text(error), started, time.time())

    def _land(self) -> None:
        """Wait for results and tell them: all that have arrived, or the next one in the order of asking.

        Raises what says that the engine cannot work, after what has arrived beside it is told.
        """
        problem: BaseException | None = None
        if self.flying and not self._ready():
            patience = _LOOK if self.queue and len(self.flying) < self.slots else 1.0
            done = wait(list(self.flying), timeout=patience, return_when=FIRST_COMPLETED).done
            for future in sorted(done, key=lambda f: self.flying[f]):
                (position,) = self.flying.pop(future)
                error = future.exception()
                if isinstance(error, WorkerDied) and self.columns.rows[position].attempt < ATTEMPTS:
                    self.driver.again([position])
                    self.queue.insert(0, position)
                elif isinstance(error, TierwiseError) and not isinstance(error, WorkerDied):
                    problem = error
                else:
                    self.landed[position] = _outcome_of(future)
        if ready := self._ready():
            self.driver.tell({position: self.landed.pop(position) for position in ready})
        if problem is not None:
            raise problem

    def _ready(self) -> list[int]:
        """Positions whose results may be told now."""
        if self.order == "arrived":
            return sorted(self.landed)
        oldest = self.columns.oldest()
        return [oldest] if oldest in self.landed else []


def _outcome_of(future: Future[Any]) -> Outcome:
    """A result, or what killed the worker as a failed outcome."""
    error = future.exception()
    if error is None:
        return cast(Outcome, future.result())
    now = time.time()
    return Outcome({}, f"{type(error).__name__}: {error}", now, now)


@contextlib.contextmanager
def interruptible() -> Generator[threading.Event]:
    """The first Ctrl-C asks the loop to finish, the second stops at once. Only the main thread hears."""
    event = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield event
        return

    def on_interrupt(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
