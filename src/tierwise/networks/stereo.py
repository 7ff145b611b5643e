"""Disparities from two views: features of both, a volume of their pairs at every disparity, and the likeliest one.

The pipeline is that of Kendall et al., "End-to-End Learning of Geometry and Context for Deep Stereo Regression" (2017),
which Cheng et al., "Hierarchical Neural Architecture Search for Deep Stereo Matching" (2020), search in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tierwise.networks.operations import Place, convolution, layer, norm
from tierwise.networks.resolutions import resized

SHRUNK = 2  # height, width and disparities inside, by the stem


class Stereo(nn.Module):
    """Disparities (b, h, w), in pixels of the left view, of pairs (b, 2, h, w).

    features: maps (b, c, h / 2, w / 2) of one view (b, 1, h, w). matching: scores (b, 1, d, h / 2, w / 2) of a volume
    with 2c channels. disparities: 0 to this number less one, an odd number.
    """

    def __init__(self, features: nn.Module, matching: nn.Module, disparities: int):
        super().__init__()
        self.features, self.matching, self.disparities = features, matching, disparities

    def forward(self, pairs: Tensor) -> Tensor:
        """(b, h, w)"""
        return likeliest(self.matching(volume(self.features(views(pairs)), self.disparities)), pairs.shape[2:])


def image_stem(channels: int) -> nn.Sequential:
    """Of one view: half the size."""
    first, second = Place(1, channels, SHRUNK), Place(channels, channels)
    return nn.Sequential(layer(first, convolution(first, 5)), convolution(second, 3), norm(2, channels))


def volume_stem(features: int, channels: int) -> nn.Sequential:
    """Of the volume of two views' features."""
    place = Place(2 * features, channels, dims=3)
    return nn.Sequential(convolution(place, 3), norm(3, channels))


def views(pairs: Tensor) -> Tensor:
    """(2b, 1, h, w): all left ones, then all right ones."""
    return torch.cat([pairs[:, :1], pairs[:, 1:]])


def volume(both: Tensor, disparities: int) -> Tensor:
    """(b, 2c, d, h, w) features (2b, c, h, w) of both views side by side, the right ones moved by 0, 1, ... places."""
    left, right = both.chunk(2)
    moved = [nn.functional.pad(right, (d, 0))[..., : right.shape[-1]] for d in range(disparities // SHRUNK + 1)]
    return torch.cat([left[:, :, None].expand(-1, -1, len(moved), -1, -1), torch.stack(moved, 2)], 1)


def likeliest(scores: Tensor, size: Sequence[int]) -> Tensor:
    """(b, *size) the mean disparity under the softmax of scores (b, 1, d, h, w), one for every other pixel."""
    finer = resized(scores[:, 0], size)
    places = torch.arange(finer.shape[1], dtype=finer.dtype, device=finer.device) * SHRUNK
    return (finer.softmax(1) * places[:, None, None]).sum(1)
