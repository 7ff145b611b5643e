"""Proxies of rectifiers, and the Zen score, against loops over images and units on plain arrays."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.small_networks import Small
from tierwise.zero_cost import WORST, measure

IMAGES = np.random.default_rng(0).normal(size=(7, 2, 5, 5))
SETTINGS: dict[str, Any] = {"images": IMAGES, "batch": 7, "classes": 3}


def score(network: nn.Module, name: str, **changed: Any) -> float:
    return float(measure([network], [name], **{**SETTINGS, **changed})[name][0])


def small() -> Small:
    torch.manual_seed(0)
    return Small()


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """A 3x3 convolution of maps (n, c, h, w), pixel by pixel."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.empty((len(x), len(weight), *x.shape[2:]))
    for row, column in itertools.product(range(x.shape[2]), range(x.shape[3])):
        window = padded[:, :, row : row + 3, column : column + 3].reshape(len(x), -1)
        out[:, :, row, column] = window @ weight.reshape(len(weight), -1).T
    return out if bias is None else out + bias[:, None, None]


def normalised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)


def run(network: Small) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What entered both batch norms and both rectifiers when it was last called."""
    images, values = network.seen
    weights = {name: value.numpy() for name, value in values.items()}
    one = convolved(images.numpy(), weights["one.weight"])
    two = convolved(np.maximum(normalised(one), 0), weights["two.weight"], weights["two.bias"])
    return [one, two], [normalised(one), normalised(two)]


def codes(network: Small) -> np.ndarray:
    """(images, units) which rectifiers were on."""
    return np.concatenate([(x > 0).reshape(len(x), -1) for x in run(network)[1]], axis=1)


def test_naswot_is_the_determinant_of_the_agreements() -> None:
    network = small()
    found = score(network, "naswot")
    on = codes(network).tolist()
    agree = [[sum(p == q for p, q in zip(a, b, strict=True)) for b in on] for a in on]
    assert len(on[0]) == 2 * 4 * 25
    assert found == pytest.approx(math.log(abs(np.linalg.det(np.array(agree, dtype=float)))), rel=1e-6)


@pytest.mark.parametrize("batch", [7, 3, 20, 70])
def test_swap_counts_different_columns(batch: int) -> None:
    """Of up to 64 images a pattern is one number, of more it is several."""
    network = small()
    images = np.random.default_rng(batch).normal(size=(batch, 2, 5, 5))
    found = score(network, "swap", images=images, batch=batch)
    assert found == len({tuple(column) for column in codes(network).T.tolist()})
    assert found > 1


class OneLayer(nn.Module):
    """A rectifier is switched at most once on a line."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.classifier = nn.Linear(50, 40), nn.Linear(40, 3)

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 1:
            self.ends = images[[0, -1]].flatten(1).double().numpy()
            self.weight = self.layer.weight.detach().double().numpy()
        return self.classifier(torch.relu(self.layer(images.flatten(1))))


def test_regions_of_one_layer_are_counted_exactly() -> None:
    network = OneLayer()
    found = score(network, "linear_regions")
    first, last = network.ends
    assert np.allclose(network.ends, IMAGES[:2].reshape(2, -1), atol=1e-6)
    at = (network.weight @ first) / (network.weight @ (first - last))  # where each unit is zero on the line
    assert found == 1 + ((at > 0) & (at < 1)).sum()
    assert found > 5


def test_regions_are_counted_between_the_points_of_a_line() -> None:
    network = small()
    found = score(network, "linear_regions")
    images, values = network.seen
    steps = np.diff(images.numpy(), axis=0)
    assert np.allclose(steps, (IMAGES[1] - IMAGES[0]) / 6, atol=1e-6)
    assert found == 1 + (codes(network)[1:] != codes(network)[:-1]).sum()
    scaled = [values[name].numpy().ravel() * math.sqrt(fan) for name, fan in (("one.weight", 18), ("two.weight", 36))]
    assert np.concatenate(scaled).std() == pytest.approx(math.sqrt(2), rel=0.2)  # variance 2 / fan in
    assert not values["two.bias"].any()


def test_zen_gives_back_the_scale_that_batch_norm_takes() -> None:
    network, calls = small(), []
    network.register_forward_hook(lambda module, _, __: calls.append(module.seen))
    found = score(network, "zen")
    (images, values), (moved, _) = calls
    outputs, variances = [], []
    for seen in calls:
        network.seen = seen
        entering, leaving = run(network)
        outputs.append(np.maximum(leaving[1], 0))
        variances.append([x.var((0, 2, 3)).mean() for x in entering])
    change = np.abs(outputs[1] - outputs[0]).sum((1, 2, 3)).mean()
    assert found == pytest.approx(math.log(change) + sum(math.log(math.sqrt(v)) for v in variances[0]), rel=1e-3)
    noise = ((moved - images) / 0.01).numpy()
    weights = np.concatenate([values["one.weight"].numpy().ravel(), values["two.weight"].numpy().ravel()])
    for drawn in (noise, images.numpy(), weights):
        assert abs(drawn.mean()) < 4 / math.sqrt(drawn.size)
        assert drawn.std() == pytest.approx(1, abs=4 / math.sqrt(drawn.size))
    assert network.one.weight.std() < 0.5, "its own weights are as they were"


def test_without_rectifiers_nothing_is_told_apart() -> None:
    linear = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    assert [score(linear, name) for name in ("naswot", "swap", "linear_regions")] == [WORST, 0, 1]
