"""What may stand in a block of a template: operations with their settings, shapes and costs, without building any.

Maps are (c, h, w), signals (c, length), vectors (c,). Costs are multiply-adds for one input, and parameters; norms,
biases, activations and pools add no multiply-adds.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from tierwise.space import Shape

Count = Annotated[int, Field(ge=1, le=65_536)]
Kernel = Annotated[int, Field(ge=1, le=64)]
Stride = Annotated[int, Field(ge=1, le=64)]
Padding = Annotated[int, Field(ge=0, le=64)] | Literal["same"]


class Misfit(Exception):
    """An operation that cannot stand where it is; the text says what would fit."""


def shown(shape: Shape) -> str:
    """``16×8×8``."""
    return "×".join(map(str, shape))


class Operation(BaseModel):
    """One operation. group: how the editor calls and colours its kind."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    group: ClassVar[str] = "other"
    weighted: ClassVar[bool] = False  # whether it has weights of its own
    op: Any  # a literal in each of them

    def output(self, shape: Shape, entering: Shape) -> Shape:
        """What leaves it for an input of `shape` in a block that `entering` enters. Raises Misfit."""
        del entering
        return shape

    def cost(self, shape: Shape) -> tuple[int, int]:
        """Multiply-adds and parameters."""
        del shape
        return 0, 0

    def text(self) -> str:
        """A short name."""
        return self.op

    def _maps(self, shape: Shape) -> int:
        """The number of dimensions of its maps. Raises Misfit for a vector."""
        if len(shape) < 2:
            raise Misfit(
                f"{self.op} takes maps or signals, not a vector of {math.prod(shape)}; dense, dropout and norms do"
            )
        return len(shape) - 1


class _Windowed(Operation):
    """What slides a window over maps."""

    kernel: Kernel = 3
    stride: Stride = 1
    padding: Padding = "same"
    dilation: Stride = 1

    def places(self, shape: Shape) -> Shape:
        """Height and width behind it. Raises Misfit."""
        self._maps(shape)
        reach = self.dilation * (self.kernel - 1) + 1
        if self.padding == "same" and not reach % 2:
            raise Misfit(f'{self.op} with padding "same" needs an odd kernel, not {self.kernel}; padding = 0 fits')
        padding = self.padded()
        sizes = [(size + 2 * padding - reach) // self.stride + 1 for size in shape[1:]]
        if min(size + 2 * padding for size in shape[1:]) < reach:
            raise Misfit(f"{self.op} with a window of {reach} is too large for maps of {shown(shape[1:])}")
        return tuple(sizes)

    def padded(self) -> int:
        """Rows added on each side."""
        return self.dilation * (self.kernel - 1) // 2 if self.padding == "same" else self.padding

    def text(self) -> str:
        """``conv3x3/2`` of stride 2."""
        dilated = f"-d{self.dilation}" if self.dilation > 1 else ""
        return f"{self.op}{self.kernel}x{self.kernel}{dilated}" + (f"/{self.stride}" if self.stride > 1 else "")


class Conv(_Windowed):
    """A convolution, of images or signals."""

    group = "convolution"
    weighted = True
    op: Literal["conv", "separable"]
    filters: Count
    bias: bool = False

    def output(self, shape: Shape, entering: Shape) -> Shape:
        return self.filters, *self.places(shape)

    def cost(self, shape: Shape) -> tuple[int, int]:
        window, places = self.kernel ** self._maps(shape), self.places(shape)
        weights = window * shape[0] * self.filters
        if self.op == "separable":  # a depthwise convolution, then one of 1x1
            weights = window * shape[0] + shape[0] * self.filters
        return weights * math.prod(places), weights + self.bias * self.filters

    def text(self) -> str:
        return f"{super().text()}-{self.filters}"


class Depthwise(_Windowed):
    """A convolution of each channel alone."""

    group = "convolution"
    weighted = True
    op: Literal["depthwise"]
    bias: bool = False

    def output(self, shape: Shape, entering: Shape) -> Shape:
        return shape[0], *self.places(shape)

    def cost(self, shape: Shape) -> tuple[int, int]:
        weights = self.kernel ** self._maps(shape) * shape[0]
        return weights * math.prod(self.places(shape)), weights + self.bias * shape[0]


class Transpose(Operation):
    """A transposed convolution, which enlarges maps."""

    group = "convolution"
    weighted = True
    op: Literal["transpose"]
    filters: Count
    kernel: Kernel = 2
    stride: Stride = 2
    padding: Annotated[int, Field(ge=0, le=64)] = 0
    bias: bool = False

    def output(self, shape: Shape, entering: Shape) -> Shape:
        self._maps(shape)
        sizes = [(size - 1) * self.stride + self.kernel - 2 * self.padding for size in shape[1:]]
        if min(sizes) < 1:
            raise Misfit(f"transpose with padding {self.padding} leaves nothing of {shown(shape[1:])}")
        return self.filters, *sizes

    def cost(self, shape: Shape) -> tuple[int, int]:
        weights = self.kernel ** self._maps(shape) * shape[0] * self.filters
        return weights * math.prod(shape[1:]), weights + self.bias * self.filters

    def text(self) -> str:
        return f"transpose{self.kernel}x{self.kernel}-{self.filters}"


class Pool(Operation):
    """The largest, or the mean, of each window; padding is not counted. stride: by default the kernel."""

    group = "pool"
    op: Literal["max_pool", "avg_pool"]
    kernel: Kernel = 2
    stride: Stride | None = None
    padding: Padding = 0

    def window(self) -> _Windowed:
        """Its window."""
        given: Any = {"op": self.op, "kernel": self.kernel, "stride": self.stride or self.kernel}
        return _Windowed(**given, padding=self.padding)

    def output(self, shape: Shape, entering: Shape) -> Shape:
        if self.window().padded() > self.kernel // 2:
            raise Misfit(f"padding of {self.op} is at most half of its kernel, {self.kernel // 2}")
        return shape[0], *self.window().places(shape)

    def text(self) -> str:
        return self.window().text()


class GlobalPool(Operation):
    """The mean, or the largest, of all places: a vector."""

    group = "pool"
    op: Literal["global_pool", "global_max_pool"]

    def output(self, shape: Shape, entering: Shape) -> Shape:
        self._maps(shape)
        return shape[:1]


class Upsample(Operation):
    """Every place repeated."""

    group = "pool"
    op: Literal["upsample"]
    factor: Annotated[int, Field(ge=2, le=16)] = 2

    def output(self, shape: Shape, entering: Shape) -> Shape:
        self._maps(shape)
        return shape[0], *(size * self.factor for size in shape[1:])


class Flatten(Operation):
    """All numbers as one vector."""

    group = "shape"
    op: Literal["flatten"]

    def output(self, shape: Shape, entering: Shape) -> Shape:
        return (math.prod(shape),)


class Dense(Operation):
    """A linear layer on a vector."""

    group = "dense"
    weighted = True
    op: Literal["dense"]
    units: Count
    bias: bool = True

    def output(self, shape: Shape, entering: Shape) -> Shape:
        if len(shape) > 1:
            raise Misfit(f"dense takes a vector, not maps of {shown(shape)}; put flatten or global_pool before it")
        return (self.units,)

    def cost(self, shape: Shape) -> tuple[int, int]:
        return shape[0] * self.units, shape[0] * self.units + self.bias * self.units

    def text(self) -> str:
        return f"dense-{self.units}"


class Dropout(Operation):
    """Numbers set to 0 at random, in training."""

    group = "other"
    op: Literal["dropout"]
    rate: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Norm(Operation):
    """A normalisation with a scale and a shift for each channel; layer norm is over channels and places together."""

    group = "norm"
    weighted = True
    op: Literal["batch_norm", "layer_norm", "instance_norm"]

    def output(self, shape: Shape, entering: Shape) -> Shape:
        if self.op == "instance_norm" and math.prod(shape[1:]) < 2:
            raise Misfit(f"instance_norm needs maps of two places or more, not {shown(shape)}; layer_norm fits")
        return shape

    def cost(self, shape: Shape) -> tuple[int, int]:
        return 0, 2 * shape[0]


class Activation(Operation):
    """An activation, or nothing."""

    group = "activation"
    op: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "hardswish", "identity"]


class Join(Operation):
    """What the block has computed so far, together with what has entered it: a shortcut."""

    group = "merge"
    op: Literal["add", "average", "concat"]

    def output(self, shape: Shape, entering: Shape) -> Shape:
        if self.op == "concat" and shape[1:] == entering[1:] and len(shape) == len(entering):
            return shape[0] + entering[0], *shape[1:]
        if self.op == "concat" or shape != entering:
            wanted = f"maps of {shown(entering[1:])}" if self.op == "concat" and entering[1:] else shown(entering)
            raise Misfit(f"{self.op} joins {shown(shape)} with the block's input {shown(entering)}; {wanted} would fit")
        return shape


Op = Annotated[
    Conv | Depthwise | Transpose | Pool | GlobalPool | Upsample | Flatten | Dense | Dropout | Norm | Activation | Join,
    Field(discriminator="op"),
]
