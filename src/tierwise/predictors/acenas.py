"""A graph network that learns what cells cost before it learns to put the best of them on top."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import check_labels

try:
    import torch
    from torch import Tensor, nn

    from tierwise.networks.threads import threads
    from tierwise.predictors.graph_scorer import GraphNetworks, GraphScorer, descend, some_rows, take
    from tierwise.predictors.ranking_losses import lambdarank
except ImportError as error:
    raise MissingExtra("predictor acenas", "torch", "torch") from error

COSTS = 2  # FLOPs and parameters


class AceNAS(GraphScorer):
    """Ranks cells with the top in mind, by a graph network that has learnt their costs from unlabelled cells first.

    Zhang et al., "AceNAS: Learning to Rank Ace Neural Architectures with Weak Supervision of Weight Sharing" (2021).
    As published: a graph convolution network is pretrained with mean squared error on standardised weak labels, then
    fine-tuned by LambdaRank, where gains are 2**relevance - 1 and relevance goes up to 20. What is different:

    * Weak labels are FLOPs and parameters of cells drawn from the space; accuracies in a network of shared weights
      are another source, which the space does not have. A space without cost formulas is learnt without pretraining.
    * Changes of NDCG are taken at the positions of the present scores, as LambdaRank is defined; the released code
      takes the places of the labels instead.
    * The mean over the nodes is read out instead of sorted nodes that pass through convolutions; layers are residual
      and see links in both directions; identities and nodes on no way from input to output are left out.
    * A few networks are trained side by side, for a fixed number of steps on as many rows as fit in a batch
      (published: one network, batches of 20, stopped early): the spread is the standard deviation.

    members, width, layers: networks in the ensemble, and their size.
    cells, pretraining_steps: how many cells are drawn to learn costs from, and optimiser steps on them.
    steps, epochs, batch: steps on the labels, more if `epochs` passes need more; rows in each step of either kind.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once in pretraining and once in fine-tuning.
    seed: decides cells, weights and batches.

    Raises BadSetting for sizes below 1 and for a space of other operations.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> AceNAS(pretraining_steps=5, steps=10).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    def __init__(
        self,
        *,
        members: int = 4,
        width: int = 48,
        layers: int = 3,
        cells: int = 1_000,
        pretraining_steps: int = 100,
        steps: int = 150,
        epochs: int = 40,
        batch: int = 256,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        seed: int = 0,
    ):
        self.members, self.width, self.layers = members, width, layers
        self.cells, self.pretraining_steps = cells, pretraining_steps
        self.steps, self.epochs, self.batch = steps, epochs, batch
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.seed = seed

    @threads()
    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4; the space's costs are learnt anew each time."""
        rows, labels = check_labels(archs, y)
        self._check_least(members=1, width=1, layers=1, cells=2, pretraining_steps=1, steps=1, batch=2)
        generator = torch.Generator().manual_seed(self.seed)
        network = self._start(rows, generator)
        self._pretrain(network, rows, generator)
        self._train_scores(network, rows, torch.from_numpy(labels), lambdarank, generator)
        return self

    def _pretrain(self, network: nn.Module, rows: Architectures, generator: torch.Generator) -> None:
        """Learn FLOPs and parameters of cells drawn from the space, where it has formulas for them."""
        drawn = rows.space.sample(self.cells, np.random.default_rng(self.seed))
        costs = standard_costs(drawn)
        if costs is None:
            return
        cells, target = self._cells(drawn), torch.from_numpy(costs)

        def step_loss() -> Tensor:
            pick = some_rows(len(drawn), self.batch, generator)
            return (network(take(cells, pick))[..., 1:] - target[pick]).square().mean((1, 2)).sum()

        descend(network, self.pretraining_steps, self.learning_rate, self.weight_decay, step_loss)

    def _make_network(self, codes: int, generator: torch.Generator) -> GraphNetworks:
        return GraphNetworks(self.members, codes, self.width, self.layers, 1 + COSTS, generator)


def standard_costs(archs: Architectures) -> NDArray[np.float32] | None:
    """(n, 2) FLOPs and parameters with mean 0 and spread 1; None where the space has no formulas."""
    try:
        costs = archs.space.totals(archs).astype(np.float64)
    except BadSetting:
        return None
    spread = costs.std(0)
    return ((costs - costs.mean(0)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
