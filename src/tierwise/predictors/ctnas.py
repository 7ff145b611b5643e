"""A comparator of two cells, and ranking by how often a cell wins against the labelled ones."""

from __future__ import annotations

from typing import Any, Self

from tierwise.architecture import Archs
from tierwise.errors import MissingExtra
from tierwise.predictor import check_labels

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor

    from tierwise.networks.threads import threads
    from tierwise.predictors.graph_scorer import GraphNetworks, GraphScorer, take
except ImportError as error:
    raise MissingExtra("predictor ctnas", "torch", "torch") from error


class CTNAS(GraphScorer):
    """Says of two cells which is better; the score of a cell is its mean chance to win against the labelled cells.

    Chen et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators" (2021). As
    published: a graph convolution encoder with the mean over the nodes read out, one linear map of the features of
    both cells side by side to the logit of a win, binary cross-entropy, and ranking by the sum of win probabilities.
    What is different:

    * Every ordered pair of a batch is learnt from, where the source pairs a batch with a shuffle of itself; equal
      labels have a target of one half.
    * As the map is linear, a logit is what the first cell brings plus what the second brings: a space is compared
      with all labelled cells in one pass.
    * Published is one network of four layers of 128 and 1,000 epochs at a small rate; here a few smaller ones stand
      side by side, and the spread is the standard deviation. Layers are residual and see links in both directions.
    * Identities and nodes on no way from input to output are left out of the graph.
    * The published search (a controller, a baseline that rises, pseudo labels) is no part of the predictor.

    members, width, layers: networks in the ensemble, and their size.
    steps, epochs, batch: optimiser steps, more if `epochs` passes over the labels need more; rows in each step.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once.
    seed: decides weights and batches.

    Fitted: ``network_``, ``opponents_`` (members, labels), what each labelled cell brings as the second of two.
    Raises BadSetting for sizes below 1 and for a space of other operations.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> CTNAS(steps=10).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    _fitted = ("opponents",)

    def __init__(
        self,
        *,
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
        self.members, self.width, self.layers = members, width, layers
        self.steps, self.epochs, self.batch = steps, epochs, batch
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.seed = seed

    @threads()
    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4."""
        rows, labels = check_labels(archs, y)
        self._check_least(members=1, width=1, layers=1, steps=1, batch=2)
        generator = torch.Generator().manual_seed(self.seed)
        network = self._start(rows, generator)
        cells, known = self._cells(rows), torch.from_numpy(labels)

        def pairs(pick: Tensor) -> Tensor:
            first, second = network(take(cells, pick)).unbind(-1)
            return comparison_loss(first, second, known[pick])

        self._train(network, len(rows), pairs, generator)
        self.opponents_ = self._each_part(rows, network)[..., 1]
        return self

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) mean chances to win against the labelled cells, 0 to 1.

        With `return_std` also (n,) standard deviations over the members.
        """
        first = torch.from_numpy(self._raw_scores(archs))
        second = torch.from_numpy(self.opponents_)
        wins = torch.stack([(first + opponent[:, None]).sigmoid() for opponent in second.T]).mean(0).numpy()
        return (wins.mean(0), wins.std(0)) if return_std else wins.mean(0)

    def _make_network(self, codes: int, generator: torch.Generator) -> GraphNetworks:
        return GraphNetworks(self.members, codes, self.width, self.layers, 2, generator)


def comparison_loss(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of all ordered pairs of different rows, mean over pairs and sum over members.

    first, second: (members, n) what a row brings to the logit of a win as the first and as the second of two.
    """
    n = len(labels)
    logits = first[:, :, None] + second[:, None, :]
    target = (torch.sign(labels[:, None] - labels) + 1).to(logits.dtype) / 2
    losses = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return (losses * (1 - torch.eye(n))).sum() / (n * (n - 1))
