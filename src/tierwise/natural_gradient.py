"""A distribution over architectures that moves to better ones by natural gradients.

Ollivier, Arnold, Auger and Hansen, "Information-Geometric Optimization Algorithms: A Unifying Picture via Invariance
Principles" (2017); on supernets see Akimoto et al., "Adaptive Stochastic Natural Gradient Method for One-Shot
Neural Architecture Search" (2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Genes, concatenate
from tierwise.errors import BadSetting
from tierwise.space import Space

TRIES = 200  # batches that are drawn until enough are within a limit
Column = NDArray[np.float64]
Rows = Callable[[Architectures], Column]


class Categoricals:
    """A distribution for each choice of a space, independent of each other, uniform at first.

    With p the probabilities of a choice and e(x) the one-hot vector of what was drawn, the gradient of log p(x) by p is
    e(x) / p on the simplex, the Fisher information there has the inverse diag(p) - p p', and the natural gradient is
    their product e(x) - p: no step is larger where an option is rarer. No probability falls below a share of
    1 / (options * choices), so that every option stays possible (ours).
    """

    def __init__(self, space: Space):
        self.space = space
        self.p: Column = space.allowed / space.allowed.sum(1, keepdims=True)
        self.floor = self.p / len(self.p)

    def sample(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` architectures."""
        edges = self.p.cumsum(1)
        edges[:, -1] = np.inf  # rounding
        genes = (rng.random((n, len(self.p), 1)) >= edges).sum(2)
        last = np.array([np.flatnonzero(own)[-1] for own in self.space.allowed])
        return Architectures(self.space, np.minimum(genes, last))

    def step(self, genes: Genes, utilities: Column, rate: float) -> None:
        """Along the natural gradient of the expected utility of these draws, (n, choices) and (n,)."""
        drawn = genes[:, :, None] == np.arange(self.p.shape[1])
        moved = self.p + rate * np.einsum("n,ncm->cm", utilities, drawn - self.p)
        kept = np.maximum(moved, self.floor)
        over = kept - self.floor
        room = 1 - self.floor.sum(1, keepdims=True)
        self.p = self.floor + over * room / np.maximum(over.sum(1, keepdims=True), np.finfo(float).tiny)


def utilities(scores: Column) -> Column:
    """(n,) of their order alone: the best quarter shares 1, the worst one -1; equal scores have equal utilities."""
    n = len(scores)
    quarter = math.ceil(n / 4)
    by_rank = np.zeros(n)
    by_rank[:quarter] -= 1 / quarter
    by_rank[n - quarter :] += 1 / quarter
    ordered = np.sort(scores)
    first, last = np.searchsorted(ordered, scores), np.searchsorted(ordered, scores, side="right")
    total = np.concatenate([[0.0], by_rank.cumsum()])
    return (total[last] - total[first]) / (last - first)


@dataclass(frozen=True)
class Drawn:
    """All that was scored, in order: architectures, scores, and the entropy of the distribution after each round, as a
    part of that at first.
    """

    archs: Architectures
    scores: Column
    entropy: tuple[float, ...]

    @property
    def best(self) -> Architectures:
        """The one with the best score."""
        return self.archs[[int(self.scores.argmax())]]


def search(
    space: Space,
    score: Rows,
    cost: Rows,
    most: float,
    *,
    rounds: int = 20,
    draws: int = 8,
    rate: float = 0.15,
    rng: np.random.Generator,
) -> Drawn:
    """Rounds of `draws` architectures that cost at most `most`: nothing above is ever scored. Higher scores are better.
    Raises BadSetting where hardly any is within the limit.
    """
    if rounds < 1 or draws < 2 or not 0 < rate <= 1:
        raise BadSetting("search", f"{rounds} rounds of {draws} draws, rate {rate}", "1, 2 or more, rate up to 1")
    here = Categoricals(space)
    batches: list[Architectures] = []
    scores: list[Column] = []
    entropy: list[float] = []
    whole = _entropy(here.p)
    for _ in range(rounds):
        batches.append(within(here, cost, most, draws, rng))
        scores.append(score(batches[-1]))
        here.step(batches[-1].genes, utilities(scores[-1]), rate)
        entropy.append(_entropy(here.p) / whole)
    return Drawn(concatenate(batches), np.concatenate(scores), tuple(entropy))


def within(drawn: Categoricals, cost: Rows, most: float, n: int, rng: np.random.Generator) -> Architectures:
    """`n` draws that cost at most `most`. Raises BadSetting."""
    kept: list[Architectures] = []
    least = math.inf
    for _ in range(TRIES):
        archs = drawn.sample(n, rng)
        costs = cost(archs)
        least = min(least, float(costs.min()))
        kept.append(archs[np.flatnonzero(costs <= most)])
        if sum(map(len, kept)) >= n:
            return concatenate(kept)[:n]
    allowed = f"more: of {n * TRIES:,} draws {sum(map(len, kept))} are within, and the cheapest costs {least:.4g}"
    raise BadSetting("limit", most, allowed)


def _entropy(p: Column) -> float:
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum())
