"""Networks on graphs of primitive operations, and the contrastive loss that they are pretrained with."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tierwise.predictors.graph_layers import GraphConvolution
from tierwise.predictors.tier_network import Linears


class Primitives(NamedTuple):
    """Graphs of primitive operations. nodes: (n, v, features). links: (n, v, v). there: (n, v)."""

    nodes: Tensor
    links: Tensor
    there: Tensor

    def take(self, rows: Tensor) -> Primitives:
        """The graphs of these rows, without the slots that none of them uses."""
        used = max(1, int(self.there[rows].sum(1).max()))
        return Primitives(self.nodes[rows, :used], self.links[rows, :used, :used], self.there[rows, :used])

    def padded(self, slots: int) -> Primitives:
        """The same graphs with so many slots."""
        more = slots - self.there.shape[1]
        return Primitives(
            F.pad(self.nodes, (0, 0, 0, more)), F.pad(self.links, (0, more, 0, more)), F.pad(self.there, (0, more))
        )


class GeneralSizes(NamedTuple):
    """Networks in the ensemble, features of a node, width and number of graph convolutions."""

    members: int
    inputs: int
    width: int
    layers: int


class GeneralNetwork(nn.Module):
    """Graph convolutions with the mean over the nodes, a projection for pretraining and a head for scores."""

    def __init__(self, sizes: GeneralSizes, generator: torch.Generator):
        super().__init__()
        members, inputs, width, layers = sizes
        self.members = members
        self.entry = Linears(members, inputs, width, generator)
        self.layers = nn.ModuleList(GraphConvolution(members, width, width, generator) for _ in range(layers))
        self.projection = Linears(members, width, width, generator)
        self.hidden = Linears(members, width, width, generator)
        self.head = Linears(members, width, 1, generator)

    def encode(self, graphs: Primitives) -> Tensor:
        """(members, n, width)."""
        n, slots, features = graphs.nodes.shape
        there = graphs.there.to(graphs.links.dtype)[..., None]
        flat = graphs.nodes.reshape(n * slots, features).expand(self.members, -1, -1)
        entered = self.entry(flat)
        x = entered.view(self.members, n, slots, entered.shape[2]) * there
        for layer in self.layers:
            x = (x + F.silu(layer(F.layer_norm(x, x.shape[-1:]), graphs.links))) * there
        return x.sum(2) / there.sum(1).clamp(min=1.0)

    def project(self, graphs: Primitives) -> Tensor:
        """(members, n, width) of length 1, what the contrastive loss compares."""
        return F.normalize(self.projection(F.silu(self.encode(graphs))), dim=-1)

    def score(self, graphs: Primitives) -> Tensor:
        """(members, n), higher better."""
        return self.head(F.silu(self.hidden(self.encode(graphs))))[..., 0]


def contrastive_loss(projected: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between soft targets and the similarities of projections, mean over rows, sum over members.

    projected: (members, n, width) of length 1. targets: (n, n), rows sum to 1, zeros on the diagonal.
    """
    logits = projected @ projected.transpose(1, 2) / temperature
    own = torch.eye(len(targets), dtype=torch.bool)
    chances = logits.masked_fill(own, -torch.inf).log_softmax(2).masked_fill(own, 0.0)
    return -(targets * chances).sum(2).mean(1).sum()


def spectral_targets(spectra: Tensor, temperature: float) -> Tensor:
    """(n, n) how close the spectra (n, k) of two graphs are, as chances over all others of a row."""
    own = torch.eye(len(spectra), dtype=torch.bool)
    return (-torch.cdist(spectra, spectra) / temperature).masked_fill(own, -torch.inf).softmax(1)
