"""What a strategy is tried on: histories of every kind, and a quick evaluator."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.history import DONE, FAILED, WAITING, History, Known, Proposal, Strategy
from tierwise.job import Job, evaluate, job_seed
from tierwise.space import Space

OBJECTIVE = "accuracy"
STRANGE_BUDGET = 12
Evaluate = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class StrategyCase:
    """The strategy under test, and what to try it on."""

    make: Callable[[], Strategy]
    space: Space
    evaluator: Evaluate
    trials: int

    def history(self, done: int, failed: int = 0, waiting: int = 0, cheap: int = 0) -> History:
        """Random trials, as of another strategy; fewer in a small space, so that something is left.

        cheap: so many of all are evaluations of the strategy's cheapest budget, those of the lowest ids.
        """
        if self.space.size < 20_000:
            done = min(done, len(np.unique(self.space.canonical(self.space.enumerate()))) // 3)
        nothing = Architectures(self.space, np.zeros((0, len(self.space.choices)), np.int16))
        archs = self._history_of(nothing, 0, 0).sample(done + failed + waiting, np.random.default_rng(0))
        return self._history_of(archs, done, failed, cheap)

    @functools.cached_property
    def cheapest(self) -> int:
        """The budget that the strategy begins with; where that is the full one, one that it does not know."""
        first = self.ask(self.history(0), 4)
        return min((proposal.budget for proposal in first if proposal.budget), default=STRANGE_BUDGET)

    def _history_of(self, archs: Architectures, done: int, failed: int, cheap: int = 0) -> History:
        """The first `done` have results, the next `failed` none, the others still run."""
        n = len(archs)
        budget = np.zeros(n, dtype=np.int64)
        budget[:cheap] = self.cheapest if cheap else 0
        canon = self.space.canonical(archs)
        state, y = np.full(n, WAITING, np.uint8), np.full(n, np.nan)
        state[:done], state[done : done + failed] = DONE, FAILED
        for row in range(min(done, n)):
            job = Job(row + 1, job_seed(0, row + 1), budget=int(budget[row]))
            y[row] = evaluate(self.evaluator, archs[row], job, OBJECTIVE).metrics.get(OBJECTIVE, np.nan)
        state[(state == DONE) & np.isnan(y)] = FAILED
        return History(
            space=self.space,
            objective=OBJECTIVE,
            seed=0,
            total=100,
            archs=archs,
            state=state,
            canon=canon,
            metrics={OBJECTIVE: y},
            ids=np.arange(n),
            whys=[{} for _ in range(n)],
            known=Known.of(canon[budget == 0]),
            budget=budget,
        )

    def histories(self) -> Iterator[tuple[str, History]]:
        """From nothing to much; with failures; with trials that still run."""
        yield "nothing known", self.history(0)
        yield "three results", self.history(3)
        yield "40 results", self.history(40, failed=2)
        yield "40 results and one that runs", self.history(40, failed=2, waiting=1)
        yield "40 results and 16 that run", self.history(40, failed=2, waiting=16)
        yield "nothing but 16 that run", self.history(0, waiting=16)
        yield "nothing but 4 failures", self.history(0, failed=4)
        yield "40 results, 20 of them cheap", self.history(40, failed=2, cheap=20)
        yield "nothing but 6 cheap ones that run", self.history(0, waiting=6, cheap=6)

    def ask(self, history: History, n: int, seed: int = 0) -> list[Proposal]:
        """What a new strategy proposes."""
        return self.make().ask(history, n, np.random.default_rng(seed))


def synthetic(arch: Architecture, job: Job) -> dict[str, float]:
    """Mean of the genes with a little noise of its own for every architecture; a cheap evaluation has less of both."""
    accuracy = float(np.mean(arch.genes)) + 0.1 * chance(arch)
    return {OBJECTIVE: round(0.8 * accuracy, 1) if job.budget else accuracy}


def chance(arch: Architecture) -> float:
    """A number of 0 to 1 that depends on the architecture alone."""
    return zlib.crc32(str(arch).encode()) / 2**32
