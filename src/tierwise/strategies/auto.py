"""The default search: promising and random labels first, then the best guesses of predictor `auto`, spread out."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import Labels, candidates, random_proposals, tier_draws
from tierwise.errors import BadSetting, TierwiseError
from tierwise.history import History, Proposal

_POOL = 2_000  # architectures among which the most promising ones are looked for before any label
_BEST = 0.03  # of them, from which the promising ones are drawn
_GROWTH = 1.25  # labels grow by so much before kernel and encodings are chosen anew
_FEWEST = 4  # labels before the predictor is asked


@dataclass(frozen=True)
class Auto:
    """Finds the best in few evaluations, from the first one on.

    1. *Opening.* Half of the first labels are drawn from the 3 % that are best before any label: by encoding
       ``untrained`` (how well an untrained thumbnail tells signals apart) and by FLOPs, ranks added; the others are
       uniform.
    2. *Rounds.* The Gaussian process of predictor `auto` learns all labels; the candidate with the highest mean plus
       `optimism` standard deviations is next. In a batch, and beside running evaluations, each pick counts as if its
       mean had been found, so that a batch spreads out. Kernel and encodings are chosen anew when the labels have grown
       by a quarter.

    Candidates are the whole space where it can be listed, else mutants of the best, draws from the cost statistics of
    the best tier (Guo et al., "Neural Architecture Ranker", 2022), and uniform ones.

    first: labels before the first round. optimism: standard deviations added to the mean. draws: candidates where the
    space is too large to be listed.

    From: Srinivas et al., "Gaussian Process Optimization in the Bandit Setting" (2010), and Desautels, Krause and
    Burdick, "Parallelizing Exploration-Exploitation Tradeoffs" (2014) for batches. Opening and features are ours.
    """

    first: int = 6
    optimism: float = 1.5
    draws: int = 10_000

    def __post_init__(self) -> None:
        if self.first < _FEWEST or self.draws < 1 or self.optimism < 0:
            allowed = f"first of {_FEWEST} or more, draws of 1 or more, optimism of 0 or more"
            raise BadSetting("auto", repr(self), allowed)

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """The opening until it is complete, then rounds."""
        done = history.done
        if len(history) < self.first:
            return self._opening(history, min(n, self.first - len(history)), rng)
        if len(done) < _FEWEST:
            return random_proposals("auto", history, n, rng)
        return self._round(history, done, n, rng)

    def _opening(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """By turns an architecture that promises much and a random one."""
        pool = history.sample(_POOL, rng)
        order = np.argsort(-_promise(pool), kind="stable")
        best = rng.permutation(order[: max(int(_BEST * len(pool)), self.first)]).tolist()
        rest = [row for row in rng.permutation(len(pool)).tolist() if row not in best]
        proposals: list[Proposal] = []
        for turn in range(len(history), len(history) + min(n, len(pool))):
            promising = bool(best) and (turn % 2 == 0 or not rest)
            row = best.pop() if promising else rest.pop()
            step = "promising before any label" if promising else "random"
            proposals.append(Proposal(pool[int(row)], {"strategy": "auto", "step": step}))
        return proposals

    def _round(self, history: History, done: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Learn from every label and propose the best guesses."""
        among = self._candidates(history, done, rng)
        among = among[np.flatnonzero(history.fresh(among))]
        if not len(among):
            return random_proposals("auto", history, n, rng)
        predictor = _fitted(history.seed, done)
        rows, score, std = predictor.pick(among, n, self.optimism, history.running.archs)
        tier = predictor.predict_tier(among[rows])
        return [
            Proposal(
                among[int(row)],
                {
                    "strategy": "auto",
                    "step": f"round on {len(done)} labels",
                    "tier": int(tier[k]) + 1,
                    "score": round(float(score[k]), 4),
                    "std": round(float(std[k]), 4),
                },
            )
            for k, row in enumerate(rows.tolist())
        ]

    def _candidates(self, history: History, done: History, rng: np.random.Generator) -> Architectures:
        found = candidates(history.space, history, self.draws, rng)
        if len(found) >= history.space.size:
            return found
        return concatenate([found, tier_draws(history.space, done, self.draws // 10, rng)])


def _promise(pool: Architectures) -> NDArray[np.float64]:
    """(n,) ranks by each cost or proxy that the space can give, added."""
    total = np.zeros(len(pool))
    for name in ("untrained", "flops"):
        try:
            total += rankdata(registry.make("encoding", name).transform(pool)[:, 0])
        except TierwiseError:  # a space without formulas or paths, or no torch: then the others alone
            continue
    return total


def _fitted(seed: int, done: History) -> Any:
    """The process of predictor `auto` on all labels; what it chooses, it chooses from the first so many of them."""
    chosen = _FEWEST
    while int(chosen * _GROWTH) + 1 <= len(done):
        chosen = int(chosen * _GROWTH) + 1
    predictor = _chosen(seed, Labels(done.archs[:chosen], done.y[:chosen]))
    if chosen == len(done):
        return predictor
    return copy.copy(predictor).partial_fit(done.archs[chosen:], done.y[chosen:])


@functools.lru_cache(maxsize=4)
def _chosen(seed: int, labels: Labels) -> Any:
    """Fitted anew; remembered, because many rounds start from it. Dropping it changes nothing."""
    return registry.make("predictor", "auto", members=(), seed=seed).fit(labels.archs, labels.y)
