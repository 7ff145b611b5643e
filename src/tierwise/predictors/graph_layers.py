"""Small graph convolution networks side by side."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GraphConvolution(nn.Module):
    """One graph convolution a member: (members, n, v, inputs) to (members, n, v, outputs).

    A node's new feature is a linear map of its own, of the sum over those that it reads and of the sum over those
    that read it: sums, so that how many there are is seen.
    """

    def __init__(self, members: int, inputs: int, outputs: int, generator: torch.Generator):
        super().__init__()
        weight = torch.randn(members, 3 * inputs, outputs, generator=generator)
        self.weight = nn.Parameter(weight / math.sqrt(3 * inputs))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        around = torch.cat([x, links.transpose(-1, -2) @ x, links @ x], -1)
        out = torch.baddbmm(self.bias, around.flatten(1, 2), self.weight)
        return out.view(*x.shape[:-1], out.shape[-1])


class GraphEncoder(nn.Module):
    """Cells in node form to features (members, n, width): residual graph convolutions, then the mean over the nodes.

    codes: how many operation codes there are, 0 (nothing) among them.
    """

    def __init__(self, members: int, codes: int, width: int, layers: int, generator: torch.Generator):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(members, codes, width, generator=generator))
        self.layers = nn.ModuleList(GraphConvolution(members, width, width, generator) for _ in range(layers))

    def forward(self, ops: Tensor, links: Tensor) -> Tensor:
        there = (ops > 0).to(links.dtype)[..., None]
        x = self.embedding[:, ops.long()] * there
        for layer in self.layers:
            x = (x + F.silu(layer(F.layer_norm(x, x.shape[-1:]), links))) * there
        return x.sum(2) / there.sum(1).clamp(min=1.0)
