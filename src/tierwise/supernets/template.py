"""The supernet of a template: all blocks of every layer side by side, with shared weights, trained by drawn masks.

Tyagi, Xie and Mueller, "NAS-Navigator: Visual Steering for Explainable One-Shot Deep Neural Network Synthesis" (2022);
single paths after Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (2020), the
sandwich after Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques" (2019).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.evaluators.fit import seeded
from tierwise.networks.template import end, template_network
from tierwise.space import Choice, Shape
from tierwise.supernets.supernet import Mixture, Supernet

if TYPE_CHECKING:
    from tierwise.spaces.template import TemplateSpace

SAMPLERS = ("path", "uniform", "sandwich")
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class TemplateSupernet(Supernet):
    """Layers of a template, those with several blocks as mixtures. A mask is weights of 1 / (number on) in each.

    Choices are layers, and their candidates blocks, so that any optimiser of weights can train it as well.
    """

    def __init__(self, space: TemplateSpace, shape: Shape, classes: int):
        super().__init__()
        before, blocks = space.modules(shape)
        self.before = nn.Sequential(*before)
        self.layers = nn.ModuleList(own[0] if len(own) == 1 else Mixture(own) for own in blocks)
        self.leaving, self.classes = space.shapes.output, classes
        self.end = end(self.leaving, classes)
        self.slots = space.slots
        names = [tuple(choice.path.partition("/")[2] for choice in space.choices[slot]) for slot in space.slots]
        self.choices = tuple(Choice(name, own) for name, own in zip(space.layer_names, names, strict=True))
        self.sites = tuple(range(len(self.choices)))

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores. weights: (blocks,) for each layer that has several."""
        x, own = self.before(x), iter(weights)
        for layer in self.layers:
            x = layer(x, next(own)) if isinstance(layer, Mixture) else layer(x)
        return self.end(x)

    def masked(self, mask: NDArray[np.integer]) -> list[Tensor]:
        """The weights of a mask (genes,): one vector a layer that has several blocks."""
        device = next(self.parameters()).device
        on = torch.as_tensor(np.asarray(mask, dtype=np.float32), device=device)
        return [on[slot] / on[slot].sum() for slot in self.slots]

    def discrete(self, mask: NDArray[np.integer]) -> nn.Module:
        """The plain network of a mask, with a copy of the present weights."""
        slots, layers = iter(self.slots), list[list[nn.Module]]()
        for layer in self.layers:
            if isinstance(layer, Mixture):
                own = mask[next(slots)]
                layers.append([block for block, gene in zip(layer.candidates, own, strict=True) if gene])
            else:
                layers.append([layer])
        network = template_network([*self.before], layers, self.leaving, self.classes)
        network[-1] = self.end
        return copy.deepcopy(network)


def template_supernet(space: TemplateSpace, *, shape: Shape, classes: int, seed: int = 0) -> TemplateSupernet:
    """The supernet with the initial weights of a seed. Raises BadSetting, MissingExtra."""
    with seeded(seed):
        return TemplateSupernet(space, shape, classes)


class Drawn(nn.Module):
    """A supernet as `Fit` trains it: (b, k, ...) in, (b, k, classes) out, each of the k by a mask of its own, drawn
    anew in every step from torch's generator, which `Fit` seeds by epoch.

    sampler: "path", one block of each layer; "uniform", any mask that the space allows; "sandwich", the first of k with
    all blocks, the others with one of each layer.
    """

    def __init__(self, net: TemplateSupernet, space: TemplateSpace, sampler: str):
        super().__init__()
        if sampler not in SAMPLERS:
            raise BadSetting("sampler", sampler, f"one of {', '.join(SAMPLERS)}")
        self.net, self.patterns = net, space.patterns
        self.single = sampler != "uniform"
        self.whole = sampler == "sandwich"

    def forward(self, x: Tensor) -> Tensor:
        """(b, k, classes)"""
        scores = [self.net(x[:, k], self.net.masked(self._mask(first=k == 0))) for k in range(x.shape[1])]
        return torch.stack(scores, 1)

    def _mask(self, first: bool) -> NDArray[np.int16]:
        """One mask."""
        parts: list[NDArray[np.int16]] = []
        for own in self.patterns:
            counts = own.sum(1)
            kept = np.arange(len(own))
            if self.single:
                kept = np.flatnonzero(counts == (counts.max() if self.whole and first else counts.min()))
            parts.append(own[kept[int(torch.randint(len(kept), ()))]])
        return np.concatenate(parts)


@torch.no_grad()
def recalibrate(net: TemplateSupernet, weights: Sequence[Tensor], batches: Sequence[Tensor]) -> None:
    """Batch norms take the mean statistics of these batches under these weights: what they have gathered in training
    is of all masks together. Leaves the supernet in evaluation mode.
    """
    net.eval()
    norms = [module for module in net.modules() if isinstance(module, NORMS)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for x in batches:
        net(x, weights)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = cast(float, momentum)
    net.eval()
