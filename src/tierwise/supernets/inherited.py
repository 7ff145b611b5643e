"""Whole paths of a trained supernet, each looked at with the weights that it inherits.

Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (2020). Unlike weights of candidates
this sees what candidates do together; it takes one look a path, so it suits the paths of a small region or the best of
a large one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tierwise.evaluators.dataset import Arrays
from tierwise.supernets.region import Floats, Paths
from tierwise.supernets.stages import StagedSupernet

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
