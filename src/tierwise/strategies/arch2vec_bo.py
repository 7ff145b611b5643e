"""Bayesian optimisation on arch2vec's embedding.

Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?" (2020).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from tierwise import registry
from tierwise.candidates import FEWEST, Labels, candidates, random_proposals
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.predictor import score_and_std

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Arch2VecBO:
    """Random labels, then rounds of what is expected to improve most on the best result so far.

    first: random labels before the first round. k: proposals from one fit, the next ask fits anew.
    pretraining_epochs: of the registered encoding `arch2vec`, which learns a space once, without labels.
    draws: candidates in a space too large to be ranked as a whole.

    As published: an embedding learnt without labels, a Bayesian linear head on a small network (the registered
    predictor `arch2vec`), 16 first labels, expected improvement, the top five of each round.
    Ours: improvement over the best result seen (published: over an accuracy of 0.95, which nobody knows beforehand),
    counted in normal scores of the results; in a large space the candidates are half uniform, half mutants of the best.
    Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?" (2020).
    """

    first: int = 16
    k: int = 5
    pretraining_epochs: int = 10
    draws: int = 20_000

    def __post_init__(self) -> None:
        if self.first < FEWEST:
            raise BadSetting("first", self.first, f"{FEWEST} or more")
        if self.k < 1 or self.pretraining_epochs < 1 or self.draws < 2:
            given = (self.k, self.pretraining_epochs, self.draws)
            raise BadSetting("k, pretraining_epochs and draws", given, "1 or more, 1 or more, and 2 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then at most `k` of largest expected improvement."""
        done = history.done
        if len(history) < self.first or len(done) < FEWEST:
            wanted = min(n, max(self.first - len(history), 1))
            return random_proposals("arch2vec-bo", history, wanted, rng)
        archs = candidates(history.space, history, self.draws, rng)
        archs = archs[rng.permutation(np.flatnonzero(history.fresh(archs)))]  # equal ones in random order
        if not len(archs):
            return random_proposals("arch2vec-bo", history, n, rng)
        predictor = _fitted(self.pretraining_epochs, history.seed, Labels(done.archs, done.y))
        score, std = score_and_std(predictor, archs)
        best = _normal_score_of_best(done.y)
        gain = log_expected_improvement(score, std, best)
        picked = np.argsort(-gain, kind="stable")[: min(n, self.k)]
        step = f"round on {len(done)} labels"
        return [
            Proposal(
                archs[int(row)],
                {
                    "strategy": "arch2vec-bo",
                    "step": step,
                    "expected_improvement": float(f"{np.exp(gain[row]):.4g}"),
                    "score": round(float(score[row]), 4),
                    "std": round(float(std[row]), 4),
                },
            )
            for row in picked
        ]


def log_expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """(n,) logarithm of the mean of max(0, x - best) for normal x; the logarithm still ranks what rounds to zero."""
    std = np.maximum(std, 1e-6)
    z = (mean - best) / std
    mid = np.clip(z, -25.0, 25.0)  # beyond, the exact form loses its digits and the limits are as good
    log_density = -0.5 * mid**2 - 0.5 * np.log(2 * np.pi)
    gain = log_density + np.log1p(mid * np.exp(log_ndtr(mid) - log_density))
    gain = np.where(z > 25, np.log(np.maximum(z, 1.0)), gain)
    gain = np.where(z < -25, -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(np.maximum(-z, 1.0)), gain)
    return np.log(std) + gain


def _normal_score_of_best(y: Floats) -> float:
    """What the predictor makes of the largest label: the normal score of its rank, that of the mean rank in a tie."""
    rank = len(y) - (np.count_nonzero(y == y.max()) - 1) / 2
    return NormalDist().inv_cdf((rank - 0.5) / len(y))


@functools.lru_cache(maxsize=2)
def _fitted(pretraining_epochs: int, seed: int, labels: Labels) -> Any:
    """The predictor, fitted; remembered, because one round may be asked for piece by piece."""
    predictor = registry.make("predictor", "arch2vec", pretraining_epochs=pretraining_epochs, seed=seed)
    return predictor.fit(labels.archs, labels.y)
