"""Whole paths of a trained supernet, each looked at with the weights that it inherits.

Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (2020). Unlike weights of candidates
this sees what candidates do together; it takes one look a path, so it suits the paths of a small region or the best of
a large one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from tierwise.errors import BadSetting
from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.evaluators.recipe import Recipe
from tierwise.supernets.fade import trained
from tierwise.supernets.region import Floats, Paths, Region
from tierwise.supernets.stages import StagedSupernet

MOST_PATHS = 5_000  # of a region, where each is looked at
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def inherited_scores(net: StagedSupernet, paths: Paths, data: Arrays) -> Floats:
    """(n,) less the mean cross entropy of each path on these data, highest is best.

    Batch norms take the statistics of these data: those that a supernet has gathered are of all paths together. The
    supernet stays as it is.
    """
    found: list[float] = []
    for path in paths.tolist():
        network = net.discrete(path).eval()
        for module in network.modules():
            if isinstance(module, _NORMS):
                module.train()
        found.append(-float(nn.functional.cross_entropy(network(data.x), data.y)))
    return np.array(found)


def best_path_scores(
    region: Region, data: Splits, *, classes: int, runs: int, epochs: int, optimiser: Any, recipe: Recipe, seed: int
) -> tuple[Floats, ...]:
    """For each stage (m,) of each candidate the score of the best path through it, mean of `runs` supernets.

    Where candidates work together, what one is worth alone misleads: the best of these lie on the best path of all.
    Raises BadSetting for a region of more than 5,000 paths, and for validation data that come as a stream; Diverged.
    """
    if region.size > MOST_PATHS:
        allowed = f"{MOST_PATHS:,} or fewer where each is looked at; with reading 'weights' any number"
        raise BadSetting("paths of a region", f"{region.size:,}", allowed)
    if not isinstance(data.validation, Arrays):
        raise BadSetting("validation data", "a stream", "arrays, where every path is looked at; else reading 'weights'")
    paths, score = region.paths(), np.zeros(region.size)
    given: Any = {"classes": classes, "runs": runs, "epochs": epochs, "optimiser": optimiser, "recipe": recipe}
    for net, _ in trained(region, data, seed=seed, **given):
        score += inherited_scores(net, paths, data.validation) / runs
    grid = score.reshape(region.counts)
    others = [tuple(j for j in range(grid.ndim) if j != k) for k in range(grid.ndim)]
    return tuple(grid.max(axes) for axes in others)
