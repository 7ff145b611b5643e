"""The real networks of NAS-Bench-201: what they have and what they compute."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.networks.nasbench201 import Cell
from tierwise.spaces.nasbench201 import OPS, NASBench201

SPACE = NASBench201()
TASKS = {"cifar10": (10, (3, 32, 32)), "cifar100": (100, (3, 32, 32)), "imagenet16-120": (120, (3, 16, 16))}


def maps(width: int = 16, side: int = 6) -> Tensor:
    return torch.randn(2, width, side, side, generator=torch.Generator().manual_seed(0))


def parameters(genes: tuple[int, ...], classes: int, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Those of the network, and those that the space counts."""
    network = SPACE.build(Architecture("nasbench201", genes), classes=classes, shape=shape)
    counted = SPACE.totals(Architectures(SPACE, np.array([genes])), classes=classes, shape=shape)[0, 1]
    return sum(p.numel() for p in network.parameters() if p.requires_grad), int(counted)


def test_parameters_are_those_of_the_table_for_every_mix_of_operations() -> None:
    """Each number of both convolutions on six edges, wherever they are; many of these are dead."""
    mixes = [counts for counts in itertools.product(range(7), repeat=2) if sum(counts) <= 6]
    assert len(mixes) == 28
    rng = np.random.default_rng(0)
    for small, large in mixes:
        genes = [2] * small + [3] * large + rng.choice([0, 1, 4], 6 - small - large).tolist()
        found, counted = parameters(tuple(rng.permutation(genes).tolist()), 10, (3, 8, 8))
        assert found == counted


@pytest.mark.parametrize("task", TASKS)
def test_networks_of_each_task(task: str) -> None:
    classes, shape = TASKS[task]
    for arch in SPACE.sample(3, np.random.default_rng(0)):
        found, counted = parameters(arch.genes, classes, shape)
        assert found == counted
    network = SPACE.build(SPACE.parse("6111"), classes=classes, shape=shape)
    scores = network(torch.zeros(2, *shape))
    assert scores.shape == (2, classes)
    scores.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_stages_of_the_official_network() -> None:
    network = SPACE.build(SPACE.parse("6111"), classes=10, shape=(3, 32, 32))
    seen: list[tuple[str, tuple[int, ...]]] = []
    for cell in network.cells:
        cell.register_forward_hook(lambda m, _, out: seen.append((type(m).__name__, tuple(out.shape[1:]))))
    network(torch.zeros(1, 3, 32, 32))
    stages = [[("Cell", (width, side, side))] * 5 for width, side in ((16, 32), (32, 16), (64, 8))]
    assert seen == [*stages[0], ("Reduction", (32, 16, 16)), *stages[1], ("Reduction", (64, 8, 8)), *stages[2]]
    assert all(m.affine and m.track_running_stats for m in network.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_cell_adds_up_what_its_paths_compute() -> None:
    x = maps()
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    for genes, expected in (
        ([1, 1, 1, 1, 1, 1], 4 * x),  # four paths of skips
        ([0, 0, 0, 0, 0, 0], 0 * x),
        ([1, 0, 0, 0, 4, 0], pool(x)),
        ([4, 0, 4, 1, 0, 1], x + pool(pool(x))),
        ([0, 4, 1, 0, 1, 1], pool(x)),  # node 1 has no input
    ):
        assert torch.allclose(Cell([OPS[gene] for gene in genes], 16)(x), expected, atol=1e-6)


def test_a_pool_at_the_border_leaves_padding_out() -> None:
    ones = torch.ones(1, 16, 4, 4)
    assert torch.equal(Cell(["none", "none", "none", "avg_pool_3x3", "none", "none"], 16)(ones), ones)


def test_a_convolution_rectifies_convolves_and_normalises() -> None:
    cell = Cell(["none"] * 3 + ["nor_conv_3x3", "none", "none"], 16)
    (weight,) = [p for p in cell.parameters() if p.ndim == 4]
    x = maps()
    convolved = nn.functional.conv2d(x.clamp(min=0), weight, padding=1)
    mean, variance = convolved.mean((0, 2, 3), keepdim=True), convolved.var((0, 2, 3), keepdim=True, correction=0)
    assert torch.allclose(cell(x), (convolved - mean) / (variance + 1e-5).sqrt(), atol=1e-5)


def test_edges_come_in_the_order_of_the_string() -> None:
    """Node 2 of this cell is twice its input, the last node one more."""
    text = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|none~1|skip_connect~2|"
    cell = Cell([OPS[gene] for gene in SPACE.parse(text).genes], 16)
    assert torch.allclose(cell(maps()), 3 * maps())


def test_bad_input_is_refused() -> None:
    with pytest.raises(BadArchitecture, match="allowed 0 to 4"):
        SPACE.build(Architecture("nasbench201", (0, 0, 0, 0, 0, 5)), classes=10, shape=(3, 32, 32))
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.build(SPACE.at([0])[0], classes=10, shape=(3, 30, 32))
