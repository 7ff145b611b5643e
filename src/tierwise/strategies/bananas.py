"""Bayesian optimisation with a predictor that knows how sure it is.

White et al., "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import FEWEST, Labels, fitted, random_proposals
from tierwise.errors import BadSetting
from tierwise.history import LARGEST_SWEEP, History, Proposal
from tierwise.predictor import score_and_std

OPTIMISM = 0.5  # standard deviations that "ucb" adds, as published
ACQUISITIONS = ("its", "ei", "ucb", "mean")

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Bananas:
    """Random labels first, then the candidates of the highest acquisition under a predictor that knows how sure it is.

    predictor: a registered predictor with standard deviations (any for "mean"). encoding: what it reads, such as "wl"
    for Weisfeiler-Lehman counts; "" for the predictor's own.
    acquisition: "its", independent Thompson sampling: one draw from the prediction of each candidate; "ei", expected
    improvement; "ucb", score plus half a standard deviation; "mean", the score.
    first: random labels before the first round. parents, candidates: where the space is too large to be ranked as a
    whole, so many candidates are made, half of them one-edit mutants of the best `parents` results, half random.

    From: White, Neiswanger and Savani (2021): the acquisitions, mutation of the best. Ours: any predictor in place of
    an ensemble of perceptrons on path encodings, the whole space as candidates where it can be listed, the random
    ones, and improvement over the best predicted score, because scores need not be in the unit of the labels.
    """

    predictor: str = "gp"
    encoding: str = ""
    acquisition: Literal["its", "ei", "ucb", "mean"] = "its"
    first: int = 10
    parents: int = 10
    candidates: int = 2_000

    def __post_init__(self) -> None:
        if self.acquisition not in ACQUISITIONS:
            raise BadSetting("acquisition", self.acquisition, " or ".join(f'"{name}"' for name in ACQUISITIONS))
        if self.first < FEWEST:
            raise BadSetting("first", self.first, f"{FEWEST} or more random labels")
        for name in ("parents", "candidates"):
            if getattr(self, name) < 1:
                raise BadSetting(name, getattr(self, name), "1 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then those of the highest acquisition."""
        self._check_predictor()
        done = history.done
        if len(history) < self.first or len(done) < FEWEST:
            return random_proposals("bananas", history, min(n, max(self.first - len(history), 1)), rng)
        candidates = self._candidates(history, done, rng)
        candidates = candidates[np.flatnonzero(history.fresh(candidates))]
        if not len(candidates):
            return random_proposals("bananas", history, n, rng)
        labelled = done.archs
        predictor = fitted(self.predictor, history.seed, Labels(labelled, done.y), self.encoding)
        score, std = score_and_std(predictor, candidates)
        incumbent = float(score_and_std(predictor, labelled)[0].max())
        value = acquisition(self.acquisition, score, std, incumbent, rng)
        best = np.lexsort((-score, -value))[:n]  # far below the incumbent every expected improvement is 0
        step = f"{self.acquisition} on {len(done)} labels"
        return [
            Proposal(
                candidates[row],
                {
                    "strategy": "bananas",
                    "step": step,
                    "score": round(float(score[row]), 4),
                    "std": round(float(std[row]), 4),
                    "acquisition": round(float(value[row]), 4),
                },
            )
            for row in best
        ]

    def _check_predictor(self) -> None:
        """Before the first label is paid for. Raises BadSetting, UnknownName, MissingExtra."""
        if self.acquisition != "mean" and not registry.make("predictor", self.predictor).gives_std:
            allowed = f'"gp", "forest" or another with standard deviations, which "{self.acquisition}" needs'
            raise BadSetting("predictor", self.predictor, allowed)

    def _candidates(self, history: History, done: History, rng: np.random.Generator) -> Architectures:
        """The whole space where it can be listed, else mutants of the best results and random ones."""
        space = history.space
        if space.size <= LARGEST_SWEEP:
            return space.enumerate()
        best = done.best(self.parents).archs
        mutants = space.mutate(best[np.arange(-(-self.candidates // 2)) % len(best)], rng)
        return concatenate([mutants, space.sample(self.candidates // 2, rng)])


def acquisition(kind: str, score: Floats, std: Floats, incumbent: float, rng: np.random.Generator) -> Floats:
    """(n,) how much each candidate is worth an evaluation; `incumbent` is what "ei" improves on."""
    if kind == "its":
        return rng.normal(score, std)
    if kind == "ucb":
        return score + OPTIMISM * std
    if kind == "mean":
        return score
    gain, spread = score - incumbent, np.maximum(std, 1e-12)
    return gain * norm.cdf(gain / spread) + spread * norm.pdf(gain / spread)
