"""A study: one search, one file. The only class with state, and the state is the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, cast

from tierwise import registry
from tierwise.driven import Driven
from tierwise.errors import BadSetting, NotAStudy
from tierwise.goal import Goal, Reasons, at_least_one
from tierwise.job import Evaluator, Outcome, check_evaluator
from tierwise.loop import BATCH, Driver, Loop, Order, interruptible, room
from tierwise.replay import Planned
from tierwise.row import Row
from tierwise.store import Store
from tierwise.tracking import Tracker, Trackers

Progress = Callable[["Study"], None]


class Study(Driven):
    """A search and everything it has found, in one SQLite file.

    path: the file; None keeps the study in memory. space, strategy: objects or registered names.
    evaluator: a function of an architecture (and a Job) giving numbers by name, or a benchmark.
    maximize: the metric to maximise. limits: name -> most, or (least, most), of a cost known beforehand.
    against: costs known beforehand of which less is better; the search is then for the front, see ``front``.
    prior: labels of another task, for strategies that can learn from them; kept in the file, counted, no trials.
    read_only: only look at the file, which must be there.
    Run the same line again to go on after any interruption. Raises StudyError, UnknownName, BadSetting.
    """

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
        steering: Sequence[Planned] = (),
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
        steering: rows that the run writes by itself, beyond those that there are, see ``script``.
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
                self.total, self._planned = trials, steering
                loop = self._loop(engine, batch, order, progress, heard)
                found = loop.run(reasons, lambda: self.steering().pause is not None)
                self._say_planned(asked=True)
                return found
        finally:
            heard.close()
            if mine:
                engine.shutdown(wait=False, cancel_futures=True)

    def _loop(
        self, engine: Executor, batch: int | None, order: Order, progress: Progress | None, trackers: Trackers
    ) -> Loop:
        def tell(outcomes: Mapping[int, Outcome]) -> None:
            self._tell(outcomes)
            trackers.tell(self, [self._columns.trial(position) for position in outcomes])
            if progress is not None:
                progress(self)

        self._obeyed = -1
        driver = Driver(self.ask, self._begin, tell, self._again, self._obey, self._reviewed, self._said, self._wanted)
        size, slots = room(engine, batch, order)
        self._note_run({"trials": self.total, "batch": size, "order": order, "slots": slots})
        job = cast(Evaluator, self.evaluator), self.seed, self.total, engine
        return Loop(self._columns, driver, *job, size, slots, order, self._store.folder)


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
