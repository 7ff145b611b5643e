"""Locality of a space: near architectures are of similar quality, so a smaller space is what lies around good ones.

Gopal et al., "LISSNAS: Locality-based Iterative Search Space Shrinkage for Neural Architecture Search" (2023).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import Labels, fitted
from tierwise.errors import BadSetting
from tierwise.predictor import score_all
from tierwise.space import Space

Floats = NDArray[np.float64]
Values = Callable[[Architectures], Any]  # a batch to its (n,) qualities, higher better
FARTHEST = 3  # moves that may still count as near: beyond, a neighbourhood is no smaller than a small space
_WALKS = 500
_LOCAL = 0.5  # autocorrelation above which so many moves count as near
_RING = 30_000  # rows generated for one ring of neighbours at most
_SHRINKAGES = 10


class Quality:
    """What is known of architectures: the predictor's score, and among those with labels the labels' order.

    predictor: a registered one. archs, y: labelled architectures and their (n,) labels, higher better.
    """

    def __init__(self, predictor: str, seed: int, archs: Architectures, y: Floats):
        self.predictor = fitted(predictor, seed, Labels(archs, y))
        keys = archs.space.canonical(archs)
        order = np.argsort(keys)
        self.archs, self.keys = archs, keys[order]
        score = np.sort(score_all(self.predictor, archs))
        self.score = score[np.argsort(np.argsort(y, kind="stable"), kind="stable")][order]

    def __call__(self, rows: Architectures) -> Floats:
        """(n,)"""
        if not len(rows):
            return np.zeros(0)
        keys = rows.space.canonical(rows)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.score[place], score_all(self.predictor, rows))


def autocorrelation(space: Space, values_fn: Values, rng: np.random.Generator, steps: int) -> Floats:
    """(steps,) correlation of the quality before and after 1, 2, ... random moves; NaN where all are equal."""
    walks = _walks(space, values_fn, rng, steps)
    varied = np.ptp(walks, axis=1) > 0
    return np.array(
        [np.corrcoef(walks[0], walks[k])[0, 1] if varied[0] and varied[k] else np.nan for k in range(1, steps + 1)]
    )


def rank_distance(space: Space, values_fn: Values, rng: np.random.Generator, steps: int) -> Floats:
    """(steps,) mean difference in rank before and after 1, 2, ... random moves, as a share of all ranks.

    Architectures that have nothing to do with each other differ by a third.
    """
    walks = _walks(space, values_fn, rng, steps)
    ordered = np.sort(walks, axis=None)
    rank = np.searchsorted(ordered, walks, "left") + np.searchsorted(ordered, walks, "right")  # twice the mean rank
    return np.abs(rank[1:] - rank[0]).mean(1) / (2 * ordered.size)


def _walks(space: Space, values_fn: Values, rng: np.random.Generator, steps: int) -> Floats:
    """(steps + 1, walks) values after 0, 1, ... random one-gene moves from random architectures."""
    here = space.sample(_WALKS, rng)
    values = [values_fn(here)]
    for _ in range(steps):
        here = space.mutate(here, rng)
        values.append(values_fn(here))
    return np.array(values, dtype=np.float64)


def near_moves(space: Space, quality: Values, rng: np.random.Generator) -> int:
    """How many moves still count as near, by the quality's autocorrelation: 1 to 3."""
    local = autocorrelation(space, quality, rng, FARTHEST) > _LOCAL
    return max(1, int(local.cumprod().sum()))


def shrunk(
    archs: Architectures,
    y: Any,
    space: Space,
    rng: np.random.Generator,
    *,
    predictor: str = "gp",
    sample: int = 1_000,
    seeds: int = 50,
    margin: float = 1.0,
    seed: int = 0,
) -> Architectures:
    """What is left of `space` around its good members, each network once.

    archs, y: labelled architectures and their (n,) labels, higher better. predictor, seed: estimate all others.
    sample: architectures drawn to find seeds among, and to see whether the mean still rises. seeds: the best of them.
    margin: how far a neighbour may be below its seed, in standard deviations of the first sample's estimates.

    Published: the best of a sample are seeds, the new space is their neighbours within some moves and a margin, and so
    on until the mean of a new sample no longer rises. Ours: all numbers; labels as seeds beside the sample; the order
    of the labels on the predictor's scale; as many moves as keep the estimates' autocorrelation above 0.5, 3 at most.
    Raises BadSetting.
    """
    if not 1 <= seeds <= sample or not 0 <= margin < np.inf:
        given = f"seeds {seeds} of {sample}, margin {margin}"
        raise BadSetting("shrinkage", given, "seeds of 1 to sample, margin of 0 or more")
    quality = Quality(predictor, seed, archs, np.asarray(y, dtype=np.float64))
    near = near_moves(space, quality, rng)
    return around_the_best(space, quality, near, space.contains, rng, sample=sample, seeds=seeds, margin=margin)


def around_the_best(
    space: Space,
    quality: Quality,
    near: int,
    feasible: Values,
    rng: np.random.Generator,
    *,
    sample: int,
    seeds: int,
    margin: float,
) -> Architectures:
    """As ``shrunk``, by a quality and a number of moves that are known, of what is feasible (a batch to (n,) bools).

    The last space whose sample was better on average than that of the space before.
    """

    def kept(rows: Architectures, mask: Any = True) -> Architectures:
        return rows[np.flatnonzero(feasible(rows) & mask)]

    left = drawn = _once(kept(space.sample(sample, rng)))
    labelled, score = kept(quality.archs), quality(drawn)
    below = margin * (float(score.std()) if len(score) else 0.0)
    for _ in range(_SHRINKAGES):
        candidates = _once(concatenate([labelled, drawn]))
        ability = quality(candidates)
        best = np.argsort(-ability, kind="stable")[:seeds]
        around, least = _neighbourhood(candidates[best], ability[best] - below, near, rng)
        smaller = kept(around, quality(around) >= least)
        drawn = smaller[rng.permutation(len(smaller))[:sample]]
        before, score = score, quality(drawn)
        if len(before) and (not len(score) or score.mean() <= before.mean()):
            break
        left = smaller
    return left


def _neighbourhood(
    seeds: Architectures, least: Floats, near: int, rng: np.random.Generator
) -> tuple[Architectures, Floats]:
    """Seeds and what is `near` moves or fewer from one, each network once, and (n,) the lowest limit of its seeds.

    Of rings too large to be generated, a random part.
    """
    rings, limits = [seeds], [least]
    widest = max(1, _RING // int(seeds.space.allowed.sum()))
    for _ in range(near):
        spread = rng.permutation(len(rings[-1]))[:widest]
        children, parent = seeds.space.neighbours(rings[-1][spread])
        limit = limits[-1][spread][parent]
        first = _first(children, limit)
        rings.append(children[first])
        limits.append(limit[first])
    rows, limit = concatenate(rings), np.concatenate(limits)
    first = _first(rows, limit)
    return rows[first], limit[first]


def _first(rows: Architectures, limit: Floats) -> NDArray[np.int64]:
    """The row of each network with the lowest limit."""
    order = np.argsort(limit, kind="stable")
    return order[np.unique(rows.space.canonical(rows[order]), return_index=True)[1]]


def _once(rows: Architectures) -> Architectures:
    return rows[_first(rows, np.zeros(len(rows)))]
