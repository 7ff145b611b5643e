"""Predictions of the whole map: worked out in a process of their own whenever the results have grown enough."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, TierwiseError
from tierwise.navigator import scoring
from tierwise.navigator.record import Record
from tierwise.navigator.scoring import Labelled, Scores
from tierwise.report.facts import LEAST_LABELS
from tierwise.script import called
from tierwise.study import Study

GROWTH = 0.2  # of the results, or ten more, whichever is more: then they are learnt anew
SAMPLE = 5_000  # rows that say how high a prediction was at its time
MOST_BACK = 640  # results that are learnt once more to tell what would have been predicted of those behind them
PATIENCE, SHORT = 20.0, 2.0  # seconds that somebody waits for an explanation, and for a score

SCORING, EXPLAINING = "scoring", "explaining"  # processes

Ints, Floats = NDArray[np.int64], NDArray[np.float64]


def next_at(labels: int) -> int:
    """How many results there have to be before they are learnt anew.

    >>> next_at(0), next_at(10), next_at(100)
    (10, 20, 120)
    """
    return labels + max(LEAST_LABELS, int(GROWTH * labels)) if labels else LEAST_LABELS


def predictor_of(study: Study) -> str:
    """The registered predictor that the strategy goes by; `auto` where it has none that can be named."""
    kind, settings = called(repr(study.strategy))
    named = settings.get("predictor")
    if named is None:
        points = registry.installed("strategy").values()
        factory: Any = next((p.load() for p in points if p.value.endswith(f":{kind}")), None)
        named = getattr(factory, "predictor", None)
    return named if isinstance(named, str) and named in registry.installed("predictor") else "auto"


@dataclass(frozen=True)
class _Fit:
    """trials: whose results it has learnt, positions in the study."""

    labelled: Labelled
    trials: frozenset[int]
    future: Future[Any]


class Predictions:
    """Scores of a population, as new as the results allow; and what was predicted before each result was known.

    before: position of a trial -> share of the map that its prediction was above. error: why there are none.
    """

    def __init__(self, study: Study):
        self.space, self.seed, self.name = study.space, study.seed, predictor_of(study)
        self.scores: Scores | None = None
        self.before: dict[int, float] = {}
        self.error = ""
        self._engines: dict[str, Executor] = {}
        self._fit: _Fit | None = None
        self._learnt: _Fit | None = None
        self._looking_back: tuple[list[int], Future[Any]] | None = None
        self._tried, self._noted, self._sorted = 0, 0, np.zeros(0)

    def look(self, record: Record, done: Ints, y: Floats, population: Architectures, whole: bool) -> bool:
        """Take what was worked out, and ask for more where the results have grown; whether there are new scores.

        record: of all trials. done, y: (k) positions and results of the labels, in the order of telling.
        population: the map, and whether it is the whole space.
        """
        new = self._take()
        self._note(record, 0 if new else self._noted)
        if self._fit is None and len(done) >= next_at(self._tried):
            self._tried = len(done)
            labelled = self._labelled(record, done, y)
            future = self._submit(SCORING, scoring.score, labelled, None if whole else population.genes)
            self._fit = _Fit(labelled, frozenset(done.tolist()), future)
        elif self._fit is None and self._looking_back is None:
            self._look_back(record, done, y, population)
        return new

    def explained(self, genes: NDArray[np.int16], whole: bool, count: int) -> scoring.Explained:
        """Why one architecture (1, choices) is scored as it is. Raises BadSetting, TimeoutError."""
        if self._learnt is None or self.scores is None:
            raise BadSetting("explanation", "no predictions", f"one after {LEAST_LABELS} results")
        scores = self.scores.score if whole else None
        lane = EXPLAINING if whole else SCORING
        return self._submit(lane, scoring.explained, self._learnt.labelled, scores, genes, count).result(PATIENCE)

    def scored(self, genes: NDArray[np.int16]) -> NDArray[np.float64]:
        """(n,) scores of architectures that are not on the map, NaN where that would take long."""
        if self._learnt is None or self._fit is not None:
            return np.full(len(genes), np.nan)
        try:
            return self._submit(SCORING, scoring.scored, self._learnt.labelled, genes).result(SHORT)
        except (TimeoutError, TierwiseError):
            return np.full(len(genes), np.nan)

    def close(self) -> None:
        """End the processes."""
        for engine in self._engines.values():
            engine.shutdown(wait=False)
        self._engines.clear()

    # ---- one look ----------------------------------------------------------------------------------------

    def _take(self) -> bool:
        """What the processes have finished; whether it is new scores."""
        if self._looking_back is not None and self._looking_back[1].done():
            (trials, future), self._looking_back = self._looking_back, None
            shares = [np.nan] * len(trials) if future.exception() else future.result()
            self.before |= {k: float(share) for k, share in zip(trials, shares, strict=True)}
        if self._fit is None or not self._fit.future.done():
            return False
        fit, self._fit = self._fit, None
        problem = fit.future.exception()
        self.error = "" if problem is None else str(problem).split("\n")[0]
        if problem is None:
            self.scores, self._learnt = fit.future.result(), fit
            self._sorted = np.sort(fit.future.result().score)
            if EXPLAINING not in self._engines:
                self._submit(EXPLAINING, scoring.ready)
        return problem is None

    def _note(self, record: Record, first: int) -> None:
        """Keep what is predicted of trials, from the first one, whose results the predictor has not seen."""
        if self.scores is None or self._learnt is None:
            return
        places = record.places
        self._noted = len(places)
        for trial in range(first, len(places)):
            if trial not in self.before and trial not in self._learnt.trials and places[trial] < len(self._sorted):
                score = self.scores.score[places[trial]]
                self.before[trial] = float(np.searchsorted(self._sorted, score)) / len(self._sorted)

    def _look_back(self, record: Record, done: Ints, y: Floats, population: Architectures) -> None:
        """What would have been predicted of results that were there before this navigator was: from those before."""
        order = done.tolist()
        first = next((k for k in range(LEAST_LABELS, len(order)) if order[k] not in self.before), None)
        if first is None or self.scores is None:
            return
        start = LEAST_LABELS
        while 2 * start <= min(first, MOST_BACK):
            start *= 2
        until = 2 * start if 2 * start <= MOST_BACK else len(order)
        later = [k for k in order[first:until] if k not in self.before][:SAMPLE]
        rows = np.random.default_rng(self.seed).permutation(len(population))[:SAMPLE]
        labelled, asked = self._labelled(record, done[:start], y[:start]), record.genes(later)
        future = self._submit(SCORING, scoring.beforehand, labelled, asked, population.genes[rows])
        self._looking_back = later, future

    def _labelled(self, record: Record, done: Ints, y: Floats) -> Labelled:
        return Labelled(self.space, record.genes(done.tolist()), y, self.name, self.seed)

    def _submit(self, lane: str, work: Callable[..., Any], *given: Any) -> Future[Any]:
        """To a process for this kind of work, started when it is first asked for; what cannot be sent has failed."""
        if lane not in self._engines:
            self._engines[lane] = registry.make("executor", "local", workers=1)
        try:
            return self._engines[lane].submit(scoring.politely, work, *given)
        except BadSetting as error:  # a space that was made in a notebook
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed
