"""Search in a space shrunk by locality: near architectures are of similar quality, so keep what lies around good ones.

Gopal et al., "LISSNAS: Locality-based Iterative Search Space Shrinkage for Neural Architecture Search" (2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.candidates import FEWEST, random_proposals
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.locality import Quality, around_the_best, near_moves


@dataclass(frozen=True)
class LISSNAS:
    """Random labels first, then the best predicted members of what ``shrunk`` leaves of the space, anew at every ask.

    predictor: a registered predictor. first: random labels before the first shrinkage.
    sample, seeds, margin: see ``tierwise.locality.shrunk``.

    Published: the shrunk space; any search may follow. Ours: to evaluate what is predicted best in it, and a margin
    doubled until something is new there.
    """

    predictor: str = "gp"
    first: int = 20
    sample: int = 1_000
    seeds: int = 50
    margin: float = 1.0

    def __post_init__(self) -> None:
        if self.first < FEWEST or not 1 <= self.seeds <= self.sample or not 0 <= self.margin < np.inf:
            allowed = f"first of {FEWEST} or more, seeds of 1 to sample, margin of 0 or more"
            raise BadSetting("lissnas", repr(self), allowed)

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then members of the shrunk space, best predicted first."""
        done = history.done
        if len(history) < self.first or len(done) < FEWEST:
            return random_proposals("lissnas", history, min(n, max(self.first - len(history), 1)), rng)
        quality = Quality(self.predictor, history.seed, done.archs, done.y)
        near = near_moves(history.space, quality, rng)
        left = fresh = quality.archs[:0]
        for wider in (1, 2, 4, 8):
            left = around_the_best(
                history.space,
                quality,
                near,
                history.feasible,
                rng,
                sample=self.sample,
                seeds=self.seeds,
                margin=self.margin * wider,
            )
            fresh = left[np.flatnonzero(history.fresh(left))]
            if len(fresh) >= n:
                break
        score = quality(fresh)
        best = np.argsort(-score, kind="stable")[:n]
        why = {"strategy": "lissnas", "step": f"shrunk to {len(left)} by {len(done)} labels", "distance": near}
        proposals = [Proposal(fresh[int(row)], {**why, "score": round(float(score[row]), 4)}) for row in best]
        return proposals + random_proposals("lissnas", history.with_running(fresh[best]), n - len(best), rng)
