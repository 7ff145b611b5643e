"""Rounds that are half predicted top and half exploration.

Zhang et al., "AceNAS: Learning to Rank Ace Neural Architectures with Weak Supervision of Weight Sharing" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.candidates import FEWEST, Labels, candidates, fitted, random_proposals, ranked
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal

_UNPLANNED = 20  # trials in a round of a study that does not say how many it plans
_CENTRES = 1_000  # distances to that many at a time


@dataclass(frozen=True)
class AceNAS:
    """A few long rounds: the first is random, half of each later one is the top of what the labels before predict.

    predictor: a registered one. rounds: how many the planned trials are cut into. explore: how the other half is
    chosen: "random", or "k-centre", one by one what is farthest from all that is known. encoding: a registered one,
    in whose columns "k-centre" measures distances. pool: random architectures that "k-centre" chooses from.
    draws: candidates for the top in a space too large to be ranked as a whole.

    As published: five rounds, the first of them random, the halves, greedy k-centre selection from a pool of 2,000.
    Ours: a round is a `rounds`-th of the trials that the study plans, and its first half is the top, so trials beyond
    the last round go to the top as well; the published last evaluation of the top comes after the rounds. Distances
    are between columns of an encoding (published: between embeddings of the predictor; "arch2vec" gives embeddings).
    In a large space the candidates are half uniform, half mutants of the best.
    Zhang et al., "AceNAS: Learning to Rank Ace Neural Architectures with Weak Supervision of Weight Sharing" (2021).
    """

    predictor: str = "acenas"
    rounds: int = 5
    explore: Literal["random", "k-centre"] = "random"
    encoding: str = "onehot"
    pool: int = 2_000
    draws: int = 20_000

    def __post_init__(self) -> None:
        if self.explore not in ("random", "k-centre"):
            raise BadSetting("explore", self.explore, '"random" or "k-centre"')
        if self.rounds < 2:
            raise BadSetting("rounds", self.rounds, "2 or more: the first is random")
        if self.pool < 1 or self.draws < 2:
            raise BadSetting("pool and draws", (self.pool, self.draws), "pool of 1 or more, draws of 2 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """What the places of the present round are for, however small the pieces are in which it is asked for."""
        length = history.total // self.rounds or _UNPLANNED
        number, place = divmod(len(history), length)
        n = min(n, length - place)  # the next round learns from this one first
        before = history.rows(np.arange(len(history)) < number * length).done
        if number == 0 or len(before) < FEWEST:
            return random_proposals("acenas", history, n, rng)
        proposals = self._top(history, before, min(n, max(0, (length + 1) // 2 - place)), rng)
        known = history.with_running(Architectures.of([p.arch for p in proposals], history.space))
        if self.explore == "k-centre" and len(proposals) < n:
            chosen = self._far(known, n - len(proposals), [history.seed, number])
            proposals += [Proposal(arch, {"strategy": "acenas", "step": "k-centre"}) for arch in chosen]
            known = known.with_running(chosen)
        return proposals + random_proposals("acenas", known, n - len(proposals), rng)

    def _top(self, history: History, before: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """The best that the labels of the earlier rounds predict."""
        if not n:
            return []
        predictor = fitted(self.predictor, history.seed, Labels(before.archs, before.y))
        archs, score = ranked(predictor, candidates(history.space, before, self.draws, rng), history, rng)
        step = f"top on {len(before)} labels"
        return [
            Proposal(arch, {"strategy": "acenas", "step": step, "score": round(value, 4)})
            for arch, value in zip(archs[:n], score[:n].tolist(), strict=True)
        ]

    def _far(self, known: History, n: int, seed: list[int]) -> Architectures:
        """Greedy k-centre selection: each is the one farthest from all known ones and from those chosen before."""
        pool = known.space.sample(self.pool, np.random.default_rng(seed))  # the same in every piece of a round
        pool = pool[np.flatnonzero(known.fresh(pool))]
        if not len(pool):
            return pool
        encoding = registry.make("encoding", self.encoding)
        points = encoding.transform(pool).reshape(len(pool), -1).astype(np.float64)
        centres = encoding.transform(known.archs).reshape(len(known), -1).astype(np.float64)
        return pool[k_centre(points, centres, min(n, len(pool)))]


def k_centre(points: NDArray[np.float64], centres: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Rows of `k` points (n, d), each the farthest from the centres (m, d), m at least 1, and from those before it."""
    distance = np.full(len(points), np.inf)
    for start in range(0, len(centres), _CENTRES):
        distance = np.minimum(distance, _squares(points, centres[start : start + _CENTRES]).min(1))
    chosen = np.zeros(k, dtype=np.int64)
    for i in range(k):
        chosen[i] = distance.argmax()
        distance = np.minimum(distance, _squares(points, points[chosen[[i]]])[:, 0])
        distance[chosen[i]] = -1.0  # even if all others lie on a centre, none is chosen twice
    return chosen


def _squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) squared distances."""
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)
