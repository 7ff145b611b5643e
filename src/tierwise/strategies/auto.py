"""The default search: promising and random labels first, then the best guesses of predictor `auto`, spread out."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import Labels, as_labels, candidates, random_proposals, tier_draws
from tierwise.errors import BadSetting, TierwiseError
from tierwise.history import History, Proposal
from tierwise.pareto import chosen
from tierwise.predictor import score_all

_POOL = 2_000  # architectures among which the most promising ones are looked for before any label
_BEST = 0.01  # of them, from which the promising ones are drawn
_GROWTH = 1.25  # labels grow by so much before kernel and encodings are chosen anew
_FEWEST = 4  # labels before the predictor is asked
_MOST = 250  # labels that kernel and encodings are chosen by: the cost of that grows with their cube
_TELLING = 20  # labels before an expected gain is believed
Floats = NDArray[np.float64]
Taught = tuple[Labels, ...]  # other labels, each source nearer to the task than the one before


@dataclass(frozen=True)
class Auto:
    """Finds the best in few evaluations, from the first one on.

    1. *Opening.* Half of the first labels are drawn from the 1 % that are best before any label: by encoding
       ``untrained`` (how well an untrained thumbnail tells signals apart) and by FLOPs, ranks added; the others are
       uniform. What another task or cheap evaluations have taught takes the place of both.
    2. *Rounds.* The Gaussian process of predictor `auto` learns all labels; the candidate with the highest mean plus
       `optimism` standard deviations is next. In a batch, and beside running evaluations, each pick counts as if its
       mean had been found, so that a batch spreads out. Kernel and encodings are chosen anew when the labels have grown
       by a quarter. Against costs, the candidate whose optimistic value adds most hypervolume to the front is next.

    Labels of another task (``history.prior``) and of cheap evaluations teach a predictor each; its scores are a further
    encoding. Candidates are the whole space where it can be listed, else mutants of the best, draws from the cost
    statistics of the best tier (Guo et al., "Neural Architecture Ranker", 2022), and uniform ones.

    first: labels before the first round. optimism: standard deviations added to the mean. draws: candidates where the
    space is too large to be listed. cheap: budget of cheap evaluations, such as 12 epochs, of which there are
    `screened` before the first full one; 0 for none.

    From: Srinivas et al., "Gaussian Process Optimization in the Bandit Setting" (2010), and Desautels, Krause and
    Burdick, "Parallelizing Exploration-Exploitation Tradeoffs" (2014) for batches. Opening and features are ours.
    """

    first: int = 4
    optimism: float = 1.5
    draws: int = 10_000
    cheap: int = 0
    screened: int = 50
    tells_gain: ClassVar[bool] = True  # what it expects of a proposal
    learns_prior: ClassVar[bool] = True  # from labels of another task

    def __post_init__(self) -> None:
        if min(self.first, self.screened) < _FEWEST or min(self.draws - 1, self.optimism, self.cheap) < 0:
            allowed = f"first and screened of {_FEWEST} or more, draws of 1 or more, optimism and cheap of 0 or more"
            raise BadSetting("auto", repr(self), allowed)

    @property
    def budgets(self) -> tuple[int, ...]:
        """Of the cheap evaluations that it asks for."""
        return (self.cheap,) if self.cheap else ()

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Cheap evaluations while there are too few, the opening until it is complete, then rounds."""
        if self.cheap and (left := self.screened - len(history.cheap(self.cheap))) > 0:
            screen = replace(self, cheap=0, first=min(self.first, self.screened))
            found = screen.ask(as_labels(history, self.cheap), min(n, left), rng)
            if found:
                return [Proposal(each.arch, {**each.why, "budget": self.cheap}, self.cheap) for each in found]
        taught, asked = self._taught(history), int((history.budget == 0).sum())
        if asked < self.first:
            return self._opening(history, min(n, self.first - asked), asked, taught, rng)
        if len(history.done) < _FEWEST:
            return random_proposals("auto", history, n, rng)
        return self._round(history, n, taught, rng)

    def _taught(self, history: History) -> Taught:
        """What is known beside the labels: of another task, and of cheap evaluations."""
        prior, known = history.prior, list[Labels]()
        if prior is not None and len(prior) >= _FEWEST:
            known.append(Labels(prior.archs, prior.y))
        if self.cheap and len(done := as_labels(history, self.cheap).done) >= _FEWEST:
            known.append(Labels(done.archs, done.y))
        return tuple(known)

    def _opening(
        self, history: History, n: int, asked: int, taught: Taught, rng: np.random.Generator
    ) -> list[Proposal]:
        """By turns an architecture that promises much and a random one; where something was taught, its favourites."""
        if taught:
            found = candidates(history.space, history, self.draws, rng)
            pool = found[np.flatnonzero(history.fresh(found))]
            order = np.argsort(-score_all(_teacher(history.seed, taught), pool), kind="stable")
            return [
                Proposal(pool[int(row)], {"strategy": "auto", "step": "best by what is known"}) for row in order[:n]
            ]
        pool = history.sample(_POOL, rng)
        order = np.argsort(-_promise(pool), kind="stable")
        best = rng.permutation(order[: max(int(_BEST * len(pool)), self.first)]).tolist()
        rest = [row for row in rng.permutation(len(pool)).tolist() if row not in best]
        proposals: list[Proposal] = []
        for turn in range(asked, asked + min(n, len(pool))):
            promising = bool(best) and (turn % 2 == 0 or not rest)
            row = best.pop() if promising else rest.pop()
            step = "promising before any label" if promising else "random"
            proposals.append(Proposal(pool[int(row)], {"strategy": "auto", "step": step}))
        return proposals

    def _round(self, history: History, n: int, taught: Taught, rng: np.random.Generator) -> list[Proposal]:
        """Learn from every label and propose the best guesses."""
        done = history.done
        among = self._candidates(history, done, rng)
        among = among[np.flatnonzero(history.fresh(among))]
        if not len(among):
            return random_proposals("auto", history, n, rng)
        predictor = _fitted(history.seed, done, taught)
        if history.against:
            score, std = predictor.moments(among, history.running.archs)
            rows = chosen(history, among, score + self.optimism * std, n, known=predictor.process_.z)
            score, std = score[rows], std[rows]
        else:
            rows, score, std = predictor.pick(among, n, self.optimism, history.running.archs)
        tier, gains = predictor.predict_tier(among[rows]), [{}] * len(rows)
        if len(done) >= _TELLING:
            gain = expected_gain(done.y, predictor.process_.z, score, std).tolist()
            gains = [{"expected_gain": round(each, 6)} for each in gain]
        return [
            Proposal(
                among[int(row)],
                {
                    "strategy": "auto",
                    "step": f"round on {len(done)} labels",
                    "tier": int(tier[k]) + 1,
                    "score": round(float(score[k]), 4),
                    "std": round(float(std[k]), 4),
                    **gains[k],
                },
            )
            for k, row in enumerate(rows.tolist())
        ]

    def _candidates(self, history: History, done: History, rng: np.random.Generator) -> Architectures:
        found = candidates(history.space, history, self.draws, rng)
        if len(found) >= history.space.size:
            return found
        return concatenate([found, tier_draws(history.space, done, self.draws // 10, rng)])


def expected_gain(y: Floats, z: Floats, score: Floats, std: Floats) -> Floats:
    """(n,) expected improvement on the best of the labels y (m,), in their units, of (n,) normal scores.

    z: (m,) those of the labels. Near the best, a step of the score is worth as much as between the labels of the best
    half.
    """
    top = np.argsort(-y, kind="stable")[: max(len(y) // 2, 2)]
    width = z[top[0]] - z[top[-1]]
    worth = (y[top[0]] - y[top[-1]]) / width if width > 0 else 0.0
    over = (score - z[top[0]]) / std
    return worth * std * (over * norm.cdf(over) + norm.pdf(over))


def _promise(pool: Architectures) -> Floats:
    """(n,) ranks by each cost or proxy that the space can give, added."""
    total = np.zeros(len(pool))
    for name in ("untrained", "flops"):
        try:
            total += rankdata(registry.make("encoding", name).transform(pool)[:, 0])
        except TierwiseError:  # a space without formulas or paths, or no torch: then the others alone
            continue
    return total


def _fitted(seed: int, done: History, taught: Taught = ()) -> Any:
    """The process of predictor `auto` on all labels; what it chooses, it chooses from the first so many of them."""
    start = _FEWEST
    while int(start * _GROWTH) + 1 <= min(len(done), _MOST):
        start = int(start * _GROWTH) + 1
    predictor = _chosen(seed, Labels(done.archs[:start], done.y[:start]), taught)
    if start == len(done):
        return predictor
    return copy.copy(predictor).partial_fit(done.archs[start:], done.y[start:])


def _teacher(seed: int, taught: Taught) -> Any:
    """What the last of the sources teaches, which reads the scores of the one before."""
    return _chosen(seed, taught[-1], taught[:-1])


@functools.lru_cache(maxsize=8)
def _chosen(seed: int, labels: Labels, taught: Taught = ()) -> Any:
    """Fitted anew; remembered, because many rounds start from it. Dropping it changes nothing."""
    inputs = (registry.make("encoding", "predicted", predictor=_teacher(seed, taught)),) if taught else ()
    predictor = registry.make("predictor", "auto", members=(), inputs=inputs, seed=seed)
    return predictor.fit(labels.archs, labels.y)
