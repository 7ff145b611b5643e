"""Ranks of all architectures of a region from a few trainings of its supernet.

Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024): differentiable search, used not
to choose one architecture but to compare those of a region. Ranks mean nothing outside their region.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from tierwise import metrics, registry
from tierwise.errors import BadSetting, TrainingFailed, UnknownName
from tierwise.evaluators.dataset import Splits
from tierwise.evaluators.recipe import Recipe
from tierwise.supernets.alone import alone_weights
from tierwise.supernets.region import Floats, Paths, Region, best_paths
from tierwise.supernets.search import RECIPE, Optimiser, Weighed, search
from tierwise.supernets.stages import supernet
from tierwise.supernets.supernet import Supernet

MOST_COMPARED = 10_000  # paths over which runs are compared

_AGGREGATIONS: dict[str, tuple[Callable[[Floats], Floats], Callable[..., Any]]] = {
    # name: what is done to the weight of a candidate, and how those of a path become one number
    "mean": (lambda weights: weights, np.mean),
    "log-sum": (lambda weights: np.log(np.maximum(weights, 1e-300)), np.sum),
    "min": (lambda weights: weights, np.min),
}
AGGREGATIONS = tuple(_AGGREGATIONS)
READINGS = ("alone", "weights")


@dataclass(frozen=True)
class FadeRanks:
    """What a region's candidates are worth to each other.

    runs: for each stage (runs, m) weights of its candidates, those of a run adding up to 1. aggregation: of the weights
    along a path: "log-sum" (of a factorised probability; one bad stage spoils it), "mean" (the paper's) or "min".
    searches: what each run has found, in full. Raises UnknownName.
    """

    region: Region
    runs: tuple[Floats, ...]
    aggregation: str = "log-sum"
    searches: tuple[Weighed, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.aggregation not in _AGGREGATIONS:
            raise UnknownName("aggregation", self.aggregation, AGGREGATIONS)

    @property
    def weights(self) -> tuple[Floats, ...]:
        """(m,) for each stage, the mean of the runs."""
        return tuple(stage.mean(0) for stage in self.runs)

    def score(self, paths: Paths) -> Floats:
        """(n,) scores of paths (n, stages): what they are ranked by, highest first."""
        return self._scores(self.weights, paths)

    def score_by_run(self, paths: Paths) -> Floats:
        """(runs, n) scores from each run alone."""
        return np.stack([self._scores([stage[run] for stage in self.runs], paths) for run in range(len(self.runs[0]))])

    def top(self, count: int) -> tuple[Paths, Floats]:
        """The `count` best paths and their scores, best first, found without listing the region."""
        value, combined = _AGGREGATIONS[self.aggregation]
        return best_paths([value(weights) for weights in self.weights], count, lambda own: float(combined(own)))

    def reliability(self, rng: np.random.Generator) -> float:
        """Mean Spearman correlation between the scores of any two runs, over the region or a sample of it; NaN for one
        run.
        """
        few = self.region.size <= MOST_COMPARED
        scores = self.score_by_run(self.region.paths() if few else self.region.sample(MOST_COMPARED, rng))
        pairs = [metrics.spearman(a, b) for a, b in itertools.combinations(scores, 2)]
        return float(np.mean(pairs)) if pairs else float("nan")

    def _scores(self, weights: Sequence[Floats], paths: Paths) -> Floats:
        value, combined = _AGGREGATIONS[self.aggregation]
        each = [value(own)[column] for own, column in zip(weights, np.asarray(paths).T, strict=True)]
        return combined(np.stack(each, 1), axis=1)


def fade_ranks(
    region: Region,
    data: Splits,
    *,
    classes: int,
    runs: int = 3,
    epochs: int = 24,
    optimiser: Optimiser | None = None,
    recipe: Recipe = RECIPE,
    reading: str = "alone",
    aggregation: str = "log-sum",
    seed: int = 0,
    progress: Callable[[int, int, float], None] | None = None,
) -> FadeRanks:
    """Train the supernet of a region `runs` times, with new initial weights and orders, and rank by the mean.

    optimiser: of the weights of candidates, by default ``fair``. reading: what a candidate is ranked by once the
    supernet is trained: "alone", the loss with it alone in its stage (`alone_weights`, on one validation batch), or
    "weights", what the optimiser has learnt. progress: is told run, epoch and training loss. Raises BadSetting,
    UnknownName, TrainingFailed.
    """
    if runs < 1:
        raise BadSetting("runs", runs, "1 or more")
    if reading not in READINGS:
        raise UnknownName("reading", reading, READINGS)
    chosen = optimiser or registry.make("optimiser", "fair")
    searches: list[Weighed] = []
    found: list[Sequence[Floats]] = []
    for run, own in enumerate(np.random.SeedSequence(seed).generate_state(runs, np.uint32).tolist()):
        told = None if progress is None else _of_run(progress, run)
        net = supernet(region, shape=data.train.shape, classes=classes, batch=recipe.batch, seed=own)
        weighed = search(net, data, chosen, epochs=epochs, seed=own, recipe=recipe, progress=told)
        searches.append(weighed)
        found.append(weighed.weights if reading == "weights" else _alone(net, data, recipe.batch, own))
    weights = tuple(np.stack(stage) for stage in zip(*found, strict=True))
    return FadeRanks(region, weights, aggregation, tuple(searches))


def _alone(net: Supernet, data: Splits, batch: int, seed: int) -> list[Floats]:
    """`alone_weights` of a batch of the validation part."""
    held = data.validation
    rows = torch.randperm(len(held), generator=torch.Generator().manual_seed(seed))[:batch, None]
    x, y = next(held.batches(batch, rows))
    alone = [own.double().numpy() for own in alone_weights(net, x[:, 0], y[:, 0])]
    if not all(np.isfinite(own).all() for own in alone):
        raise TrainingFailed("all losses of candidates alone are no numbers; lower the rate of the recipe")
    return alone


def _of_run(progress: Callable[[int, int, float], None], run: int) -> Callable[[int, float], None]:
    return lambda epoch, loss: progress(run, epoch, loss)
