"""Successive halving without waiting: many cheap evaluations, and only the best of them in full.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016); Li et al.,
"A System for Massively Parallel Hyperparameter Tuning" (2020).
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.candidates import as_labels
from tierwise.errors import BadSetting
from tierwise.history import DONE, WAITING, History, Proposal, Strategy


@dataclass(frozen=True)
class Halving:
    """One of `eta` networks of each budget, the best so far, is evaluated with the next one; the last one is in full.

    Each proposal is the best that may be promoted from the most costly budget; where none may be, a new network starts
    with the cheapest. Nothing waits for a round to be complete. Where nothing new is left, what has a cheap result is
    evaluated in full, the best of the most costly budget first. A failed network goes no further.

    budgets: of cheap evaluations, such as epochs, rising; the full one follows. Text such as "4,12,36" will do.
    source: the registered strategy that proposes new networks; it sees the results of the cheapest budget as labels.

    From: Li et al. (2020), ASHA: the rule of promotion, any number of workers. Ours: the end of a finite space, and
    failures, which count as the worst. Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at
    Scale" (2018) for new ones by a model; theirs learns from the most costly budget that has results enough.
    """

    budgets: tuple[int, ...] = (12,)
    eta: int = 3
    source: str = "bananas"

    def __post_init__(self) -> None:
        budgets = _numbers(self.budgets)
        if not budgets or budgets[0] < 1 or any(a >= b for a, b in itertools.pairwise(budgets)):
            raise BadSetting("budgets", self.budgets, 'rising whole numbers of 1 or more, such as "4,12,36"')
        object.__setattr__(self, "budgets", budgets)
        if self.eta < 2:
            raise BadSetting("eta", self.eta, "2 or more: one of so many is promoted")
        if self.source == "halving":
            raise BadSetting("source", self.source, "another strategy, one that proposes full evaluations")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Promotions from the most costly budget down, then new networks, then what is left."""
        proposals: list[Proposal] = []
        for low, high in reversed([*itertools.pairwise((*self.budgets, 0))]):
            proposals += self._promoted(history, low, high)[: n - len(proposals)]
        if len(proposals) < n:
            proposals += self._new(history, n - len(proposals), rng)
        if len(proposals) < n:
            asked = [proposal.arch for proposal in proposals]
            proposals += [p for p in self._left(history) if p.arch not in asked][: n - len(proposals)]
        return proposals

    def _promoted(self, history: History, low: int, high: int) -> list[Proposal]:
        """The best of one budget, a share of 1 / eta of those finished, as far as they are not promoted yet."""
        rung = history.cheap(low)
        rung = rung.rows((rung.state != WAITING) & history.feasible(rung.archs))
        best = np.argsort(-_results(rung), kind="stable")[: len(rung) // self.eta]
        best = best[rung.state[best] == DONE]
        places = np.flatnonzero(history.fresh(rung.archs[best], high))
        return [
            _promotion(rung, int(best[k]), high, f"promoted from {low}", place=int(k) + 1, of=len(rung)) for k in places
        ]

    def _new(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """At most `n` for the cheapest budget: those of the source, then uniform ones."""
        cheapest = self.budgets[0]
        labels = as_labels(history, cheapest)
        source = cast(Strategy, registry.make("strategy", self.source))
        found = source.ask(labels, n, rng)[:n]
        if len(found) < n:
            labels = labels.with_running(Architectures.of([each.arch for each in found], history.space))
            found += [Proposal(arch, {"strategy": "random"}) for arch in labels.sample(n - len(found), rng)]
        return [Proposal(each.arch, {**each.why, "budget": cheapest}, cheapest) for each in found]

    def _left(self, history: History) -> list[Proposal]:
        """What has a cheap result and nothing that failed or still runs, for its full evaluation."""
        stopped = np.isin(history.canon, history.canon[history.state != DONE])
        rest = history.rows(np.isin(history.budget, self.budgets) & ~stopped)
        rest = rest.rows(np.lexsort((-rest.y, -rest.budget)))
        places = np.flatnonzero(history.fresh(rest.archs))
        return [_promotion(rest, int(k), 0, f"left at {rest.budget[k]}") for k in places]


def _promotion(rung: History, row: int, budget: int, step: str, **more: int) -> Proposal:
    why = {"strategy": "halving", "step": step, "result": float(rung.y[row]), **more}
    return Proposal(rung.archs[row], {**why, "budget": budget} if budget else why, budget)


def _results(rung: History) -> NDArray[np.float64]:
    """(n,) the objective; a failure is the worst."""
    return np.where(rung.state == DONE, rung.y, -np.inf)


def _numbers(given: object) -> tuple[int, ...]:
    """Budgets as the command line gives them: one number, or text with commas. Raises BadSetting."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, tuple | list) else (given,)
    try:
        return tuple(int(p) if isinstance(p, str) else operator.index(p) for p in cast(Iterable[str | int], parts))
    except (TypeError, ValueError):
        raise BadSetting("budgets", given, 'whole numbers, such as "4,12,36"') from None
