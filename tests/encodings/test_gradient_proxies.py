"""Proxies of weights and gradients against finite differences, explicit loops and closed forms."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.small_networks import Small
from tierwise.zero_cost import measure

IMAGES = np.random.default_rng(0).normal(size=(12, 2, 5, 5))
LABELS = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0, 0, 2, 1])
SETTINGS: dict[str, Any] = {"images": IMAGES, "labels": LABELS, "batch": 6, "classes": 3}


@pytest.fixture(scope="module")
def network() -> Small:
    torch.manual_seed(0)
    return Small()


def proxy(network: nn.Module, name: str, **changed: Any) -> float:
    return float(measure([copy.deepcopy(network)], [name], **{**SETTINGS, **changed})[name][0])


def layers(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def loss(network: nn.Module, batch: int = 0) -> Tensor:
    rows = slice(6 * batch, 6 * batch + 6)
    return F.cross_entropy(network(torch.tensor(IMAGES[rows])), torch.tensor(LABELS[rows]))


def differences(network: Small) -> list[np.ndarray]:
    """The gradient by the weights of each layer, weight by weight, from the change of the loss."""
    exact, step = copy.deepcopy(network).double(), 1e-6
    found: list[np.ndarray] = []
    with torch.no_grad():
        for layer in layers(exact):
            flat = layer.weight.view(-1)
            gradient = np.empty(len(flat))
            for k in range(len(flat)):
                flat[k] += step
                above = loss(exact)
                flat[k] -= 2 * step
                gradient[k] = float(above - loss(exact)) / (2 * step)
                flat[k] += step
            found.append(gradient)
    return found


def test_first_order_proxies_are_those_of_finite_differences(network: Small) -> None:
    gradients = differences(network)
    weights = [layer.weight.detach().numpy().ravel() for layer in layers(network)]
    assert len(weights) == 3
    assert proxy(network, "grad_norm") == pytest.approx(sum(math.sqrt((g**2).sum()) for g in gradients), rel=1e-4)
    products = np.concatenate([w * g for w, g in zip(weights, gradients, strict=True)])
    assert proxy(network, "snip") == pytest.approx(np.abs(products).sum(), rel=1e-4)
    assert proxy(network, "plain") == pytest.approx(products.sum(), rel=1e-3, abs=1e-6)


def test_plain_is_the_classifiers_alone_behind_batch_norm(network: Small) -> None:
    """The loss does not change with the scale of a convolution before batch norm, so its w g is zero."""
    exact = copy.deepcopy(network).double()
    (gradient,) = torch.autograd.grad(loss(exact), [exact.classifier.weight])
    expected = float((gradient * exact.classifier.weight.detach()).sum())
    assert abs(expected) > 1e-2
    assert proxy(network, "plain") == pytest.approx(expected, abs=1e-4)


def test_grasp_is_that_of_the_explicit_hessian(network: Small) -> None:
    exact = copy.deepcopy(network).double()
    names = [name for name, p in exact.named_parameters() if p.ndim > 1]
    values = [exact.get_parameter(name).detach() for name in names]

    def of(*given: Tensor) -> Tensor:
        images, labels = torch.tensor(IMAGES[:6]), torch.tensor(LABELS[:6])
        return F.cross_entropy(torch.func.functional_call(exact, dict(zip(names, given, strict=True)), images), labels)

    blocks = torch.autograd.functional.hessian(of, tuple(values))
    hessian = np.block([[b.reshape(v.numel(), -1).numpy() for b in row] for v, row in zip(values, blocks, strict=True)])
    assert np.allclose(hessian, hessian.T)
    gradient = np.concatenate(differences(network))
    theta = np.concatenate([value.numpy().ravel() for value in values])
    expected = -theta @ hessian @ gradient
    assert abs(expected) > 1e-3
    assert proxy(network, "grasp") == pytest.approx(expected, rel=1e-3)


def test_fisher_sums_squares_of_channels_over_weights(network: Small) -> None:
    exact = copy.deepcopy(network).double()
    images, total = torch.tensor(IMAGES[:6]), 0.0
    one = exact.one(images)
    two = exact.two(torch.relu(exact.norm_one(one)))
    scores = exact.classifier(torch.relu(exact.norm_two(two)).mean((2, 3)))
    maps = (one, two, scores[:, :, None, None])
    gradients = torch.autograd.grad(F.cross_entropy(scores, torch.tensor(LABELS[:6])), (one, two, scores))
    for layer, leaving, gradient in zip(layers(exact), maps, gradients, strict=True):
        weights = layer.weight.numel() // leaving.shape[1]
        for channel in range(leaving.shape[1]):
            for image in range(6):
                product = leaving[image, channel] * gradient.reshape(leaving.shape)[image, channel]
                total += weights * float(product.detach().sum()) ** 2 / 12
    assert proxy(network, "fisher") == pytest.approx(total, rel=1e-4)


def test_l2_norm_is_that_of_each_layer(network: Small) -> None:
    norms = [np.linalg.norm(layer.weight.detach().numpy().ravel()) for layer in layers(network)]
    assert proxy(network, "l2_norm") == pytest.approx(sum(norms), rel=1e-5)
    assert proxy(network, "l2_norm", images=IMAGES + 1) == proxy(network, "l2_norm")


def test_synflow_adds_up_all_paths() -> None:
    """Of 1x1 convolutions the score of an image of ones is a product of matrices; each layer has a share of it that is
    the whole. Two ways side by side add up, and neither signs, batch norms nor the image count.
    """

    class Ways(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            start, norm, left, right, end = self
            entered = norm(start(x))
            return end((left(entered) + right(torch.relu(entered))).mean((2, 3)))

    torch.manual_seed(1)
    maps = [nn.Conv2d(a, b, 1, bias=False) for a, b in ((2, 3), (3, 5), (3, 5))]
    network = Ways(maps[0], nn.BatchNorm2d(3), *maps[1:], nn.Linear(5, 3))
    first, left, right, last = (np.abs(m.weight.detach().double().numpy()) for m in (*maps, network[4]))
    first, left, right = (each[:, :, 0, 0] for each in (first, left, right))
    paths = [float((last @ way @ first).sum()) for way in (left, right)]
    # the first and the last layer are on both ways, each of the others on one
    expected = math.log(2 * sum(paths) + paths[0] + paths[1])
    assert proxy(network, "synflow") == pytest.approx(expected, rel=1e-9)
    assert proxy(network, "synflow", images=IMAGES * 5 - 3) == pytest.approx(expected, rel=1e-9)


def test_synflow_of_a_large_network_does_not_overflow() -> None:
    deep = nn.Sequential(
        nn.Flatten(), *(nn.Linear(50, 50, bias=False) for _ in range(60)), nn.Linear(50, 3, bias=False)
    )
    with torch.no_grad():
        for layer in layers(deep):
            layer.weight.fill_(-1.0)
    assert proxy(deep, "synflow") == pytest.approx(math.log(61) + 61 * math.log(50) + math.log(3), rel=1e-9)


def test_zico_compares_the_gradients_of_two_batches(network: Small) -> None:
    exact, expected = copy.deepcopy(network).double(), 0.0
    gradients = [torch.autograd.grad(loss(exact, k), [layer.weight for layer in layers(exact)]) for k in (0, 1)]
    for pair in zip(*gradients, strict=True):
        both = np.stack([each.numpy().ravel() for each in pair])
        inside = sum(np.abs(both[:, k]).mean() / np.std(both[:, k]) for k in range(both.shape[1]) if np.std(both[:, k]))
        expected += math.log(inside)
    assert proxy(network, "zico") == pytest.approx(expected, rel=1e-3)
