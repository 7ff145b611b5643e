"""How well ranks of a region agree with what its architectures are worth when each is trained alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from tierwise import metrics, zero_cost
from tierwise.errors import BadSetting
from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.evaluators.fit import Fit, seeded
from tierwise.evaluators.fused import Fused
from tierwise.evaluators.recipe import Recipe
from tierwise.networks.threads import threads
from tierwise.supernets.region import Floats, Paths, Region

if TYPE_CHECKING:
    from torch import nn

TOGETHER = 100  # networks trained in one program
_SPLITS = 200  # random halves of the seeds


def retrained(
    region: Region,
    paths: Paths,
    data: Splits,
    *,
    classes: int,
    seeds: int,
    recipe: Recipe,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """(n, seeds) accuracies in percent of paths, each trained alone from `seeds` seeds on the training part: of the
    test part, or of the validation part where there is no other. NaN where a training failed.

    progress: told (trainings done, trainings in all). Raises BadSetting for data that are no arrays.
    """
    if seeds < 1 or not isinstance(data.train, Arrays):
        raise BadSetting("retraining", (seeds, type(data.train).__name__), "1 seed or more, data in arrays")
    archs, shape = region.archs(np.repeat(paths, seeds, axis=0)), data.train.shape
    states = np.random.SeedSequence(seed).generate_state(len(archs), np.uint32)
    found: list[float] = []
    with threads():
        for start in range(0, len(archs), TOGETHER):
            part, own = archs[start : start + TOGETHER], [int(s) for s in states[start : start + TOGETHER]]
            networks: list[nn.Module] = []
            for arch, each in zip(part, own, strict=True):
                with seeded(each):
                    networks.append(region.space.build(arch, classes=classes, shape=shape))
            fit = Fit(Fused(networks, shape), own, recipe, recipe.epochs, "cpu")
            for epoch in range(recipe.epochs):
                fit.epoch(epoch, data.train)
            scores = fit.scores(data.test or data.validation)
            found += np.where(np.isfinite(scores.loss), scores.accuracy, np.nan).tolist()
            if progress is not None:
                progress(len(found), len(archs))
    return np.array(found).reshape(len(paths), seeds)


def ceiling(accuracies: Floats, rng: np.random.Generator) -> float:
    """Mean Spearman correlation between the means of two halves of the seeds (n, seeds), over random halves: what no
    predictor can be expected to pass, save by luck. Raises BadSetting for a single seed.
    """
    count = accuracies.shape[1]
    if count < 2:
        raise BadSetting("seeds", count, "2 or more")
    found: list[float] = []
    for _ in range(_SPLITS):
        order = rng.permutation(count)
        one, two = accuracies[:, order[: count // 2]], accuracies[:, order[count // 2 :][: count // 2]]
        found.append(metrics.spearman(one.mean(1), two.mean(1)))
    return float(np.mean(found))


def counted(region: Region, paths: Paths, data: Splits, *, classes: int) -> dict[str, Floats]:
    """Scores of paths (n,) that need no training: the sum of the log2 of widths where the space has such choices,
    parameters, FLOPs, and the proxy ``zico``.
    """
    archs, space, shape = region.archs(paths), region.space, data.train.shape
    totals = space.totals(archs, classes=classes, shape=shape).astype(np.float64)
    found = {"params": totals[:, 1], "flops": totals[:, 0]}
    widths = [gene for gene, choice in enumerate(space.choices) if choice.path.endswith("/width")]
    if widths:
        tables = [np.log2([float(option) for option in space.choices[gene].options]) for gene in widths]
        found["log width"] = np.sum([t[archs.genes[:, g]] for t, g in zip(tables, widths, strict=True)], axis=0)
    sample: dict[str, Any] = {}
    if isinstance(data.train, Arrays):
        sample = {"images": data.train.x.numpy(), "labels": data.train.y.numpy()}
    found["zico"] = zero_cost.proxies(space, archs, ["zico"], classes=classes, shape=shape, **sample)["zico"]
    return found


@dataclass(frozen=True)
class Partial:
    """A partial rank correlation and its 95 % interval."""

    value: float
    low: float
    high: float


def partial(scores: Floats, truth: Floats, given: Floats, rng: np.random.Generator, draws: int = 1000) -> Partial:
    """Spearman correlation of scores (n,) and truth (n,) with what the ranks of `given` (n,) explain taken out of both,
    and a percentile interval over bootstrap draws of the n paths.
    """
    n = len(scores)
    rows = np.concatenate([np.arange(n)[None], rng.integers(0, n, size=(draws, n))])
    value, *drawn = _partial(*(rankdata(column[rows], axis=1) for column in (scores, truth, given)))
    known = np.array(drawn)[np.isfinite(drawn)]  # a draw of one path alone has no correlation
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Partial(float(value), float(low), float(high))


def _partial(a: Floats, b: Floats, given: Floats) -> Floats:
    """(k,) partial correlations of rows (k, n)."""
    a, b, given = (rows - rows.mean(1, keepdims=True) for rows in (a, b, given))
    norm = np.maximum((given**2).sum(1), 1e-12)  # nothing is taken out where what is given is the same for all
    a, b = (rows - ((rows * given).sum(1) / norm)[:, None] * given for rows in (a, b))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))
