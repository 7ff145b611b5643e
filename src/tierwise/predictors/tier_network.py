"""The networks of predictor `tier`: small ones side by side; every weight has a leading dimension of members."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class TierSizes:
    """`members` networks: `inputs` numbers go in, `layers` layers of `width` follow, `tiers` embeddings are matched."""

    members: int
    inputs: int
    tiers: int
    width: int
    layers: int


class Linears(nn.Module):
    """One linear map a member: (members, n, inputs) to (members, n, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int, generator: torch.Generator):
        super().__init__()
        weight = torch.randn(members, inputs, outputs, generator=generator)
        self.weight = nn.Parameter(weight / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class TierNetwork(nn.Module):
    """An encoder with two heads: one scores its feature, the other matches it with the embedding of each tier."""

    def __init__(self, sizes: TierSizes, generator: torch.Generator):
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        inputs = [sizes.inputs, *[width] * (sizes.layers - 1)]
        self.layers = nn.ModuleList(Linears(sizes.members, i, width, generator) for i in inputs)
        self.score_head = Linears(sizes.members, width, 1, generator)
        self.query = Linears(sizes.members, width, width // 2, generator)
        self.key = Linears(sizes.members, width, width // 2, generator)
        self.tier_bias = nn.Parameter(torch.zeros(sizes.members, 1, sizes.tiers))

    def encode(self, x: Tensor) -> Tensor:
        """(members, n, width) features of (members, n, inputs); from the second layer on residual."""
        for depth, layer in enumerate(self.layers):
            x = F.silu(layer(x)) + (x if depth else 0)
        return x

    def score(self, features: Tensor) -> Tensor:
        """(members, n), higher better; the encoder is all it needs."""
        return self.score_head(features)[:, :, 0]

    def tier_logits(self, features: Tensor, embeddings: Tensor) -> Tensor:
        """(members, n, tiers): each tier's logit comes from its own embedding, of (members, tiers, width)."""
        match = self.query(features) @ self.key(embeddings).transpose(1, 2)
        return match / math.sqrt(self.sizes.width // 2) + self.tier_bias


def tier_means(features: Tensor, tiers: Tensor, n_tiers: int) -> Tensor:
    """(members, tiers, width) mean feature of each tier's members, zeros for an empty tier; `tiers` is (members, n)."""
    member = F.one_hot(tiers, n_tiers).to(features.dtype)
    count = member.sum(1).clamp(min=1.0)
    return member.transpose(1, 2) @ features / count[:, :, None]


def ranking_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Logistic loss of every ordered pair with different labels, over all pairs; both are (members, n).

    The sum over the members: each learns as if it were alone.
    """
    order = torch.sign(labels[:, :, None] - labels[:, None, :])
    margin = (scores[:, :, None] - scores[:, None, :]) * order
    return (F.softplus(-margin) * order.abs()).mean((1, 2)).sum()


def tier_loss(logits: Tensor, tiers: Tensor) -> Tensor:
    """Cross-entropy of (members, n, tiers) logits, the mean over rows and the sum over members."""
    return F.cross_entropy(logits.flatten(0, 1), tiers.flatten(), reduction="sum") / tiers.shape[1]
