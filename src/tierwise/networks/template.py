"""Blocks of operations, and networks in which several blocks stand side by side and are averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tierwise.networks.skeleton import Mean, classifier

Shape = tuple[int, ...]
_CONVOLUTION: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
_TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_MAX: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
_MEAN: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
_BATCH: dict[int, Any] = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
_INSTANCE: dict[int, Any] = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d}
_PLAIN: dict[str, Callable[[], nn.Module]] = {
    "flatten": nn.Flatten, "global_pool": Mean, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU,
    "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "hardswish": nn.Hardswish,
    "identity": nn.Identity,
}  # fmt: skip


class Reshape(nn.Module):
    """Inputs in the form that the network takes."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape

    def forward(self, entering: Tensor) -> Tensor:
        """(n, *shape)"""
        return entering.flatten(1).unflatten(1, self.shape)


class Largest(nn.Module):
    """The largest of all places."""

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels)"""
        return maps.flatten(2).amax(2)


class Add(nn.Module):
    """Layers whose result is added to what enters."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, entering: Tensor) -> Tensor:
        """The sum."""
        return self.inner(entering) + entering


class Average(Add):
    """Layers whose result is averaged with what enters."""

    def forward(self, entering: Tensor) -> Tensor:
        """The mean of both."""
        return (self.inner(entering) + entering) / 2


class Concat(Add):
    """Layers whose channels follow those that enter."""

    def forward(self, entering: Tensor) -> Tensor:
        """(n, channels of both, ...)"""
        return torch.cat([entering, self.inner(entering)], 1)


_JOINS: dict[str, type[Add]] = {"add": Add, "average": Average, "concat": Concat}


class Side(nn.Module):
    """Blocks side by side: the mean of their outputs."""

    def __init__(self, blocks: Sequence[nn.Module]):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, entering: Tensor) -> Tensor:
        """Maps of the shape that each of them gives."""
        total = self.blocks[0](entering)
        for block in self.blocks[1:]:
            total = total + block(entering)
        return total / len(self.blocks)


def block(operations: Sequence[tuple[Mapping[str, Any], Shape]]) -> nn.Sequential:
    """Operations in a row: name ``op`` and settings of each, and the shape of what enters it."""
    layers: list[nn.Module] = []
    for settings, shape in operations:
        if settings["op"] in _JOINS:
            layers = [_JOINS[settings["op"]](nn.Sequential(*layers))]
        else:
            layers.append(_operation(settings, shape))
    return nn.Sequential(*layers)


def template_network(
    before: Sequence[nn.Module], layers: Sequence[Sequence[nn.Module]], leaving: Shape, classes: int
) -> nn.Sequential:
    """The blocks of each layer side by side, then the classifier for what leaves the last one."""
    inner = [blocks[0] if len(blocks) == 1 else Side(blocks) for blocks in layers]
    return nn.Sequential(*before, *inner, end(leaving, classes))


def end(leaving: Shape, classes: int) -> nn.Module:
    """The mean over all places, where there are any, and a linear layer."""
    return classifier(leaving[0], classes, len(leaving) - 1, active=False)


def _operation(given: Mapping[str, Any], shape: Shape) -> nn.Module:
    """One that is no join."""
    kind, dims, channels = given["op"], len(shape) - 1, shape[0]
    if kind in ("conv", "depthwise", "separable", "transpose"):
        return _convolution(given, channels, dims)
    if kind in ("max_pool", "avg_pool"):
        padding = (given["kernel"] - 1) // 2 if given["padding"] == "same" else given["padding"]
        stride = given["stride"] or given["kernel"]
        if kind == "max_pool":
            return _MAX[dims](given["kernel"], stride=stride, padding=padding)
        return _MEAN[dims](given["kernel"], stride=stride, padding=padding, count_include_pad=False)
    made: dict[str, Callable[[], nn.Module]] = {
        **_PLAIN,
        "global_max_pool": Largest,
        "dense": lambda: nn.Linear(channels, given["units"], bias=given["bias"]),
        "dropout": lambda: nn.Dropout(given["rate"]),
        "batch_norm": lambda: _BATCH[dims](channels),
        "layer_norm": lambda: nn.GroupNorm(1, channels),
        "instance_norm": lambda: _INSTANCE[dims](channels, affine=True),
        "upsample": lambda: nn.Upsample(scale_factor=float(given["factor"])),
    }
    return made[kind]()


def _convolution(given: Mapping[str, Any], channels: int, dims: int) -> nn.Module:
    kind, kernel, stride, bias = given["op"], given["kernel"], given["stride"], given["bias"]
    if kind == "transpose":
        return _TRANSPOSED[dims](channels, given["filters"], kernel, stride, given["padding"], bias=bias)
    wide: dict[str, Any] = {"stride": stride, "padding": given["padding"], "dilation": given["dilation"]}
    if wide["padding"] == "same":
        wide["padding"] = given["dilation"] * (kernel - 1) // 2
    if kind == "conv":
        return _CONVOLUTION[dims](channels, given["filters"], kernel, bias=bias, **wide)
    deep = _CONVOLUTION[dims](channels, channels, kernel, groups=channels, bias=bias and kind == "depthwise", **wide)
    if kind == "depthwise":
        return deep
    return nn.Sequential(deep, _CONVOLUTION[dims](channels, given["filters"], 1, bias=bias))
