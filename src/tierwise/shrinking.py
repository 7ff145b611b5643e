"""A smaller space to search, from a few labels, and what was lost and gained by it.

smaller = shrink(space, archs, y, by="tiers")
print(Shrinkage.of(space, smaller, archs, y))
save_space(smaller, "small.toml")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.candidates import FEWEST, Labels, fitted
from tierwise.errors import BadSetting, UnknownName
from tierwise.history import LARGEST_SWEEP
from tierwise.locality import FARTHEST, autocorrelation, rank_distance, shrunk
from tierwise.metrics import ranks
from tierwise.predictor import Predictor, Scores, score_all
from tierwise.reduction import reduced_space
from tierwise.space import Space
from tierwise.spaces.subset import part, plain
from tierwise.tier_statistics import option_counts

# the ways, and how much each keeps unless told otherwise
WAYS = {"lissnas": 0.05, "ranknas": 0.9, "tiers": 0.5}
_SAMPLE = 1_000  # in which LISSNAS finds seeds
_ROWS = 20_000  # architectures that stand for a larger space
_BEST_SHARE, _BEST_ROWS = 0.05, 50  # of these rows count as the best tier, at least
_PAIRS = 2_000


def shrink(
    space: Space,
    archs: Architectures,
    y: Any,
    *,
    by: str = "tiers",
    keep: float | None = None,
    predictor: str = "auto",
    seed: int = 0,
) -> Space:
    """The part of `space` that is worth searching, by one of three ways; ``save_space`` writes it to a file.

    archs, y: 10 labelled architectures of the space or more (20 for ranknas), and their (n,) labels, higher better.
    predictor: a registered one, fitted on them. keep: a share, more keeps more. seed: decides all samples.

    by="tiers": of each choice the options that are not clearly absent from the best predicted tier, i.e. whose share
    there is at least 1 - `keep` (0.5) of their share in the space. The space stays one of free choices: it can be as
    large as it likes, its file is a few lines that a person can read, and what the predictor misjudges is kept as long
    as its options are good elsewhere; a list of the members of the best tier would be none of that. The best tier is
    that of the predictor where it has tiers and at least a twentieth of the space is in it, else the twentieth with
    the best scores. After the idea of quality tiers of Guo et al., "Generalized Global Ranking-Aware Neural
    Architecture Ranker for Efficient Image Classifier Search" (2022); the rule is ours.
    by="ranknas": choices that matter little frozen at their best option; the others hold `keep` (0.9) of the
    importance. See ``tierwise.reduction.reduced_space``. Hu et al., "RankNAS" (2021).
    by="lissnas": members around good ones, a list; `keep` (0.05) is the share of a sample that are seeds. See
    ``tierwise.locality.shrunk``. Gopal et al., "LISSNAS" (2023).

    Equal labels shrink nothing. Raises UnknownName, BadSetting.
    """
    if by not in WAYS:
        raise UnknownName("way to shrink a space", by, WAYS)
    share, labels = WAYS[by] if keep is None else keep, np.asarray(y, dtype=np.float64)
    if not 0 < share <= 1:
        raise BadSetting("keep", keep, "a share, more than 0 and up to 1.0")
    if len(archs) < FEWEST:
        raise BadSetting("labels", f"{len(archs)} of them", f"at least {FEWEST} labelled architectures")
    if not np.ptp(labels):
        return space
    rng = np.random.default_rng(seed)
    if by == "lissnas":
        seeds = max(1, round(share * _SAMPLE))
        return part(space, shrunk(archs, labels, space, rng, predictor=predictor, seeds=seeds, seed=seed))
    if by == "ranknas":
        return plain(reduced_space(space, archs, labels, predictor=predictor, keep=share, seed=seed))
    return plain(_best_options(space, fitted(predictor, seed, Labels(archs, labels)), share, rng))


def _best_options(space: Space, predictor: Predictor, keep: float, rng: np.random.Generator) -> Space:
    """Without the options that are rarer in the best tier than 1 - `keep` of what they are in the space.

    Where not every combination is a member, at least one member of the best tier stays.
    """
    rows = _rows(space, rng)
    best = _best_tier(predictor, rows)
    in_best, in_all = option_counts(rows.genes, np.where(best, 0, 1), 2, space.allowed.shape[1]).cumsum(0)
    short = in_best * in_all.sum(1, keepdims=True) < (1 - keep) * in_all * in_best.sum(1, keepdims=True)
    left = rows.genes[best]
    for gene, choice in enumerate(space.choices):
        stays = left[(left[:, gene] < 0) | ~short[gene][left[:, gene]]]
        if short[gene].any() and len(stays):
            left = stays
            kept = space.allowed[gene] & ~short[gene]
            space = space.narrow(choice.path, [o for o, k in zip(choice.options, kept, strict=False) if k])
    return space


def _best_tier(predictor: Predictor, rows: Architectures) -> NDArray[np.bool_]:
    """(n,) who is in the best predicted tier, or, where that is too small to be counted in, who scores best."""
    least = min(len(rows), max(_BEST_ROWS, round(_BEST_SHARE * len(rows))))
    tiers: Any = getattr(predictor, "predict_tier", None)
    if tiers is not None:
        best = np.concatenate([np.asarray(tiers(chunk)) == 0 for chunk in rows.chunks()])
        if best.sum() >= least:
            return best
    best = np.zeros(len(rows), dtype=np.bool_)
    best[np.argsort(-score_all(predictor, rows), kind="stable")[:least]] = True
    return best


def _rows(space: Space, rng: np.random.Generator) -> Architectures:
    """The whole space, or a sample that stands for it."""
    return space.enumerate() if space.size <= _ROWS else space.sample(_ROWS, rng)


@dataclass(frozen=True)
class Recorded:
    """A recorded quantity: its mean (before, after), and the rank that the best one kept has in the space before."""

    mean: tuple[float, float]
    rank: int


@dataclass(frozen=True)
class Shrinkage:
    """What a shrinkage has lost and gained; pairs are (before, after).

    size: architectures. best_kept: whether the best labelled one, or the very same network, is still there.
    predicted: mean score. differing: mean share of genes in which two random architectures differ.
    recorded: by name, what a table knows of the whole space.
    autocorrelation, rank_distance: of the scores before, after 1, 2, ... moves: what shrinking by locality rests on.
    """

    size: tuple[int, int]
    best_kept: bool
    predicted: tuple[float, float]
    differing: tuple[float, float]
    recorded: Mapping[str, Recorded]
    autocorrelation: tuple[float, ...]
    rank_distance: tuple[float, ...]

    @classmethod
    def of(
        cls,
        space: Space,
        smaller: Space,
        archs: Architectures,
        y: Any,
        *,
        predictor: str = "auto",
        columns: Mapping[str, NDArray[Any]] | None = None,
        seed: int = 0,
    ) -> Self:
        """By the labels and the predictor that the space was shrunk with.

        columns: recorded quantities by name, (size,) in the order of ``space.index``, NaN where there is none.
        """
        labels = np.asarray(y, dtype=np.float64)
        model = fitted(predictor, seed, Labels(archs, labels))

        def score(rows: Architectures) -> Scores:
            return score_all(model, rows)

        before, after = (_rows(each, np.random.default_rng(seed)) for each in (space, smaller))
        return cls(
            size=(space.size, smaller.size),
            best_kept=_has(smaller, archs[[int(labels.argmax())]]),
            predicted=(float(score(before).mean()), float(score(after).mean())),
            differing=(_differing(before, seed), _differing(after, seed)),
            recorded={name: _recorded(space, smaller, column) for name, column in (columns or {}).items()},
            autocorrelation=tuple(autocorrelation(space, score, np.random.default_rng(seed), FARTHEST).tolist()),
            rank_distance=tuple(rank_distance(space, score, np.random.default_rng(seed), FARTHEST).tolist()),
        )


def _has(space: Space, one: Architectures) -> bool:
    """Whether a space has this network, be it in other genes."""
    if space.contains(one)[0]:
        return True
    return space.size <= LARGEST_SWEEP and bool(np.isin(space.canonical(one), space.canonical(space.enumerate())).any())


def _differing(rows: Architectures, seed: int) -> float:
    pairs = np.random.default_rng(seed).integers(len(rows), size=(2, _PAIRS))
    return float((rows.genes[pairs[0]] != rows.genes[pairs[1]]).mean())


def _recorded(space: Space, smaller: Space, column: NDArray[Any]) -> Recorded:
    kept = space.index(Architectures(space, smaller.enumerate().genes))
    return Recorded((float(np.nanmean(column)), float(np.nanmean(column[kept]))), int(ranks(column)[kept].min()))
