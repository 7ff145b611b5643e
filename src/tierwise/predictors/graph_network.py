"""A graph convolution network that scores cells, trained with a ranking loss of choice."""

from __future__ import annotations

from typing import Any, Self

from tierwise.architecture import Archs
from tierwise.errors import MissingExtra
from tierwise.predictor import check_labels

try:
    import torch

    from tierwise.networks.threads import threads
    from tierwise.predictors.graph_scorer import GraphNetworks, GraphScorer
except ImportError as error:
    raise MissingExtra("predictor graph_network", "torch", "torch") from error


class GraphNetwork(GraphScorer):
    """Scores cells by graph convolutions over their operations, from a few dozen labels on.

    After Dudziak et al., "BRP-NAS: Prediction-based NAS using GCNs" (2020): a graph convolution network over
    operations as nodes that learns which of two cells is better. What is different:

    * The published network sees a pair and gives the chance that the first is better; here each cell has a score
      and the pairwise logistic loss compares them, so a whole space is scored in one pass.
    * Links are seen in both directions, layers are residual and few; instead of a global node the mean over the
      nodes is read out. Published are four layers of 600 along undirected normalised links.
    * Identities and nodes on no way from input to output are left out of the graph.
    * A few networks are trained side by side: the mean scores, the spread is the standard deviation.
    * The published search (alternate training and querying the top) is a strategy's affair.

    loss: name of a ranking loss, see `ranking_losses.LOSSES`; it sees the ranks of the labels.
    members, width, layers: networks in the ensemble, and their size.
    steps, epochs, batch: optimiser steps, more if `epochs` passes over the labels need more; rows in each step.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once.
    seed: decides weights and batches.

    Raises UnknownName for an unknown loss, BadSetting for sizes below 1 and for a space of other operations.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> GraphNetwork(steps=10).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    def __init__(
        self,
        *,
        loss: str = "pairwise",
        members: int = 4,
        width: int = 48,
        layers: int = 3,
        steps: int = 150,
        epochs: int = 40,
        batch: int = 256,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        seed: int = 0,
    ):
        self.loss = loss
        self.members, self.width, self.layers = members, width, layers
        self.steps, self.epochs, self.batch = steps, epochs, batch
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.seed = seed

    @threads()
    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4."""
        rows, labels = check_labels(archs, y)
        self._check_least(members=1, width=1, layers=1, steps=1, batch=2)
        self._train_ranks(rows, labels, self.loss, self.seed)
        return self

    def _make_network(self, codes: int, generator: torch.Generator) -> GraphNetworks:
        return GraphNetworks(self.members, codes, self.width, self.layers, 1, generator)
