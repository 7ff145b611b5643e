"""The supernet of stereo matching: both networks are searched at once, each on both levels.

Cheng et al., "Hierarchical Neural Architecture Search for Deep Stereo Matching" (LEAStereo, 2020).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from tierwise.architecture import Architecture
from tierwise.networks.resolutions import End
from tierwise.networks.stereo import likeliest, views, volume
from tierwise.space import Choice
from tierwise.spaces.stereo import CELL, NETS, STEPS, StereoSpace
from tierwise.spaces.stereo_networks import leaving, scales, stem
from tierwise.supernets.grid import Grid
from tierwise.supernets.supernet import Supernet


class StereoSupernet(Supernet):
    """Of the networks of a space, for pairs of its own shape and disparities. Choices are those of each `Grid`, with
    "feature/" or "matching/" before.
    """

    def __init__(self, space: StereoSpace):
        super().__init__()
        self.space = space
        self.stems = nn.ModuleList(stem(net) for net in NETS)
        maps = [scales(net, space.disparities, space.shape) for net in NETS]
        self.feature, self.matching = (
            Grid(CELL, net.layers, own, functools.partial(End, finest=own[0], leaving=leaving(net)))
            for net, own in zip(NETS, maps, strict=True)
        )
        named = zip(NETS, (self.feature, self.matching), strict=True)
        self.choices = tuple(Choice(f"{net.name}/{c.path}", c.options) for net, grid in named for c in grid.choices)
        self.sites = (*self.feature.sites, *(len(self.feature.choices) + site for site in self.matching.sites))

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Disparities (b, h, w) of pairs (b, 2, h, w)."""
        split = len(self.feature.sites)
        features = self.feature(self.stems[0](views(x)), weights[:split])
        scores = self.matching(self.stems[1](volume(features, self.space.disparities)), weights[split:])
        return likeliest(scores, x.shape[2:])

    def loss(self, output: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
        """Smooth L1 of disparities (b, h, w), in pixels; there are no labels to smooth."""
        return nn.functional.smooth_l1_loss(output, target)

    def derived(self, weights: Sequence[Tensor]) -> tuple[int, ...]:
        """The heaviest operations and the likeliest way of each network."""
        split = len(self.feature.choices)
        return (*self.feature.derived(weights[:split]), *self.matching.derived(weights[split:]))

    def architecture(self, genes: Sequence[int]) -> Architecture:
        """The member of the space that these genes of the supernet stand for."""
        split, found = len(self.feature.choices), list[int]()
        for grid, own in zip((self.feature, self.matching), (genes[:split], genes[split:]), strict=True):
            path = grid.path(own)
            found += own[: grid.edges]
            found += [STEPS.index("same") + after - r for r, after in itertools.pairwise(path)]
        return Architecture(self.space.name, tuple(found))
