"""What stands around cells and layers: stem, reductions between stages, classifier; for images, signals and vectors."""

from __future__ import annotations

from torch import Tensor, nn

from tierwise.networks.operations import Place, convolution, layer, norm


def stem(entering: int, leaving: int, stride: int, dims: int, *, active: bool) -> nn.Module:
    """The first layer: a convolution of 3x3, or as wide as it takes to skip no pixel, batch norm, and a rectifier if
    `active`; for vectors a linear layer in place of the convolution.
    """
    place = Place(entering, leaving, stride, dims)
    if active:
        return layer(place, convolution(place, _kernel(stride)))
    return nn.Sequential(convolution(place, _kernel(stride)), norm(dims, leaving))


def reduction(entering: int, leaving: int, stride: int, dims: int) -> nn.Module:
    """Between two stages of cells: a rectifier, then what `stem` has."""
    place = Place(entering, leaving, stride, dims, before=True)
    return layer(place, convolution(place, _kernel(stride)))


def _kernel(stride: int) -> int:
    return max(3, 2 * stride - 1)


def classifier(entering: int, classes: int, dims: int, *, active: bool) -> nn.Module:
    """The mean over all places and a linear layer; batch norm and a rectifier first if `active`."""
    first = [norm(dims, entering), nn.ReLU()] if active else []
    return nn.Sequential(*first, *([Mean()] if dims else []), nn.Linear(entering, classes))


class Mean(nn.Module):
    """The mean over height and width, or over the length of a signal."""

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels)"""
        return maps.flatten(2).mean(2)
