"""What a process of its own works out: scores of the whole map by a predictor that has learnt the results so far."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import TierwiseError
from tierwise.explanation import explain
from tierwise.navigator.scale import Scale
from tierwise.predictor import score_all, score_and_std
from tierwise.space import Space

Floats = NDArray[np.float64]
TIERS = 5
POLITE = 10  # niceness: a search on the same machine goes first
MOST_LABELS = 5_000  # that `auto` is made for; boosted trees take more
OTHERS = ("trees", "forest")  # where a predictor can not be had, or not in this space


@dataclass(frozen=True)
class Labelled:
    """What a predictor learns from: genes (n, choices) of a space, y (n,) higher better. name: of the predictor."""

    space: Space
    genes: NDArray[np.int16]
    y: Floats
    name: str
    seed: int


@dataclass(frozen=True)
class Scores:
    """Of every row, in the unit of the results: score, std (NaN where the predictor does not know it); tier (0 best).
    edges: (4,) least score of each tier but the last, the best first. name: who predicts. labels: how many it has
    learnt.
    """

    score: Floats
    std: Floats
    tier: NDArray[np.uint8]
    edges: Floats
    name: str
    labels: int


def score(labelled: Labelled, genes: NDArray[np.int16] | None) -> Scores:
    """Scores of these architectures, or of the whole space."""
    archs = _archs(labelled.space, genes)
    predictor, name, scale = fitted(labelled)
    if getattr(predictor, "gives_std", False):
        raw, std = score_and_std(predictor, archs)
    else:
        raw, std = score_all(predictor, archs), np.full(len(archs), np.nan)
    raw, std = np.asarray(raw, dtype=np.float64), np.asarray(std, dtype=np.float64)
    values = scale(raw)
    return Scores(values, scale.spread(raw, std), *_fifths(values), name, len(labelled.y))


def beforehand(labelled: Labelled, later: NDArray[np.int16], sample: NDArray[np.int16]) -> Floats:
    """(n,) which share of a sample each of the later ones is scored above, by a predictor without their results."""
    predictor = fitted(labelled)[0]
    asked, others = (score_all(predictor, _archs(labelled.space, rows)) for rows in (later, sample))
    return np.searchsorted(np.sort(others), asked) / len(others)


def scored(labelled: Labelled, genes: NDArray[np.int16]) -> Floats:
    """(n,) scores of architectures that are not on the map, in the unit of the results."""
    predictor, _, scale = fitted(labelled)
    return scale(np.asarray(score_all(predictor, _archs(labelled.space, genes)), dtype=np.float64))


@dataclass(frozen=True)
class Explained:
    """What raises and lowers one score: name, content of a column and its effect, the strongest first."""

    reasons: list[tuple[str, float, float]]
    base: float
    score: float


def explained(labelled: Labelled, scores: Floats | None, genes: NDArray[np.int16], count: int) -> Explained:
    """Of one architecture. scores: of the whole space, where they are known; else the predictor is fitted.

    Somebody waits for it: it is not polite.
    """
    scorer: Any = fitted(labelled)[0] if scores is None else _Known(scores)
    found = explain(scorer, _archs(labelled.space, genes), seed=labelled.seed)
    return Explained(found.top(count), float(found.base), float(found.score[0]))


@dataclass
class _Known:
    """A predictor that has scored its whole space already."""

    scores: Floats

    def fit(self, archs: Any, y: Any) -> Any:
        raise NotImplementedError

    def predict(self, archs: Architectures) -> Floats:
        return self.scores[archs.space.index(archs)]


_fits: dict[tuple[Any, ...], tuple[Any, str, Scale]] = {}  # the last one of this process


def fitted(labelled: Labelled) -> tuple[Any, str, Scale]:
    """The predictor, its name, and the unit of the results; another one where it can not be had.

    Raises TierwiseError where none can.
    """
    key = labelled.name, labelled.seed, labelled.genes.tobytes(), labelled.y.tobytes()
    if key not in _fits:
        archs, problems = _archs(labelled.space, labelled.genes), list[TierwiseError]()
        first = OTHERS[0] if len(labelled.y) > MOST_LABELS else labelled.name
        for name in dict.fromkeys((first, *OTHERS)):
            try:
                predictor = registry.make("predictor", name, **_seeded(name, labelled.seed)).fit(archs, labelled.y)
            except TierwiseError as error:
                problems.append(error)
                continue
            _fits.clear()
            own = np.asarray(score_all(predictor, archs), dtype=np.float64)
            _fits[key] = predictor, name, Scale.of(own, labelled.y)
            break
        else:
            raise problems[0]
    return _fits[key]


def _seeded(name: str, seed: int) -> dict[str, int]:
    return {"seed": seed} if "seed" in registry.find("predictor", name)().get_params(deep=False) else {}


def _fifths(score: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Tier of each of the whole map, and the least score of all but the last.

    Not the tiers of the predictor, which are of what it has learnt from: a search evaluates good ones, and would leave
    nearly all of the map in its last tier.
    """
    order = np.argsort(-score, kind="stable")
    ends = [len(score) * tier // TIERS for tier in range(1, TIERS)]
    above = float(np.nextafter(score.max(), np.inf)) if len(score) else 0.0
    edges = np.array([score[order[end - 1]] if end else above for end in ends])
    return (edges[None, :] > score[:, None]).sum(1).astype(np.uint8), edges


def _archs(space: Space, genes: NDArray[np.int16] | None) -> Architectures:
    space = _listed(space)
    return space.enumerate() if genes is None else Architectures(space, genes)


@functools.lru_cache(maxsize=1)
def _listed(space: Space) -> Space:
    """The space itself, the same object for equal ones: what it remembers is remembered by this process."""
    return space


def politely(work: Callable[..., Any], *given: Any) -> Any:
    """What `work` says, in a process that gives way to all others from now on."""
    os.setpriority(os.PRIO_PROCESS, 0, max(POLITE, os.getpriority(os.PRIO_PROCESS, 0)))
    return work(*given)


def ready() -> None:
    """Nothing, but the process is there and has imported what it needs."""
