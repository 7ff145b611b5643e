"""Operations that are a single layer, and a residual block that halves maps: the primitives of hierarchical spaces.

id                                     its input
relu, hardswish, mish, ...             the activation alone, any of `operations.ACTIVATIONS`
batch_norm, instance_norm, layer_norm  the normalisation alone; of layers: over channels and places together
bare_conv_1x1, bare_conv_3x3           the convolution alone; on vectors a linear layer
bare_dw_conv_3x3                       the depthwise convolution alone
res_block                              two 3x3 convolutions with rectifiers and batch norm, beside them the mean of 2x2
                                       and a 1x1 convolution (Dong and Yang, "NAS-Bench-201", 2020)
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from tierwise.networks.operations import ACTIVATIONS, Place, convolution, layer, norm

_INSTANCE: dict[int, type[nn.Module]] = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d}
_MEAN: dict[int, type[nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d}


class ResidualBlock(nn.Module):
    """Two convolutions, the first with the stride, and a shortcut."""

    def __init__(self, place: Place):
        super().__init__()
        second = Place(place.leaving, place.leaving, dims=place.dims, before=True)
        self.way = nn.Sequential(layer(place, convolution(place, 3)), layer(second, convolution(second, 3)))
        whole = Place(place.entering, place.leaving, dims=place.dims)
        mean = [_MEAN[place.dims](place.stride, ceil_mode=True)] if place.dims and place.stride > 1 else []
        self.shortcut = nn.Sequential(*mean, convolution(whole, 1))

    def forward(self, entering: Tensor) -> Tensor:
        """The sum of both ways."""
        return self.shortcut(entering) + self.way(entering)


def _instance_norm(place: Place) -> nn.Module:
    if place.dims == 0:
        raise ValueError("instance_norm needs images or signals, not vectors")
    return _INSTANCE[place.dims](place.leaving, affine=True)


PRIMITIVES: dict[str, Callable[[Place], nn.Module]] = {
    "id": lambda _: nn.Identity(),
    **{name: lambda _, kind=kind: kind() for name, kind in ACTIVATIONS.items() if name != "none"},
    "batch_norm": lambda place: norm(place.dims, place.leaving),
    "instance_norm": _instance_norm,
    "layer_norm": lambda place: nn.GroupNorm(1, place.leaving),
    "bare_conv_1x1": lambda place: convolution(place, 1),
    "bare_conv_3x3": lambda place: convolution(place, 3),
    "bare_dw_conv_3x3": lambda place: convolution(place, 3, depthwise=True),
    "res_block": ResidualBlock,
}
_CHANGING = ("bare_conv_1x1", "bare_conv_3x3", "res_block")  # that may have other channels and a stride


def primitive(name: str, place: Place) -> nn.Module:
    """The primitive of this name. Raises ValueError where it cannot stand at this place."""
    if name not in _CHANGING and (place.entering != place.leaving or place.stride > 1):
        raise ValueError(f"{name} changes neither channels nor size; only {', '.join(_CHANGING)} can")
    return PRIMITIVES[name](place)
