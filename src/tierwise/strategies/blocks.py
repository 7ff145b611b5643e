"""The iterative evolutionary search of NAS-Navigator.

Tyagi, Xie and Mueller, "NAS-Navigator: Visual Steering for Explainable One-Shot Deep Neural Network Synthesis" (2022).
Known of it is that the fitness of blocks, from the candidates that contain them, drives the next sample; the formula of
fitness, the operators and the rule that ends it are ours.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise.architecture import Architectures, concatenate
from tierwise.errors import BadSetting
from tierwise.history import DONE, History, Proposal
from tierwise.metrics import kendall_tau

Floats = NDArray[np.float64]
HOWS = ("uniform", "fitness", "mutation", "crossover")
_SETTLED = 3  # iterations whose orders of blocks are compared
_TRIES = 20


@dataclass(frozen=True)
class Blocks:
    """Proposals in iterations of `size`: a share `epsilon` uniform, half of the rest drawn option by option in
    proportion to fitness, the others mutants and crossings of the best `top` of all results (a share).

    The fitness of an option (of a block that is on) is the mean normalised rank of the results that have it, shrunk
    towards 0.5 by one success and one failure: between 0 and 1. stable: end once Kendall's tau between the orders of
    options of the last three iterations is above this; 0: never, the person decides. Each proposal says its iteration,
    and how stable the order was.
    """

    size: int = 10
    epsilon: float = 0.2
    top: float = 0.25
    stable: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise BadSetting("size", self.size, "1 or more proposals in an iteration")
        for name, least in (("epsilon", 0.0), ("top", 0.01), ("stable", 0.0)):
            if not least <= getattr(self, name) <= 1:
                raise BadSetting(name, getattr(self, name), f"a share of {least:g} to 1")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """What is still missing of the iteration at hand, or the next one."""
        whys: list[Any] = [history.why(row) for row in range(len(history))]
        numbers = np.array([why.get("iteration", 0) if why.get("strategy") == "blocks" else 0 for why in whys])
        number = max(int(numbers.max(initial=0)), 1)
        if (numbers == number).sum() >= self.size:
            number += 1
        done = history.done
        stability = self._stability(done, numbers[(history.state == DONE) & (history.budget == 0)])
        if self.stable and stability is not None and stability > self.stable:
            return []
        found = list[Proposal]()
        known, fitness = history, fitness_of(done)
        for _ in range(n):
            how = self._how(done, rng)
            arch, how = self._one(known, done, fitness, how, rng)
            if not len(arch):
                break
            why = {"strategy": "blocks", "iteration": number, "how": how}
            found.append(Proposal(arch[0], why if stability is None else {**why, "stability": round(stability, 4)}))
            known = known.with_running(arch)
        return found

    def _how(self, done: History, rng: np.random.Generator) -> str:
        rest = (1 - self.epsilon) / 2
        chances = [self.epsilon, rest, rest / 2, rest / 2] if len(done) else [1.0, 0.0, 0.0, 0.0]
        return HOWS[int(rng.choice(len(HOWS), p=chances))]

    def _one(
        self, known: History, done: History, fitness: Floats, how: str, rng: np.random.Generator
    ) -> tuple[Architectures, str]:
        """A fresh one and how it was made: uniform where nothing new comes of what was meant."""
        if how != "uniform":
            for attempt in range(_TRIES):
                if how == "fitness":
                    drawn = drawn_by(fitness, known, 4, rng)
                else:
                    drawn = self._bred(known, done, how, 4, 1 + attempt // 10, rng)
                good = np.flatnonzero(known.fresh(drawn))
                if len(good):
                    return drawn[good[:1]], how
        return known.sample(1, rng), "uniform"

    def _bred(self, known: History, done: History, how: str, n: int, moves: int, rng: np.random.Generator) -> Any:
        """Children of the best results."""
        best = done.best(max(2, round(self.top * len(done)))).archs
        parents = Architectures(known.space, best.genes[rng.integers(len(best), size=2 * n)])
        inside = np.flatnonzero(known.space.contains(parents))
        if len(inside) < 2:
            return known.space.sample(n, rng)
        parents = parents[inside]
        if how == "mutation":
            return known.space.mutate(parents, rng, genes=moves)
        half = len(parents) // 2
        return known.space.cross(parents[:half], parents[half : 2 * half], rng)

    def _stability(self, done: History, known: NDArray[np.int64]) -> float | None:
        """The least Kendall tau between the orders of options after the last iterations that are complete. known: (n,)
        the iteration of each result.
        """
        full = [k for k in range(1, int(known.max(initial=0)) + 1) if (known == k).sum() >= self.size]
        if len(full) < _SETTLED:
            return None
        orders = [fitness_of(done.rows(known <= k)) for k in full[-_SETTLED:]]
        taus = [kendall_tau(a.ravel(), b.ravel()) for a, b in itertools.pairwise(orders)]
        return float(np.nan_to_num(min(taus)))


def fitness_of(done: History) -> Floats:
    """(choices, options) mean normalised rank of the results that have an option, shrunk towards 0.5; NaN where there
    is no such option.
    """
    space = done.space
    options = np.arange(space.allowed.shape[1])
    has = done.archs.genes[:, :, None] == options
    rank = (rankdata(done.y) - 0.5) / len(done) if len(done) else np.zeros(0)
    fitness = (1.0 + np.tensordot(rank, has, 1)) / (2.0 + has.sum(0))
    exists = np.array([options < len(choice.options) for choice in space.choices])
    return np.where(exists, fitness, np.nan)


def drawn_by(fitness: Floats, known: History, n: int, rng: np.random.Generator) -> Architectures:
    """`n` rows, each option drawn in proportion to its fitness among those allowed; some may be no architecture."""
    space = known.space
    chance = np.nan_to_num(fitness) * space.allowed
    limits = (chance / chance.sum(1, keepdims=True)).cumsum(1)
    genes = (rng.random((n, len(limits), 1)) >= limits).sum(2).clip(max=limits.shape[1] - 1).astype(np.int16)
    rows = Architectures(space, genes)
    if space.free:
        return rows
    inside = np.flatnonzero(space.contains(rows))
    rows = rows[inside]
    return concatenate([rows, space.sample(1, rng)]) if not len(rows) else rows
