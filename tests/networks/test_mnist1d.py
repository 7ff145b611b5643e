"""The networks on signals: the skeleton and the cell written out by hand, dead edges left out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tierwise.networks.mnist1d import Cell, Network

MIXED = ("nor_conv_3x3", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3")
ALL = (True,) * 6


def convolved(x: Tensor, layers: torch.nn.Module) -> Tensor:
    """ReLU, convolution, batch norm of a batch, from their definitions."""
    _, convolution, norm = layers
    taps, length = convolution.weight.shape[2], x.shape[2]
    padded = F.pad(x.clamp(min=0), (taps // 2, taps // 2))
    windows = torch.stack([padded[:, :, k : k + length] for k in range(taps)], dim=3)
    y = torch.einsum("nilk,oik->nol", windows, convolution.weight)
    mean, variance = y.mean((0, 2), keepdim=True), y.var((0, 2), correction=0, keepdim=True)
    return (y - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None] + norm.bias[:, None]


def pooled(x: Tensor) -> Tensor:
    """Means of three neighbours, of two at the ends."""
    ones = torch.ones_like(x)
    return sum(F.pad(x, (1, 1))[:, :, k : k + x.shape[2]] for k in range(3)) / sum(
        F.pad(ones, (1, 1))[:, :, k : k + x.shape[2]] for k in range(3)
    )


def test_a_cell_is_the_sum_of_its_edges() -> None:
    torch.manual_seed(0)
    cell, x = Cell(MIXED, 8).double(), torch.randn(5, 8, 20, dtype=torch.float64)
    first, _, third, _, last = cell.operations
    one = convolved(x, first)
    two = pooled(x) + convolved(one, third)
    torch.testing.assert_close(cell(x), x + convolved(two, last))


def test_the_skeleton_of_a_cell_that_skips_is_written_out() -> None:
    torch.manual_seed(0)
    net, x = Network(("none",) * 3 + ("skip_connect",) + ("none",) * 2, ALL).double(), torch.randn(6, 40).double()
    stem, norm, _, _, _, down, _, _, again, _, last, _ = net.features
    h = F.conv1d(x[:, None], stem.weight, padding=1)
    h = F.batch_norm(h, None, None, norm.weight, norm.bias, training=True)
    h = h.unflatten(2, (20, 2)).mean(3)
    for layers in (down, again):
        h = convolved(h.unflatten(2, (-1, 2)).mean(3), layers)
    assert h.shape == (6, 16, 5)
    h = F.batch_norm(h, None, None, last.weight, last.bias, training=True).clamp(min=0).mean(2)
    torch.testing.assert_close(net(x), h @ net.classifier.weight.T + net.classifier.bias)


@pytest.mark.parametrize(("op", "weights"), [("none", 0), ("nor_conv_1x1", 64 + 2 * 256), ("nor_conv_3x3", 192 + 1536)])
def test_parameters_are_those_of_the_operations(op: str, weights: int) -> None:
    norms = 2 * (8 + 16 + 16) if weights else 0
    made = Network((op,) * 6, ALL)
    assert sum(p.numel() for p in made.parameters()) == 690 + 6 * (weights + norms)


def test_a_dead_edge_is_left_out() -> None:
    """Behind an edge that carries nothing a convolution would add a constant, its trained bias."""
    ops = ("none", "skip_connect", "nor_conv_3x3", "none", "nor_conv_1x1", "none")
    dead = Network(ops, [False] * 6)
    assert sum(p.numel() for p in dead.parameters()) == 690
    scores = dead(torch.randn(7, 40))
    assert (scores == scores[0]).all(), "what is not connected cannot tell signals apart"
