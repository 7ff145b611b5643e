"""Regularised evolution: Real et al., "Regularized Evolution for Image Classifier Architecture Search" (2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal


@dataclass(frozen=True)
class Evolution:
    """The child of the best of `tournament` among the youngest `population` finished trials.

    population: how many of the latest results live. tournament: how many of them compete for each child.
    """

    population: int = 20
    tournament: int = 5

    def __post_init__(self) -> None:
        if self.population < 2 or not 1 <= self.tournament <= self.population:
            raise BadSetting("evolution", repr(self), "population of 2 or more, tournament of 1 to population")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until the population is full, then mutants of tournament winners."""
        begun = min(n, max(0, self.population - len(history)))
        first = history.sample(begun, rng)
        proposals = [Proposal(a, {"strategy": "random"}) for a in first]
        done = history.done
        alive = done.rows(np.arange(max(0, len(done) - self.population), len(done)))
        known = history.with_running(first)
        while len(proposals) < n:
            child, why = self._child(alive, known, rng) if len(alive) else (known.sample(1, rng), {})
            if not len(child):
                break
            proposals.append(Proposal(child[0], {"strategy": "evolution", **why}))
            known = known.with_running(child)
        return proposals

    def _child(
        self, alive: History, known: History, rng: np.random.Generator
    ) -> tuple[Architectures, dict[str, object]]:
        """A fresh mutant of a tournament's winner (two genes where one gives nothing new), else a random
        architecture.
        """
        for attempt in range(50):
            group = rng.choice(len(alive), size=min(self.tournament, len(alive)), replace=False)
            parent = alive.rows(group[[int(np.argmax(alive.y[group]))]])
            child = known.space.mutate(parent.archs, rng, genes=1 + attempt // 25)
            if known.fresh(child)[0]:
                return child, {"parent": str(parent.archs[0]), "parent_value": float(parent.y[0])}
        return known.sample(1, rng), {}
