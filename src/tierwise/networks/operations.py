"""Operations by name: what ``conv3x3``, ``skip_connect`` or ``max_pool_3x3`` stand for in PyTorch.

Capitals do not matter, ``-``, ``_`` and spaces are alike; ``3x3``, ``3`` and ``k3`` are the kernel, 3 by default, and
``e6`` is the expansion, 6 by default:

none, zero                             nothing: zeros
skip, skip_connect, identity           its input; where width or size change, a 1x1 convolution and batch norm
conv, nor_conv, relu_conv_bn           a convolution and batch norm, the activation before or behind (see `Place`)
conv_bn_relu, conv_bn                  in just this order
sep_conv                               twice a depthwise and a 1x1 convolution, batch norm (as in DARTS, 2019)
dil_conv                               once, the depthwise convolution with gaps of one pixel
dw_conv, depthwise                     a depthwise convolution and batch norm
mbconv, mb                             inverted residual (Sandler et al., "MobileNetV2", 2018): expansion, depthwise
                                       convolution, projection, plus the input where width and size stay
max_pool, avg_pool, pool               the largest; the mean (both names), padding not counted
linear, dense, fc                      a linear layer with bias over the channels of every place, and the activation
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "swish": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
    "elu": nn.ELU, "leaky_relu": nn.LeakyReLU, "hardswish": nn.Hardswish, "mish": nn.Mish, "none": nn.Identity,
}  # fmt: skip
SYNONYMS = {
    "zero": ("none", "zero"),
    "identity": ("skip", "skip_connect", "identity"),
    "conv": ("conv", "nor_conv", "relu_conv_bn"),
    "conv_bn_relu": ("conv_bn_relu",),
    "conv_bn": ("conv_bn",),
    "separable": ("sep_conv", "sepconv"),
    "dilated": ("dil_conv", "dilconv"),
    "depthwise": ("dw_conv", "dwconv", "depthwise", "depthwise_conv"),
    "mbconv": ("mbconv", "mb"),
    "max_pool": ("max_pool", "maxpool"),
    "avg_pool": ("avg_pool", "avgpool", "pool"),
    "linear": ("linear", "dense", "fc"),
}
EXAMPLES = (
    "none, skip, conv3x3, conv_bn_relu_3x3, sep_conv_5x5, dil_conv_3x3, dw_conv_3x3, mbconv_k3_e6, "
    "max_pool_3x3, avg_pool_3x3, linear"
)
_KIND = {name: kind for kind, names in SYNONYMS.items() for name in names}
_CONVOLUTION: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_NORM: dict[int, type[nn.Module]] = {
    0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d,
}  # fmt: skip
_MAX: dict[int, type[nn.Module]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
_MEAN: dict[int, type[nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
_WITHOUT_PLACES = ("zero", "identity", "linear")  # that act on vectors too


@dataclass(frozen=True)
class Place:
    """Where an operation stands.

    entering, leaving: channels. stride: by which it shrinks its input. dims: 3 for volumes (n, c, d, h, w), of
    convolutions alone, 2 for images (n, c, h, w), 1 for signals (n, c, length), 0 for vectors (n, c). kernel,
    expansion: where the name does not say, 0 for the default. activation: a name of ACTIVATIONS. before: whether it
    comes before a layer, as inside cells, or behind it.
    """

    entering: int
    leaving: int
    stride: int = 1
    dims: int = 2
    kernel: int = 0
    expansion: int = 0
    activation: str = "relu"
    before: bool = False


def operation(name: str, place: Place) -> nn.Module:
    """The operation of this name. Raises ValueError, saying why, for a name outside the vocabulary, and for a place
    where it cannot stand.
    """
    kind, kernel, expansion = _read(name)
    place = replace(
        place,
        kernel=_said_once("kernel", kernel, place.kernel) or 3,
        expansion=_said_once("expansion", expansion, place.expansion) or 6,
    )
    if place.dims == 0 and kind not in _WITHOUT_PLACES:
        raise ValueError(f"{name} needs images or signals, not vectors; on those stand linear, skip and none")
    if place.kernel % 2 == 0:
        raise ValueError(f"a kernel of {place.kernel}; kernels are odd")
    if place.activation not in ACTIVATIONS:
        raise ValueError(f"activation {place.activation!r}; there is {', '.join(ACTIVATIONS)}")
    return _MAKERS[kind](place)


def _read(name: str) -> tuple[str, int, int]:
    """Kind, kernel and expansion (0: not said) of a name. Raises ValueError."""
    text = re.sub(r"[^a-z0-9]+", "_", name.lower())
    expansion = re.search(r"(?<![a-z])e(?:xpansion)?_?(\d+)", text)
    text = text if expansion is None else text.replace(expansion[0], "_")
    kernel = re.search(r"(\d+)x\1(?!\d)", text) or re.search(r"(?:(?<![a-z])k(?:ernel)?_?)?(\d+)", text)
    text = text if kernel is None else text.replace(kernel[0], "_", 1)
    word = re.sub(r"_+", "_", text).strip("_")
    if word not in _KIND or (expansion is not None and _KIND[word] != "mbconv"):
        raise ValueError(f"no operation is called {name}; names that build are {EXAMPLES} and the like")
    return _KIND[word], int(kernel[1]) if kernel else 0, int(expansion[1]) if expansion else 0


def _said_once(what: str, by_name: int, by_choice: int) -> int:
    if by_name and by_choice and by_name != by_choice:
        raise ValueError(f"its name says {what} {by_name}, the choice {what} says {by_choice}")
    return by_name or by_choice


class Zero(nn.Module):
    """Zeros of the right size."""

    def __init__(self, place: Place):
        super().__init__()
        self.leaving, self.stride = place.leaving, place.stride

    def forward(self, entering: Tensor) -> Tensor:
        """Zeros (n, leaving, size / stride)."""
        sizes = [-(-size // self.stride) for size in entering.shape[2:]]
        return entering.new_zeros(len(entering), self.leaving, *sizes)


class Residual(nn.Sequential):
    """Layers whose result is added to what enters."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps of the same shape."""
        return input + super().forward(input)


def convolution(place: Place, kernel: int, *, depthwise: bool = False, dilation: int = 1) -> nn.Module:
    """A convolution without bias whose padding keeps height and width; of vectors, a linear layer without bias."""
    if place.dims == 0:
        return nn.Linear(place.entering, place.leaving, bias=False)
    return _CONVOLUTION[place.dims](
        place.entering,
        place.leaving,
        kernel,
        stride=place.stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=place.entering if depthwise else 1,
        bias=False,
    )


def norm(dims: int, channels: int) -> nn.Module:
    """Batch norm."""
    return _NORM[dims](channels)


def layer(place: Place, *convolutions: nn.Module) -> nn.Sequential:
    """Convolutions in a row with batch norm, the activation before them or behind."""
    active = ACTIVATIONS[place.activation]()
    inner = [*convolutions, norm(place.dims, place.leaving)]
    return nn.Sequential(*([active, *inner] if place.before else [*inner, active]))


def _conv(place: Place) -> nn.Module:
    return layer(place, convolution(place, place.kernel))


def _conv_bn(place: Place) -> nn.Module:
    return nn.Sequential(convolution(place, place.kernel), norm(place.dims, place.leaving))


def _conv_bn_relu(place: Place) -> nn.Module:
    return _conv(replace(place, before=False))


def _depthwise(place: Place, dilation: int = 1) -> nn.Sequential:
    """A depthwise convolution, and a 1x1 convolution that brings it to its width."""
    wide, narrow = replace(place, leaving=place.entering), replace(place, stride=1)
    deep = convolution(wide, place.kernel, depthwise=True, dilation=dilation)
    return layer(place, deep, convolution(narrow, 1))


def _separable(place: Place) -> nn.Module:
    return nn.Sequential(_depthwise(place), _depthwise(replace(place, entering=place.leaving, stride=1)))


def _depthwise_alone(place: Place) -> nn.Module:
    if place.entering != place.leaving:
        return _depthwise(place)
    return layer(place, convolution(place, place.kernel, depthwise=True))


def _mbconv(place: Place) -> nn.Module:
    middle = place.entering * place.expansion
    inner = replace(place, leaving=middle, before=False)
    first = [] if place.expansion == 1 else [layer(replace(inner, stride=1), convolution(replace(inner, stride=1), 1))]
    deep = layer(inner, convolution(replace(inner, entering=middle), place.kernel, depthwise=True))
    last = replace(place, entering=middle, stride=1)
    layers = [*first, deep, convolution(last, 1), norm(place.dims, place.leaving)]
    same = place.stride == 1 and place.entering == place.leaving
    return (Residual if same else nn.Sequential)(*layers)


def _projection(place: Place) -> nn.Module:
    return nn.Sequential(convolution(place, 1), norm(place.dims, place.leaving))


def _identity(place: Place) -> nn.Module:
    same = place.entering == place.leaving and place.stride == 1
    return nn.Identity() if same else _projection(place)


def _pool(kind: Mapping[int, type[nn.Module]], place: Place, **settings: bool) -> nn.Module:
    pool = kind[place.dims](place.kernel, stride=place.stride, padding=place.kernel // 2, **settings)
    return pool if place.entering == place.leaving else nn.Sequential(pool, _projection(replace(place, stride=1)))


def _linear(place: Place) -> nn.Module:
    active = ACTIVATIONS[place.activation]()
    if place.dims:
        dense = _CONVOLUTION[place.dims](place.entering, place.leaving, 1, stride=place.stride)
    else:
        dense = nn.Linear(place.entering, place.leaving)
    return nn.Sequential(*([active, dense] if place.before else [dense, active]))


_MAKERS: dict[str, Callable[[Place], nn.Module]] = {
    "zero": Zero,
    "identity": _identity,
    "conv": _conv,
    "conv_bn_relu": _conv_bn_relu,
    "conv_bn": _conv_bn,
    "separable": _separable,
    "dilated": lambda place: _depthwise(place, dilation=2),
    "depthwise": _depthwise_alone,
    "mbconv": _mbconv,
    "max_pool": lambda place: _pool(_MAX, place),
    "avg_pool": lambda place: _pool(_MEAN, place, count_include_pad=False),
    "linear": _linear,
}
