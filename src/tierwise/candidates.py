"""What strategies that rank candidates share: a fitted predictor that is remembered, candidates, and their order."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.errors import BadSetting
from tierwise.history import LARGEST_SWEEP, History, Proposal
from tierwise.predictor import Predictor, Scores, score_all
from tierwise.space import Space
from tierwise.tier_statistics import TierStatistics, tier_blocks

FEWEST = 10  # labels before a predictor is asked
_PARENTS = 20  # best architectures whose mutants are candidates


class Labels:
    """Labelled architectures as a value that can be looked up in a cache."""

    def __init__(self, archs: Architectures, y: NDArray[np.float64]):
        self.archs, self.y = archs, y
        self._bytes = archs.genes.tobytes(), y.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self._bytes == other._bytes and self.archs.space == other.archs.space

    def __hash__(self) -> int:
        return hash(self._bytes)


@functools.lru_cache(maxsize=2)
def fitted(predictor: str, seed: int, labels: Labels, encoding: str = "") -> Predictor:
    """The registered predictor, fitted; remembered, because one round may be asked for piece by piece. encoding: the
    registered one that it reads, "" for its own.
    """
    own: dict[str, Any] = {"encodings": (encoding,)} if encoding else {}
    return registry.make("predictor", predictor, seed=seed, **own).fit(labels.archs, labels.y)


def random_proposals(strategy: str, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
    """At most `n` uniform ones that are fresh, as the strategy of this name gives before it knows or finds better."""
    return [Proposal(arch, {"strategy": strategy, "step": "random"}) for arch in history.sample(n, rng)]


def as_labels(history: History, budget: int) -> History:
    """The trials of one cheap budget as if they were full evaluations; whatever is known in full stays known."""
    rung = history.cheap(budget)
    return replace(rung, known=history.known.plus(rung.canon), budget=np.zeros_like(rung.budget))


def candidates(space: Space, history: History, draws: int, rng: np.random.Generator) -> Architectures:
    """The whole space where it can be listed, else `draws` of it: half uniform, half mutants of the best so far."""
    if space.size <= LARGEST_SWEEP:
        return space.enumerate()
    best = history.best(_PARENTS).archs
    parents = best.genes[rng.integers(len(best), size=draws // 2)]
    near = space.mutate(Architectures(space, parents), rng)
    near = near[np.flatnonzero(space.contains(near))]  # a parent may lie outside of a smaller space
    return concatenate([space.sample(draws - draws // 2, rng), near])


def tier_draws(space: Space, done: History, draws: int, rng: np.random.Generator) -> Architectures:
    """Draws from the cost statistics of the best tier, a fifth, of what is done.

    After Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image Classifier
    Search" (2022). In a space without cost formulas only the genes count.
    """
    tiers = tier_blocks(done.y, min(5, len(done)))
    totals = functools.partial(_totals, space)
    statistics = TierStatistics.of(done.archs, totals(done.archs), tiers, n_tiers=int(tiers.max()) + 1)
    return statistics.draw(space, draws, rng, totals=totals)


def _totals(space: Space, archs: Architectures) -> NDArray[np.int64]:
    """(n, 2) FLOPs and parameters; all alike where the space has no formulas."""
    try:
        return space.totals(archs)
    except BadSetting:
        return np.zeros((len(archs), 2), dtype=np.int64)


def ranked(
    predictor: Predictor, archs: Architectures, history: History, rng: np.random.Generator
) -> tuple[Architectures, Scores]:
    """The fresh ones and their scores, best first; ties in random order, for trees give many."""
    fresh = rng.permutation(np.flatnonzero(history.fresh(archs)))
    score = score_all(predictor, archs[fresh]) if len(fresh) else np.zeros(0)
    order = np.argsort(-score, kind="stable")
    return archs[fresh[order]], score[order]
