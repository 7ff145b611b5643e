"""The proxies of AZ-NAS on blocks whose components and Jacobians are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tierwise.zero_cost import AZ_NAS, WORST, az_nas, measure

IMAGES = np.random.default_rng(0).normal(size=(64, 3, 12, 12))
SETTINGS: dict[str, Any] = {"images": IMAGES, "batch": 64, "classes": 2}


class Block(nn.Module):
    """A layer that keeps its last weight and what went through it."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        self.seen = [each.detach().double().movedim(1, -1).flatten(0, -2).numpy() for each in (x, y)]
        self.weight = getattr(self.layer, "weight", torch.zeros(0)).detach().double().numpy()
        return y


def network(*layers: nn.Module, leaving: int) -> nn.Sequential:
    stem = (nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4))
    head = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(leaving, 2))
    return nn.Sequential(*stem, *map(Block, layers), *head)


def blocks(of: nn.Module) -> list[Block]:
    return [m for m in of.modules() if isinstance(m, Block)]


def entropy(rows: np.ndarray) -> float:
    """Of the shares of the variance along the principal components, from singular values."""
    variances = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    shares = variances / variances.sum()
    return -sum(p * math.log(p) for p in shares if p > 1e-12)


def test_expressivity_and_progressivity_are_those_of_principal_components() -> None:
    of = network(nn.Conv2d(4, 6, 3), nn.Conv2d(6, 2, 3, stride=2), nn.Conv2d(2, 5, 1), leaving=5)
    found = measure([of], AZ_NAS[:2], **SETTINGS)
    maps = [blocks(of)[0].seen[0], *(block.seen[1] for block in blocks(of))]
    each = [entropy(rows) for rows in maps]
    assert found["az_expressivity"][0] == pytest.approx(sum(each), rel=1e-4)
    assert found["az_progressivity"][0] == pytest.approx(min(np.diff(each)))
    assert found["az_progressivity"][0] < 0


def test_trainability_is_that_of_the_spectral_norms() -> None:
    """Random signs correlate with each other like one over the root of their number, here 96: a few per cent."""
    of = network(nn.Conv2d(4, 6, 1), nn.Conv2d(6, 5, 2, stride=2), nn.Conv2d(5, 5, 1), leaving=5)
    found = measure([of], ["az_trainability"], **SETTINGS)["az_trainability"][0]
    norms = [np.linalg.norm(b.weight.reshape(len(b.weight), -1), 2) for b in blocks(of)]
    expected = np.mean([2 - s - 1 / s for s in norms])
    assert found == pytest.approx(expected, abs=0.05)
    assert expected < -0.2


def test_a_block_that_changes_nothing_is_worst_for_trainability_alone() -> None:
    found = measure([network(nn.Conv2d(4, 4, 1), nn.Identity(), leaving=4)], AZ_NAS, **SETTINGS)
    assert found["az_trainability"][0] == WORST
    assert found["az_progressivity"][0] <= 0
    assert found["az_expressivity"][0] > 0


def test_plain_layers_are_blocks_where_there_are_no_others() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Flatten(), nn.Linear(576, 2))
    found = measure([plain], AZ_NAS, **SETTINGS)
    assert found["az_expressivity"][0] > math.log(3)  # that of the images alone is just below
    assert all(column[0] > WORST for column in found.values())


def test_ranks_are_multiplied() -> None:
    found = az_nas(np.array([3.0, 1.0, 2.0]), np.array([10.0, 30.0, 20.0]), np.array([5.0, 5.0, 9.0]))
    expected = [(3 / 3) * (1 / 3) * (1.5 / 3), (1 / 3) * (3 / 3) * (1.5 / 3), (2 / 3) * (2 / 3) * (3 / 3)]
    assert found.tolist() == pytest.approx([math.log(product) for product in expected])
    assert found.argmax() == 2
