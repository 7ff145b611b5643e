"""Weak predictors, one after the other: Wu et al., "Stronger NAS with Weaker Predictors" (2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.candidates import FEWEST, Labels, candidates, fitted, random_proposals, ranked
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal


@dataclass(frozen=True)
class WeakNAS:
    """Each round fits a cheap predictor on all labels and evaluates a few, at random, of the best that it predicts.

    The predictor need not be right about the whole space: the labels, and with them what it is right about, move
    towards the better part round after round.

    predictor: a registered one. first: random trials before the first round. top: how many of the best predicted
    architectures a round is drawn from, uniformly. draws: candidates in a space too large to be ranked as a whole.

    As published: the rounds, refitting on every label, the uniform draw from the top 100, 10 random trials first (on
    NAS-Bench-201). Ours: the top is that of the networks not evaluated yet (published: of all, and those evaluated are
    passed over), a round is as long as the study's batch, and in a large space the candidates are half uniform, half
    mutants of the best. Wu et al., "Stronger NAS with Weaker Predictors" (2021).
    """

    predictor: str = "weaknas"
    first: int = 10
    top: int = 100
    draws: int = 20_000

    def __post_init__(self) -> None:
        if self.first < FEWEST:
            raise BadSetting("first", self.first, f"{FEWEST} or more")
        if self.top < 1 or self.draws < 2:
            raise BadSetting("top and draws", (self.top, self.draws), "top of 1 or more, draws of 2 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then draws from the predicted top."""
        done = history.done
        if len(history) < self.first or len(done) < FEWEST:
            wanted = min(n, max(self.first - len(history), 1))
            return random_proposals("weaknas", history, wanted, rng)
        predictor = fitted(self.predictor, history.seed, Labels(done.archs, done.y))
        archs, score = ranked(predictor, candidates(history.space, history, self.draws, rng), history, rng)
        if not len(archs):  # nothing left, or nothing among the draws
            return random_proposals("weaknas", history, n, rng)
        top = min(len(archs), max(self.top, n))
        return [
            Proposal(
                archs[int(row)],
                {
                    "strategy": "weaknas",
                    "step": f"round on {len(done)} labels",
                    "place": int(row) + 1,
                    "of_top": top,
                    "score": round(float(score[row]), 4),
                },
            )
            for row in rng.choice(top, size=min(n, top), replace=False)
        ]
