"""What an untrained network makes of a batch of images: each pass is made once, when its results are asked for."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from tierwise.networks import hooks
from tierwise.networks.patterns import Patterns
from tierwise.networks.threads import threads

KERNEL_IMAGES = 16  # of a tangent kernel: each costs a backward pass
NOISE = 0.01  # how far the second input of the Zen score is from the first, in standard deviations
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
Draw = Callable[[Tensor, torch.Generator], object]


@dataclass(frozen=True)
class LossPass:
    """Forward and backward pass of the mean cross entropy; its graph is kept.

    gradients: by the weights of each layer, zero where the loss does not depend on them. maps, map_gradients, fans:
    what left each layer, the gradient by it, how many weights make a channel of it. patterns: of the rectifiers.
    """

    loss: Tensor
    scores: Tensor
    gradients: list[Tensor]
    maps: list[Tensor]
    map_gradients: list[Tensor]
    fans: list[int]
    patterns: Patterns


@dataclass(frozen=True)
class NoisePass:
    """The maps before the global pool for some images, the same for these with a little noise on top, and of the first
    the variance of what enters each batch norm, mean over its channels.
    """

    maps: Tensor
    moved: Tensor
    variances: list[float]


class Passes:
    """network: untrained, from images (n, channels, height, width), signals (n, channels, length) or vectors (n,
    features) to scores (n, classes); used in training mode.

    images, labels: of one batch or more. batch: images of one. seed: of the weights and the noise that some passes draw
    anew, the same whatever other passes are made. Layers are convolutions and linear maps.
    """

    def __init__(self, network: nn.Module, images: NDArray[Any], labels: NDArray[Any], batch: int, seed: int):
        pixels = torch.tensor(images, dtype=torch.float32)
        if pixels.ndim == 4:  # on a CPU twice as fast
            network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        self.network = network.train()
        self.images, self.labels = pixels.split(batch), torch.tensor(labels).split(batch)
        self.seed = seed
        values = dict(network.named_parameters())
        self.weights = [values[f"{name}.weight"] for name, _ in self._named(LAYERS)]

    # ---- with the weights that the network was made with -------------------------------------------------

    @functools.cached_property
    def loss(self) -> LossPass:
        """Of the first batch."""
        maps: list[Tensor] = []
        fans: list[int] = []

        def note(layer: nn.Module, output: Tensor) -> None:
            maps.append(output)
            fans.append(layer.get_parameter("weight")[0].numel())

        with hooks.outputs([layer for _, layer in self._named(LAYERS)], note), Patterns() as patterns:
            scores = self.network(self._pixels)
        loss = F.cross_entropy(scores, self.labels[0])
        found = _gradients(loss, [*self.weights, *maps], keep=True)
        split = len(self.weights)
        return LossPass(loss, scores, found[:split], maps, found[split:], fans, patterns)

    @functools.cached_property
    def second_gradients(self) -> list[Tensor]:
        """By the weights of each layer, of the second batch."""
        return _gradients(F.cross_entropy(self.network(self.images[1]), self.labels[1]), self.weights)

    @functools.cached_property
    def hessian_gradient(self) -> list[Tensor]:
        """The Hessian of the loss times its gradient, by the weights of each layer."""
        again = _gradients(self.loss.loss, self.weights, create=True)
        product = torch.stack([(a * b).sum() for a, b in zip(again, self.loss.gradients, strict=True)]).sum()
        return _gradients(product, self.weights, keep=True)

    @functools.cached_property
    def jacobian(self) -> NDArray[np.float32]:
        """(n, pixels) the gradient of the sum of all scores by each image of the first batch."""
        (found,) = _gradients(self.loss.scores.sum(), [self._pixels], keep=True)
        return found.flatten(1).numpy()

    @functools.cached_property
    def saliency(self) -> float:
        """Sum of |weight * gradient| over all layers, of the sum of the scores of one image of ones, in float64.

        All parameters stand there by their absolute values, and batch norms are left out.
        """
        values = {name: p.detach().abs().double() for name, p in self.network.named_parameters()}
        weights = [values[f"{name}.weight"].requires_grad_() for name, _ in self._named(LAYERS)]
        with hooks.passed_over(module for _, module in self._named(NORMS)):
            ones = torch.ones_like(self.images[0][:1], dtype=torch.float64)
            found = _gradients(functional_call(self.network, values, (ones,)).sum(), weights)
        return sum(float((w * g).detach().sum()) for w, g in zip(weights, found, strict=True))

    # ---- with other weights: how the papers draw them ----------------------------------------------------

    @functools.cached_property
    def noise(self) -> NoisePass:
        """Of as many images as a batch has; weights and images are standard normal."""
        values, generator = self._drawn(lambda weight, generator: weight.normal_(generator=generator))
        images, noise = torch.randn(2, *self.images[0].shape, generator=generator)
        last: list[Tensor] = []
        variances: list[float] = []

        def note(module: nn.Module, output: Tensor) -> None:
            if output.ndim == images.ndim and not isinstance(module, POOLS):
                last[:] = [output]

        def vary(entering: Tensor) -> None:
            variances.append(float(entering.transpose(0, 1).flatten(1).var(1, correction=0).mean()))

        with torch.no_grad(), hooks.outputs(self.network.modules(), note):
            with hooks.inputs((module for _, module in self._named(NORMS)), vary):
                functional_call(self.network, values, (images,))
            (maps,) = last
            functional_call(self.network, values, (images + NOISE * noise,))
        return NoisePass(maps, last[0], variances)

    @functools.cached_property
    def block_maps(self) -> list[Tensor]:
        """What enters the first block and what leaves each (``hooks.blocks``), of the first batch; the graph is kept.

        Weights are normal with variance 2 / fan in.
        """
        maps: list[Tensor] = []
        parts = hooks.blocks(self.network)
        values, _ = self._drawn(_kaiming("fan_in"))

        def note(_: nn.Module, output: Tensor) -> None:
            if output.ndim == self._pixels.ndim:  # a head of a class of its own is no block
                maps.append(output)

        with hooks.inputs(parts[:1], maps.append), hooks.outputs(parts, note):
            functional_call(self.network, values, (self._pixels,))
        return maps

    @functools.cached_property
    def block_gradients(self) -> list[tuple[Tensor, Tensor]]:
        """Of each block random signs for what leaves it, and their gradient by what enters it."""
        generator, maps = torch.Generator().manual_seed(self.seed), self.block_maps
        found: list[tuple[Tensor, Tensor]] = []
        for entering, leaving in pairwise(maps):
            signs = torch.randint(2, leaving.shape, generator=generator).to(leaving) * 2 - 1
            (back,) = _gradients((leaving * signs).sum(), [entering], keep=True)
            found.append((signs, back))
        return found

    @functools.cached_property
    def line(self) -> Patterns:
        """Of points on the straight line from the first image to the second, as many as a batch has images.

        Weights are normal with variance 2 / fan in.
        """
        values, _ = self._drawn(_kaiming("fan_in"))
        images = self.images[0].detach()
        share = torch.linspace(0, 1, len(images)).reshape(-1, *[1] * (images.ndim - 1))
        with torch.no_grad(), Patterns() as patterns:
            functional_call(self.network, values, (torch.lerp(images[:1], images[1:2], share),))
        return patterns

    @functools.cached_property
    def tangent_kernel(self) -> NDArray[np.float64]:
        """(m, m) inner products of the gradients of the sum of an image's scores by all weights, of up to 16 images.

        Weights are normal with variance 2 / fan out.
        """
        values, _ = self._drawn(_kaiming("fan_out"))
        weights = [value.requires_grad_() for name, value in values.items() if name.endswith("weight")]
        scores = functional_call(self.network, values, (self.images[0][:KERNEL_IMAGES].detach(),)).sum(1)
        rows = [torch.cat([g.flatten() for g in _gradients(s, weights, keep=True)]) for s in scores]
        kernel = torch.zeros(len(rows), len(rows), dtype=torch.float64)
        for part in zip(*(row.split(2**20) for row in rows), strict=True):  # as float64 a bit at a time
            kernel += (stacked := torch.stack(part).double()) @ stacked.T
        return kernel.numpy()

    @functools.cached_property
    def _pixels(self) -> Tensor:
        return self.images[0].requires_grad_()

    def _named(self, kinds: tuple[type[nn.Module], ...]) -> list[tuple[str, nn.Module]]:
        return [(name, module) for name, module in self.network.named_modules() if isinstance(module, kinds)]

    def _drawn(self, draw: Draw) -> tuple[dict[str, Tensor], torch.Generator]:
        """Values of all parameters: new weights of layers, biases 0, of batch norms 1 and 0; and what drew them."""
        generator = torch.Generator().manual_seed(self.seed)
        values = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        for name, module in self._named((*LAYERS, *NORMS)):
            for own in dict(module.named_parameters(recurse=False)):
                values[f"{name}.{own}"].fill_(float(own == "weight"))
            if isinstance(module, LAYERS):
                draw(values[f"{name}.weight"], generator)
        return values, generator


@contextlib.contextmanager
def reproducible(seed: int) -> Generator[None]:
    """Torch's global generator begins with `seed`, one thread adds up in one order; afterwards both are as before."""
    with threads(), torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        yield


def _kaiming(mode: Literal["fan_in", "fan_out"]) -> Draw:
    return lambda weight, generator: nn.init.kaiming_normal_(weight, 0, mode, "relu", generator)


def _gradients(value: Tensor, by: Sequence[Tensor], *, keep: bool = False, create: bool = False) -> list[Tensor]:
    """Zero where `value` does not depend on a tensor. keep: its graph. create: a graph of the gradients as well."""
    if not value.requires_grad:
        return [torch.zeros_like(tensor) for tensor in by]
    found = torch.autograd.grad(value, by, retain_graph=keep or create, create_graph=create, materialize_grads=True)
    return list(found)
