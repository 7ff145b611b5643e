"""Proxies of Jacobians against Jacobians of finite differences."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.small_networks import Small
from tierwise.zero_cost import measure

IMAGES = np.random.default_rng(0).normal(size=(6, 2, 4, 4))
LABELS = np.array([0, 1, 1, 0, 1, 2])
SETTINGS: dict[str, Any] = {"images": IMAGES, "labels": LABELS, "batch": 6}
STEP = 1e-6


def small(classes: int = 3) -> Small:
    torch.manual_seed(0)
    return Small(classes)


def score(network: Small, name: str, classes: int = 3) -> float:
    return float(measure([network], [name], classes=classes, **SETTINGS)[name][0])


def by_pixels(network: Small) -> np.ndarray:
    """(images, pixels) the change of the sum of all scores of all images with each pixel."""
    exact, images = copy.deepcopy(network).double().train(), torch.tensor(IMAGES)
    found = np.empty(images.numel())
    flat = images.view(-1)
    with torch.no_grad():
        for k in range(len(found)):
            flat[k] += STEP
            above = exact(images).sum()
            flat[k] -= 2 * STEP
            found[k] = float(above - exact(images).sum()) / (2 * STEP)
            flat[k] += STEP
    return found.reshape(len(IMAGES), -1)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def test_jacob_cov_is_that_of_the_eigenvalues() -> None:
    network = small()
    jacobian = by_pixels(network)
    matrix = np.array([[correlation(a, b) for b in jacobian] for a in jacobian])
    values = np.linalg.eigvals(matrix).real
    expected = -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in values)
    assert score(network, "jacob_cov") == pytest.approx(expected, rel=1e-3)


def test_epe_nas_adds_up_the_correlations_of_each_class() -> None:
    network = small()
    jacobian, expected = by_pixels(network), 0.0
    for images in ([0, 3], [1, 2, 4], [5]):
        logs = [math.log(abs(correlation(jacobian[a], jacobian[b])) + 1e-5) for a in images for b in images]
        expected += abs(sum(logs))
    assert score(network, "epe_nas") == pytest.approx(expected, rel=1e-3)


def test_epe_nas_compares_classes_where_there_are_many() -> None:
    network = small(101)
    jacobian, each = by_pixels(network), []
    for images in ([0, 3], [1, 2, 4], [5]):
        logs = [math.log(abs(correlation(jacobian[a], jacobian[b])) + 1e-5) for a in images for b in images]
        each.append(sum(logs) / len(images))
    expected = sum(abs(a - b) for a in each for b in each) / 3
    assert score(network, "epe_nas", classes=101) == pytest.approx(expected, rel=1e-3)


def test_ntk_is_the_condition_number_of_the_kernel() -> None:
    network = small()
    found = score(network, "ntk")
    images, drawn = network.seen
    exact = small().double()
    exact.load_state_dict({**exact.state_dict(), **drawn})
    columns = []
    with torch.no_grad():
        for name, value in exact.named_parameters():
            flat = value.view(-1)
            for k in range(len(flat) if name.endswith("weight") else 0):
                flat[k] += STEP
                above = exact(images).sum(1)
                flat[k] -= 2 * STEP
                columns.append(((above - exact(images).sum(1)) / (2 * STEP)).numpy())
                flat[k] += STEP
    jacobian = np.stack(columns, axis=1)
    assert jacobian.shape == (6, 2 * 4 * 9 + 4 * 4 * 9 + 4 * 3 + 4 + 4)
    assert found == pytest.approx(-math.log(np.linalg.cond(jacobian @ jacobian.T)), rel=1e-3)
    for name in ("one.weight", "two.weight"):
        assert drawn[name].numpy().std() == pytest.approx(math.sqrt(2 / 36), rel=0.3)  # variance 2 / fan out


def test_a_kernel_reads_sixteen_images() -> None:
    network, sizes = small(), []
    network.register_forward_hook(lambda module, _, __: sizes.append(len(module.seen[0])))
    measure([network], ["ntk"], batch=40, shape=(2, 4, 4), classes=3)
    assert sizes == [16]
