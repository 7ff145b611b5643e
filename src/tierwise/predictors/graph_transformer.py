"""A transformer over the operations of a cell whose heads look along its links."""

from __future__ import annotations

import math
from typing import Any, Self

from tierwise.architecture import Archs
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import check_labels

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    from tierwise.networks.threads import threads
    from tierwise.predictors.graph_layers import GraphConvolution
    from tierwise.predictors.graph_scorer import Cells, GraphScorer
    from tierwise.predictors.tier_network import Linears
except ImportError as error:
    raise MissingExtra("predictor graph_transformer", "torch", "torch") from error

HEADS = 4


class GraphTransformer(GraphScorer):
    """Scores cells by attention between operations that are neighbours or siblings, from a few dozen labels on.

    After Xu et al., "NN-Former: Rethinking Graph Structure in Neural Architecture Representation" (2025): four
    heads, one each for the operations that a node reads, those that read it, those that read the same and those that
    are read together with it; a graph convolution in both directions stands in for the feed-forward layer. What is
    different:

    * A few small networks are trained side by side: the mean scores, the spread is the standard deviation.
      Published is one network of twelve layers, trained with mean squared error and a consistency of permuted nodes.
    * Any ranking loss may be chosen; it sees the ranks of the labels.
    * Identities and nodes on no way from input to output are left out of the graph; a value that is read twice
      counts twice in the attention.

    loss: name of a ranking loss, see `ranking_losses.LOSSES`.
    members, width, layers: networks in the ensemble, and their size; the width is a multiple of 4.
    steps, epochs, batch: optimiser steps, more if `epochs` passes over the labels need more; rows in each step.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once.
    seed: decides weights and batches.

    Raises UnknownName for an unknown loss, BadSetting for sizes below 1 and for a space of other operations.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> GraphTransformer(steps=10).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    def __init__(
        self,
        *,
        loss: str = "pairwise",
        members: int = 3,
        width: int = 48,
        layers: int = 3,
        steps: int = 150,
        epochs: int = 40,
        batch: int = 256,
        learning_rate: float = 0.005,
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
        if self.width % HEADS:
            raise BadSetting("width", self.width, f"a multiple of {HEADS}")
        self._train_ranks(rows, labels, self.loss, self.seed)
        return self

    def _make_network(self, codes: int, generator: torch.Generator) -> Transformers:
        return Transformers(self.members, codes, self.width, self.layers, generator)


class NeighbourAttention(nn.Module):
    """Attention of each member, (members, n, v, width), every head under its own bias of (n, heads, v, v)."""

    def __init__(self, members: int, width: int, generator: torch.Generator):
        super().__init__()
        self.ask = Linears(members, width, 3 * width, generator)
        self.answer = Linears(members, width, width, generator)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        members, n, v, width = x.shape
        parts = self.ask(x.reshape(members, n * v, width)).view(members, n, v, 3, HEADS, width // HEADS)
        query, key, value = parts.permute(3, 0, 1, 4, 2, 5)
        weight = (query @ key.transpose(-1, -2) / math.sqrt(width // HEADS) + bias).softmax(-1)
        return self.answer((weight @ value).transpose(2, 3).reshape(members, n * v, width)).view(x.shape)


class Transformers(nn.Module):
    """Networks side by side: attention and graph convolution by turns, the mean over the nodes, a linear map."""

    def __init__(self, members: int, codes: int, width: int, layers: int, generator: torch.Generator):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(members, codes, width, generator=generator))
        self.attention = nn.ModuleList(NeighbourAttention(members, width, generator) for _ in range(layers))
        self.convolution = nn.ModuleList(GraphConvolution(members, width, width, generator) for _ in range(layers))
        self.head = Linears(members, width, 1, generator)

    def forward(self, cells: Cells) -> Tensor:
        """(members, n, 1)."""
        ops, links = cells
        bias, there = neighbour_bias(links), (ops > 0).to(links.dtype)[..., None]
        x = self.embedding[:, ops.long()] * there
        for attention, convolution in zip(self.attention, self.convolution, strict=True):
            x = x + attention(F.layer_norm(x, x.shape[-1:]), bias) * there
            x = x + F.silu(convolution(F.layer_norm(x, x.shape[-1:]), links)) * there
        return self.head(x.sum(2) / there.sum(1).clamp(min=1.0))


def neighbour_bias(links: Tensor) -> Tensor:
    """(n, heads, v, v) logarithm of how often a node meets another as each kind of neighbour; itself once."""
    back = links.transpose(1, 2)
    kinds = torch.stack([back, links, back @ links, links @ back], 1)
    itself = torch.eye(links.shape[1], dtype=links.dtype)
    return (kinds * (1 - itself) + itself).log()
