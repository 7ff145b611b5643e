"""Search by quality tiers: learn which tier every architecture belongs to, and evaluate the best of the best tier.

Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image Classifier Search" (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import Labels, fitted, random_proposals, tier_draws
from tierwise.errors import BadSetting
from tierwise.history import LARGEST_SWEEP, History, Proposal
from tierwise.predictor import score_and_std

PUBLISHED_SHARE = 1256 / 1506  # of all labels that the published protocol spends on training, the rest is looked up


@dataclass(frozen=True)
class Tiers:
    """Random labels first, then what the tier predictor puts on top of the best tier.

    predictor: a registered tier predictor.
    schedule: "rounds" spends the labels in rounds, learning anew from all of them each time. "published" learns once,
    from 1256/1506 of the planned trials, and looks up the top `k` of each iteration of the published sampler
    (predictors with ``guided_candidates``, such as "nar").
    first: random labels before the first round. optimism: standard deviations added to a score.
    draws: candidates drawn from the best tier's statistics where the space is too large to be ranked as a whole.
    """

    predictor: str = "tier"
    schedule: Literal["rounds", "published"] = "rounds"
    first: int = 20
    optimism: float = 0.5
    draws: int = 20_000
    k: int = 5

    def __post_init__(self) -> None:
        if self.schedule not in ("rounds", "published"):
            raise BadSetting("schedule", self.schedule, '"rounds" or "published"')
        if self.first < 10 or self.draws < 1 or self.k < 1:
            raise BadSetting("tiers", repr(self), "first of 10 or more, draws and k of 1 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then ranked ones. Raises BadSetting for a predictor that
        knows no tiers, or for the published schedule no sampler.
        """
        self._check_predictor()
        first = self.first if self.schedule == "rounds" else round(history.total * PUBLISHED_SHARE)
        done = history.done
        if len(history) < first or len(done) < 10:
            wanted = min(n, max(first - len(history), 1))
            return random_proposals("tiers", history, wanted, rng)
        if self.schedule == "published":
            return self._look_up(history, done, first, n)
        return self._round(history, done, n, rng)

    def _check_predictor(self) -> None:
        made: Any = registry.find("predictor", self.predictor)
        if not hasattr(made, "predict_tier_proba"):
            raise BadSetting("predictor", self.predictor, "one with tiers of its own: auto, nar, tier")
        if self.schedule == "published" and not hasattr(made, "guided_candidates"):
            allowed = 'one with the published sampler for schedule "published": nar'
            raise BadSetting("predictor", self.predictor, allowed)

    def _round(self, history: History, done: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Learn from every label, rank the candidates, propose the best that the predictor calls best tier."""
        predictor: Any = fitted(self.predictor, history.seed, Labels(done.archs, done.y))
        candidates = self._candidates(history, done, rng)
        candidates = candidates[np.flatnonzero(history.fresh(candidates))]
        if not len(candidates):
            return []
        score, std = score_and_std(predictor, candidates)
        order = np.argsort(-(score + self.optimism * std), kind="stable")
        best = order[: max(4 * n, 100)]
        proba = predictor.predict_tier_proba(candidates[best])
        picked = np.argsort(proba.argmax(1) > 0, kind="stable")[:n]  # best tier first; the order within is kept
        best, proba = best[picked], proba[picked]
        good = done.best(max(1, len(done) // 5))
        return [
            Proposal(
                candidates[int(row)],
                {
                    "strategy": "tiers",
                    "step": f"round on {len(done)} labels",
                    "tier": int(np.argmax(proba[i])) + 1,
                    "chance_of_tier": round(float(proba[i].max()), 3),
                    "score": round(float(score[row]), 4),
                    "std": round(float(std[row]), 4),
                    "nearest": str(_nearest(candidates[int(row)].genes, good)),
                },
            )
            for i, row in enumerate(best)
        ]

    def _candidates(self, history: History, done: History, rng: np.random.Generator) -> Architectures:
        """The whole space where it can be listed, else draws from the best tier's statistics and uniform ones."""
        if history.space.size <= LARGEST_SWEEP:
            return history.space.enumerate()
        drawn = tier_draws(history.space, done, self.draws, rng)
        return concatenate([drawn, history.space.sample(self.draws // 4, rng)])

    def _look_up(self, history: History, done: History, first: int, n: int) -> list[Proposal]:
        """The published search: 50 iterations of sampling under the tier records, the top k of each; it never
        relearns.
        """
        planned = done.rows(done.ids < first)
        predictor: Any = fitted(self.predictor, history.seed, Labels(planned.archs, planned.y))
        drawn = np.random.default_rng([history.seed, first])  # the same iterations, however often it is asked
        known, proposals = history, list[Proposal]()
        for iteration, ranked in enumerate(predictor.guided_candidates(history.space, drawn, k=self.k), start=1):
            fresh = ranked[np.flatnonzero(known.fresh(ranked))][: n - len(proposals)] if len(ranked) else ranked
            known = known.with_running(fresh)
            why = {"strategy": "tiers", "step": f"published iteration {iteration}", "tier": 1}
            proposals += [Proposal(arch, why) for arch in fresh]
            if len(proposals) == n:
                break
        return proposals


def _nearest(genes: tuple[int, ...], good: History) -> object:
    """The architecture among the good ones that differs in the fewest genes."""
    differ: NDArray[np.int64] = (good.archs.genes != np.array(genes)).sum(1)
    return good.archs[int(differ.argmin())]
