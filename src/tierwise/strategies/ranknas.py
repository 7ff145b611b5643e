"""Search in a space without the choices that hardly matter.

Hu et al., "RankNAS: Efficient Neural Architecture Search by Pairwise Ranking" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.candidates import Labels, candidates, fitted, random_proposals, ranked
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.reduction import FEWEST_LABELS, reduced_space


@dataclass(frozen=True)
class RankNAS:
    """Random labels say which choices matter; the others are frozen, and what is left is ranked.

    predictor: a registered one. first: random trials that the space is reduced by, 20 or more.
    keep: share of the importance that the choices left free hold together; 1.0 keeps every choice that has any.
    draws: candidates in a space too large to be ranked as a whole.

    As published: importance as lost pairwise accuracy, freezing, ranking samples of the reduced space by boosted
    trees that are trained on pairs. Ours: the space is reduced once, by the random trials alone, but the ranker learns
    anew from all labels in every ask (published: once); a reduced space that can be listed is ranked as a whole, a
    larger one by samples, half uniform, half mutants of the best; once it is used up, the whole space is ranked.
    Hu et al., "RankNAS: Efficient Neural Architecture Search by Pairwise Ranking" (2021).
    """

    predictor: str = "ranknas"
    first: int = 40
    keep: float = 0.9
    draws: int = 20_000

    def __post_init__(self) -> None:
        if self.first < FEWEST_LABELS:
            raise BadSetting("first", self.first, f"{FEWEST_LABELS} or more")
        if not 0 < self.keep <= 1:
            raise BadSetting("keep", self.keep, "a share of the importance, more than 0 and up to 1.0")
        if self.draws < 2:
            raise BadSetting("draws", self.draws, "2 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then the best predicted of the reduced space."""
        done = history.done
        if len(history) < self.first or len(done) < FEWEST_LABELS:
            wanted = min(n, max(self.first - len(history), 1))
            return random_proposals("ranknas", history, wanted, rng)
        random = done.rows(done.ids < self.first)
        measured = random if len(random) >= FEWEST_LABELS else done
        smaller = reduced_space(
            history.space, measured.archs, measured.y, predictor=self.predictor, keep=self.keep, seed=history.seed
        )
        predictor = fitted(self.predictor, history.seed, Labels(done.archs, done.y))
        known, proposals = history, list[Proposal]()
        for space in (smaller, history.space):
            archs, score = ranked(predictor, candidates(space, done, self.draws, rng), known, rng)
            best = archs[: n - len(proposals)]
            known = known.with_running(best)
            why = {
                "strategy": "ranknas",
                "step": f"ranked on {len(done)} labels",
                "free": [c.path for c, kept in zip(space.choices, space.allowed.sum(1), strict=True) if kept > 1],
            }
            proposals += [Proposal(a, {**why, "score": round(float(s), 4)}) for a, s in zip(best, score, strict=False)]
            if len(proposals) == n:
                return proposals
        return proposals or random_proposals("ranknas", known, n, rng)
