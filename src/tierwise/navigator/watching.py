"""A study as it is watched: the map, its columns, the trials, and how the search is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.navigator.columns import NO_TIER, Column, Columns, costs_of, depth, sparse
from tierwise.navigator.embedding import Embedding
from tierwise.navigator.log import LeftOver
from tierwise.navigator.meta import Meta, is_percent, space_facts, study_facts
from tierwise.navigator.population import Population
from tierwise.navigator.predictions import Predictions
from tierwise.navigator.progress import PredictorFacts, State, predictor_facts
from tierwise.navigator.record import Record
from tierwise.navigator.snapshot import Snapshot
from tierwise.navigator.trials import TrialFacts, facts_of
from tierwise.study import Study

OFTEN, SELDOM, MANY = 1.0, 5.0, 50_000  # seconds between two columns of results, of a small map and of a larger one


@dataclass(frozen=True)
class Changes:
    """What a look at the study file has found. trials: ids of new and changed ones."""

    trials: tuple[int, ...] = ()
    steering: bool = False
    columns: tuple[str, ...] = ()


class Watching:
    """What changes nothing: the map, the trials and the state, kept up to date. See `Navigator` for the settings."""

    def __init__(self, study: Study, benchmark: Any = None, *, truth: bool = False, total: int | None = None):
        self.study, self.benchmark, self.truth, self.total = study, benchmark, truth, total
        self.lock = threading.RLock()  # of the study's file and of what is remembered of it
        self.population = Population(study.space, study.seed)
        self.columns = Columns()
        self.error: str | None = None
        self._rev = -1
        self.record = Record(study.space, study.objective, self.population)
        self._log = LeftOver()
        self._snapshot: Snapshot | None = None
        self.predictions = Predictions(study)
        self._told: dict[str, Column] = {}  # each column as it was told last
        self._told_at = self._asked_at = 0.0
        self._driving = False
        self._agreed: tuple[tuple[int, ...], PredictorFacts | None] = (), None
        self._place()
        self.refresh()

    # ---- the map -----------------------------------------------------------------------------------------

    def _place(self) -> None:
        """Costs and positions of every row; once, and again when a sampled population has grown."""
        costs = costs_of(self.population.archs, self.costs())
        way = depth(self.population)
        if not hasattr(self, "_embedding"):
            self._embedding = Embedding.of(self.population.archs, costs, self.study.seed)
        x, y = self._embedding.place(self.population.columns, costs)
        self.columns.put("map_x", x, "position", label="map, across")
        self.columns.put("map_y", y, "position", label="map, up")
        for name, values in costs.items():
            self.columns.put(name, values, "cost")
        self.columns.put("depth", way, "cost")
        for name, values in (truth_of(self.benchmark, self.study, self.population.archs) if self.truth else {}).items():
            self.columns.put(name, values, "truth", unit="%" if is_percent(name, float(np.nanmax(values))) else "")
        for name in ("predicted", "sd"):
            self.columns.put(name, np.full(len(x), np.nan), "predicted")
        self.columns.put("tier", np.full(len(x), NO_TIER, dtype=np.uint8), "predicted")
        self._predicted()

    def costs(self) -> dict[str, Any]:
        """What is known of an architecture before any evaluation, by name: functions of a batch."""
        rules = dict(self.study.rule_columns())
        known = getattr(self.benchmark, "known_columns", {})
        return rules | {name: _known(self.benchmark, name) for name in known if name not in rules}

    def snapshot(self) -> Snapshot:
        """The map as it is now."""
        with self.lock:
            if self._snapshot is None:
                self._snapshot = Snapshot(
                    archs=self.population.archs,
                    genes=self.population.columns,
                    values=dict(self.columns.values),
                    described=dict(self.columns.described),
                    evaluated=self.record.places[self.done],
                    trials=self.done + 1,
                    y=self.y,
                    objective=self.study.objective,
                    costs=tuple(self.study.rule_columns()),
                    seed=self.study.seed,
                )
            return self._snapshot

    # ---- looking -----------------------------------------------------------------------------------------

    def refresh(self) -> Changes:
        """Look at the study file; what has changed since the last look. Raises StudyError."""
        with self.lock:
            self.study.refresh()
            changed = self.record.update(self.study.rows)
            columns = self._results(changed)
            steers = self.study.steers()
            steering, self._rev = len(steers) != self._rev, len(steers)
            if steering:
                self._steering, self._authors = self.study.steering(), {steer.id: steer.who for steer in steers}
            return Changes(tuple(k + 1 for k in changed), steering, columns)

    def _results(self, changed: Sequence[int]) -> tuple[str, ...]:
        """The columns that results and predictions make, and the map itself where it has grown; their names."""
        record = self.record
        if changed or "result" not in self.columns.values:
            if len(self.population) > len(self.columns.values["map_x"]):
                self._place()
            self.done, self.y = record.done, record.y
            values = sparse(len(self.population), record.places[self.done], self.y)
            self.columns.put("result", values, "result", label=self.study.objective, unit=self._unit())
        population = self.population
        if self.predictions.look(record, self.done, self.y, population.archs, population.whole):
            self._predicted()
            self._snapshot = None
        if changed:
            self._snapshot = None
        return self._untold()

    def _untold(self) -> tuple[str, ...]:
        """The columns whose values are others than those that were told last; results now and then."""
        names = [name for name, column in self.columns.described.items() if self._told.get(name) != column]
        now, pause = time.monotonic(), SELDOM if len(self.population) > MANY else OFTEN
        if "result" in names:
            if now - self._told_at < pause:
                names.remove("result")
            else:
                self._told_at = now
        self._told |= {name: self.columns.described[name] for name in names}
        return tuple(names)

    def _unit(self) -> str:
        """Of results, and of what is predicted of them."""
        best = self.record.best
        return "%" if is_percent(self.study.objective, 0.0 if best is None else best.value) else ""

    def _predicted(self) -> None:
        """New scores become columns; rows that have come since have none."""
        scores, n = self.predictions.scores, len(self.population)
        if scores is None:
            return
        for name, values, empty in (("predicted", scores.score, np.nan), ("sd", scores.std, np.nan)):
            column = np.full(n, empty)
            column[: len(values)] = values
            self.columns.put(name, column, "predicted", unit=self._unit())
        tier = np.full(n, NO_TIER, dtype=np.uint8)
        tier[: len(scores.tier)] = scores.tier
        self.columns.put("tier", tier, "predicted")

    def meta(self, version: str, command: str = "", read_only: bool = False) -> Meta:
        """What a page is told first. command: that goes on with the search."""
        with self.lock:
            table = hasattr(self.benchmark, "expected")
            study, space = study_facts(self.study, table, command), space_facts(self.study.space)
            columns = list(self.columns.described.values())
            return Meta(version, study, space, self.population.facts, columns, self.truth, read_only)

    def trials(self, ids: Sequence[int] | None = None) -> list[TrialFacts]:
        """All trials, or these."""
        with self.lock:
            rows, name, authors = self.record.rows, self.study.space.name, self._authors
            positions = range(len(self.record.rows)) if ids is None else [number - 1 for number in ids]
            return [facts_of(rows[k], self.record.place(k), name, authors) for k in positions]

    def state(self) -> State:
        """How the search is doing."""
        with self.lock:
            record, steering = self.record, self._steering
            pace, finished = record.rate, self.study.finished
            left = None if self.total is None or not pace else max(0, self.total - finished) / pace * 3600
            return State(
                driving=self._is_driven(),
                can_start=False,
                paused=steering.pause is not None,
                stopped=steering.stop is not None,
                finished=finished,
                running=record.counts["running"],
                proposed=record.counts["proposed"],
                failed=record.counts["failed"],
                total=self.total,
                best=record.best,
                rate=pace,
                seconds_left=left,
                seconds=self.study.seconds,
                predictor=self._predictor(),
                rev=self._rev,
                population=self.population.facts,
                error=self.error,
            )

    def _is_driven(self) -> bool:
        """Whether some process searches; asked once a second."""
        if time.monotonic() - self._asked_at > OFTEN:
            self._asked_at, self._driving = time.monotonic(), self.study.driving
        return self._driving

    def _predictor(self) -> PredictorFacts | None:
        """Who predicts, and how well; None before there are predictions."""
        scores, before = self.predictions.scores, self.predictions.before
        key = (len(before), len(self.done), 0 if scores is None else scores.labels)
        if scores is not None and self._agreed[0] != key:
            facts = predictor_facts(scores.name, scores.labels, before, self.done, self.y, self.study.seed)
            self._agreed = key, facts
        return self._agreed[1]

    def mark(self) -> str:
        """How far the study is: trials asked, results, steering rows."""
        with self.lock:
            return f"{len(self.record.rows)}.{self.record.told}.{self._rev}"

    def since(self, mark: str) -> Changes:
        """What is new since another navigator, or this one, gave this mark; everything where nothing can be told."""
        with self.lock:
            try:
                asked, told, rev = (int(part) for part in mark.split("."))
            except ValueError:
                asked = told = rev = -1
            trials = [r.id for r in self.record.rows if r.id > asked or r.told is None or r.told > told]
            return Changes(tuple(trials), rev != self._rev, tuple(self.columns.described))

    def close(self) -> None:
        """End what works in the background; the study stays open."""
        self.predictions.close()


def truth_of(benchmark: Any, study: Study, archs: Architectures) -> dict[str, NDArray[np.float64]]:
    """(n,) what a table knows of every row, and a search never sees; nothing where there is no table."""
    if not hasattr(benchmark, "expected"):
        return {}
    rows = benchmark.space.index(Architectures(benchmark.space, archs.genes))
    found = {f"true_{study.objective}": benchmark.expected(study.objective), **benchmark.truth}
    return {
        name: np.where(rows < 0, np.nan, np.asarray(column, dtype=np.float64)[rows])
        for name, column in found.items()
        if column is not None
    }


def _known(benchmark: Any, name: str) -> Any:
    return partial(benchmark.known, name)
