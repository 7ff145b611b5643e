"""FaDE's outer search: Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise import registry
from tierwise.architecture import Architectures, Genes, concatenate
from tierwise.candidates import as_labels
from tierwise.errors import BadSetting
from tierwise.history import DONE, WAITING, History, Proposal, Strategy
from tierwise.space import Space
from tierwise.supernets.region import STAGE, best_paths

MOVES = ("gradient", "neighbours")
_PAIRINGS = 20  # tries to join the candidates of all stages to rows that are new
_ANSWERS = 1_000  # paths of the last region that are looked at for a new and feasible answer
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fade:
    """Walks from region to region: of a region only the order of its candidates counts, and nothing older is used.

    A region has `candidates` for each stage; they are asked for as so many architectures, each candidate in one. An
    evaluator that trains a whole region together (``budget``) gives the weight of each candidate as metrics ``stage1``,
    ``stage2``, ...; for any other evaluator an architecture stands for its candidates. Of the next region `elites` are
    the best of this one, `newcomers` come from the strategy `exploration` ("random", "novelty" as in Salehi et al.,
    "BR-NS", 2021), the others are drawn around the best candidate: each gene moves along the pseudo-gradient, the
    covariance of ranks and options, with a probability of up to `step`; or, as ``moves="neighbours"``, they are mutants
    of it (the subspace around a centre of Chen et al., "DSM-NAS", 2022).

    epochs: of the joint training of a region, which is a cheap evaluation; 0 for full evaluations. regions: after so
    many, the architecture of the best candidates of the last region is proposed for a full evaluation, then
    the search is over; 0 goes on. answers: so many of them.

    Known of the paper is that the search is memory-less, works by batches and follows a pseudo-gradient; what it is and
    all numbers are ours. In a space without stages an architecture is one stage.
    """

    candidates: int = 6
    elites: int = 2
    newcomers: int = 1
    step: float = 0.5
    moves: str = "gradient"
    exploration: str = "random"
    epochs: int = 0
    regions: int = 0
    answers: int = 1

    def __post_init__(self) -> None:
        if self.moves not in MOVES:
            raise BadSetting("moves", self.moves, f"one of {', '.join(MOVES)}")
        if not 0 < self.step <= 1:
            raise BadSetting("step", self.step, "a probability, more than 0 and up to 1")
        if min(self.elites, self.newcomers, self.epochs, self.regions) < 0 or self.answers < 1:
            raise BadSetting(
                "fade", repr(self), "elites, newcomers, epochs and regions of 0 or more, answers of 1 or more"
            )
        if self.candidates < max(2, self.elites + self.newcomers):
            raise BadSetting(
                "candidates", self.candidates, "2 or more, and no fewer than elites and newcomers together"
            )
        if self.exploration == "fade":
            raise BadSetting("exploration", self.exploration, "another strategy")

    @property
    def budgets(self) -> tuple[int, ...]:
        """Of the cheap evaluations that it asks for."""
        return (self.epochs,) if self.epochs else ()

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """What is missing of the region at hand, else the next region, else the answers."""
        regions = np.array([why.get("region", 0) if why.get("strategy") == "fade" else 0 for why in _whys(history)])
        last = int(regions.max(initial=0))
        region = last if 0 < (regions == last).sum() < self.candidates else last + 1
        if self.regions and region > self.regions:
            return self._answers(history, history.rows(regions == last), n)
        own = np.random.default_rng([history.seed, region])  # so that the rest of a region fits what is asked of it
        lists = self._candidates(history, history.rows(regions == region - 1 if region > 1 else regions < 0), own)
        return self._rows(history, lists, history.rows(regions == region), region, n, rng)

    def _candidates(self, history: History, before: History, rng: np.random.Generator) -> list[Genes]:
        """For each stage (m, genes of a stage): the best of the region before, newcomers, and draws."""
        space, labels = history.space, as_labels(history, self.epochs) if self.epochs else history
        source = cast(Strategy, registry.make("strategy", self.exploration))
        new = source.ask(labels, self.newcomers, rng)[: self.newcomers] if self.newcomers else []
        newcomers = Architectures.of([each.arch for each in new], space).genes
        lists: list[Genes] = []
        for k, block in enumerate(_blocks(space)):
            genes, score = _ranked(before, k, block)
            uniform = space.sample(4 * self.candidates, rng).genes[:, block]
            drawn = self._drawn(space, genes, score, block, rng) if len(genes) else uniform[:0]
            every = np.concatenate([genes[: self.elites], newcomers[:, block], drawn, uniform])
            if len(_blocks(space)) == 1:  # what is known cannot come again in other company
                every = every[history.fresh(Architectures(space, every), self.epochs)]
            lists.append(_distinct(space, k, every)[: self.candidates])
        return lists

    def _drawn(self, space: Space, genes: Genes, score: Floats, block: slice, rng: np.random.Generator) -> Genes:
        """More candidates around the first of a stage than a region has."""
        count, centre = 4 * self.candidates, genes[0]
        if self.moves == "neighbours":
            whole = np.repeat(space.sample(1, rng).genes, count, axis=0)
            whole[:, block] = centre
            return space.mutate(Architectures(space, whole), rng).genes[:, block]
        options = genes[:, :, None] == np.arange(space.allowed.shape[1])
        gradient = pseudo_gradient(score, options)
        largest = np.abs(gradient).max()
        chance = (options[0] + self.step * (gradient / largest if largest else 0.0)).clip(1 / centre.size)
        chance = chance * space.allowed[block]
        limits = (chance / chance.sum(1, keepdims=True)).cumsum(1)
        drawn = (rng.random((count, centre.size, 1)) >= limits).sum(2).clip(max=chance.shape[1] - 1)
        return np.where(centre < 0, centre, drawn).astype(np.int16)

    def _rows(
        self, history: History, lists: list[Genes], used: History, region: int, n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        """Architectures that hold each candidate once, as far as they are new; uniform ones where they are not."""
        space, missing = history.space, self.candidates - len(used)
        blocks = _blocks(space)
        left = [_without(part, used.archs.genes[:, block]) for part, block in zip(lists, blocks, strict=True)]
        found = space.sample(0, rng)
        for _ in range(_PAIRINGS):  # the first joins the best of all stages
            genes = np.empty((missing, len(space.choices)), dtype=np.int16)
            for part, whole, block in zip(left, lists, blocks, strict=True):
                genes[:, block] = np.resize(part if len(part) else whole, (missing, whole.shape[1]))
            rows = Architectures(space, genes)
            rows = rows[np.flatnonzero(history.fresh(rows, self.epochs))]
            found = rows if len(rows) > len(found) else found
            if len(found) == missing:
                break
            left = [rng.permutation(part) for part in left]
        if len(found) < min(missing, n):
            more = history.with_running(found).sample(min(missing, n) - len(found), rng, self.epochs)
            found = concatenate([found, more])
        why = {"strategy": "fade", "region": region, **({"budget": self.epochs} if self.epochs else {})}
        return [Proposal(arch, why, self.epochs) for arch in found[: min(missing, n)]]

    def _answers(self, history: History, region: History, n: int) -> list[Proposal]:
        """The best paths of the last region, for full evaluations."""
        asked = sum("answer" in why for why in _whys(history))
        ranked = [_ranked(region, k, block) for k, block in enumerate(_blocks(history.space))]
        if asked >= self.answers or not all(len(genes) for genes, _ in ranked):
            return []
        paths, _ = best_paths([score for _, score in ranked], _ANSWERS, lambda own: float(own.sum()))
        columns = [genes[paths[:, k]] for k, (genes, _) in enumerate(ranked)]
        rows = Architectures(history.space, np.concatenate(columns, axis=1))
        good = np.flatnonzero(history.fresh(rows))[: min(n, self.answers - asked)]
        return [Proposal(rows[int(k)], {"strategy": "fade", "answer": asked + j + 1}) for j, k in enumerate(good)]


def pseudo_gradient(score: Floats, features: NDArray[Any]) -> Floats:
    """The covariance of ranks and features (m, ...): where in the space of features better candidates lie.

    score: (m,) of the candidates of one stage; only their order counts: utilities are ranks that sum to 0, their sizes
    to 1.
    """
    utility = rankdata(score) - (len(score) + 1) / 2
    utility /= max(np.abs(utility).sum(), 1.0)
    return np.tensordot(utility, features - features.mean(0), 1)


def _blocks(space: Space) -> Sequence[slice]:
    """The genes of each stage; a space without stages is one."""
    return getattr(space, "blocks", (slice(0, len(space.choices)),))


def _whys(history: History) -> list[Any]:
    return [history.why(row) for row in range(len(history))]


def _ranked(region: History, stage: int, block: slice) -> tuple[Genes, Floats]:
    """The candidates of one stage that have a result, best first, each once, and their scores; a failure is worst."""
    told = region.rows(region.state != WAITING)
    score = told.metrics.get(STAGE.format(stage + 1), np.full(len(told), np.nan))
    score = np.where(np.isnan(score), told.y, score)
    done = told.state == DONE
    if not done.any():
        return told.archs.genes[:0, block], score[:0]
    score = np.where(done, score, score[done].min() - 1.0)
    order = np.argsort(-score, kind="stable")
    genes, first = _first(region.space, stage, told.archs.genes[order, block])
    return genes, score[order][first]


def _distinct(space: Space, stage: int, genes: Genes) -> Genes:
    """Each candidate once, in order."""
    return _first(space, stage, genes)[0]


def _first(space: Space, stage: int, genes: Genes) -> tuple[Genes, NDArray[np.int64]]:
    """Each candidate once, in order, and its row."""
    keys = getattr(space, "block_keys", None)
    marks = np.unique(genes, axis=0, return_inverse=True)[1] if keys is None else keys(stage, genes)
    first = np.sort(np.unique(marks.ravel(), return_index=True)[1])
    return genes[first], first


def _without(genes: Genes, used: Genes) -> Genes:
    """The candidates (n, g) that are in no row of `used` (m, g)."""
    return genes[~(genes[:, None] == used[None]).all(2).any(1)]
