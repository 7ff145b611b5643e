"""Operations of several networks at once, on tensors (batch, networks, ...): one call where there were many.

Every function takes the fx nodes of equal signature, and gives a module on stacked operands, or None where the
operation is not known in stacked form; ``Each`` then computes one after the other.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

ELEMENTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Tanh, nn.Identity,
    nn.Dropout,
)  # fmt: skip
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
SIMPLE: dict[Any, Callable[..., Tensor]] = {
    torch.relu: torch.relu, functional.relu: torch.relu, "relu": torch.relu, functional.gelu: functional.gelu,
    functional.silu: functional.silu, functional.hardswish: functional.hardswish, torch.sigmoid: torch.sigmoid,
    "sigmoid": torch.sigmoid, torch.tanh: torch.tanh, "tanh": torch.tanh, operator.add: operator.add,
    torch.add: operator.add, operator.iadd: operator.add, "add": operator.add, operator.mul: operator.mul,
    torch.mul: operator.mul, operator.imul: operator.mul, operator.sub: operator.sub,
    operator.truediv: operator.truediv,
}  # fmt: skip
POOLED = (
    functional.avg_pool1d, functional.avg_pool2d, functional.max_pool1d, functional.max_pool2d,
    functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d,
)  # fmt: skip


class Each(nn.Module):
    """The networks one after the other: any operation at all."""

    def __init__(self, nodes: Sequence[fx.Node], modules: Sequence[nn.Module | None]):
        super().__init__()
        self.nodes = list(nodes)
        self.own = nn.ModuleList([nn.Identity() if module is None else module for module in modules])

    def forward(self, *operands: Tensor) -> Tensor:
        """The stacked results."""
        parts = zip(*(operand.unbind(1) for operand in operands), strict=True)
        return torch.stack([self._one(k, list(inputs)) for k, inputs in enumerate(parts)], 1)

    def _one(self, k: int, inputs: list[Tensor]) -> Tensor:
        node = self.nodes[k]
        args, kwargs = with_operands(node, inputs)
        if node.op == "call_module":
            return self.own[k](*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], cast(str, node.target))(*args[1:], **kwargs)
        return cast(Callable[..., Tensor], node.target)(*args, **kwargs)


class Convolution(nn.Module):
    """Groups of channels, those of one network each."""

    def __init__(self, modules: Sequence[Any]):
        super().__init__()
        first, self.count = modules[0], len(modules)
        self.weight = nn.Parameter(torch.cat([m.weight.detach() for m in modules]))
        self.bias = None if first.bias is None else nn.Parameter(torch.cat([m.bias.detach() for m in modules]))
        self.call: Any = functional.conv2d if isinstance(first, nn.Conv2d) else functional.conv1d
        self.settings = (first.stride, first.padding, first.dilation, first.groups * self.count)

    def forward(self, x: Tensor) -> Tensor:
        """(b, networks, c, ...) convolved."""
        return self.call(x.flatten(1, 2), self.weight, self.bias, *self.settings).unflatten(1, (self.count, -1))


class BatchNorm(nn.Module):
    """Statistics are of single channels: channels side by side."""

    def __init__(self, modules: Sequence[Any]):
        super().__init__()
        first, self.count = modules[0], len(modules)
        self.eps, self.momentum = first.eps, first.momentum
        affine = first.affine
        self.weight = nn.Parameter(torch.cat([m.weight.detach() for m in modules])) if affine else None
        self.bias = nn.Parameter(torch.cat([m.bias.detach() for m in modules])) if affine else None
        self.register_buffer("mean", torch.cat([m.running_mean for m in modules]))
        self.register_buffer("var", torch.cat([m.running_var for m in modules]))

    def forward(self, x: Tensor) -> Tensor:
        """(b, networks, c, ...) normalised."""
        mean, var = cast(Tensor, self.mean), cast(Tensor, self.var)
        flat = x.flatten(1, 2)
        normal = functional.batch_norm(flat, mean, var, self.weight, self.bias, self.training, self.momentum, self.eps)
        return normal.view(x.shape)


class Linear(nn.Module):
    """A batch of matrix products."""

    def __init__(self, modules: Sequence[nn.Linear]):
        super().__init__()
        self.weight = nn.Parameter(torch.stack([m.weight.detach().T for m in modules]))
        biases = [m.bias.detach() for m in modules if cast(Tensor | None, m.bias) is not None]
        self.bias = nn.Parameter(torch.cat(biases)) if biases else None  # flat: a bias does not decay

    def forward(self, x: Tensor) -> Tensor:
        """(b, networks, features) mapped."""
        out = torch.bmm(x.transpose(0, 1), self.weight).transpose(0, 1)
        return out if self.bias is None else out + self.bias.view(out.shape[1:])


class Channels(nn.Module):
    """What treats every channel alike, with the channels side by side."""

    def __init__(self, call: Callable[[Tensor], Tensor]):
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        """(b, networks, c, ...) pooled."""
        return self.call(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


class Direct(nn.Module):
    """A call that heeds neither batch nor networks."""

    def __init__(self, call: Callable[..., Tensor]):
        super().__init__()
        self.call = call

    def forward(self, *operands: Tensor) -> Tensor:
        """The result, stacked as the operands are."""
        return self.call(*operands)


def stacked(nodes: Sequence[fx.Node], modules: Sequence[nn.Module | None]) -> nn.Module:
    """One module for all of these nodes, which have the same signature."""
    found = _of_modules(modules) if nodes[0].op == "call_module" else _of_call(nodes[0])
    return found or Each(nodes, modules)


def with_operands(node: fx.Node, operands: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a node with these tensors in place of the nodes that it reads, in the order of reading."""
    given = iter(operands)

    def exchange(_: fx.Node) -> Any:
        return next(given)

    return fx.map_arg(node.args, exchange), fx.map_arg(node.kwargs, exchange)  # pyright: ignore[reportReturnType]


def _of_modules(modules: Sequence[Any]) -> nn.Module | None:
    first = modules[0]
    if isinstance(first, CONVOLUTIONS) and first.padding_mode == "zeros":
        return Convolution(modules)
    if isinstance(first, nn.BatchNorm1d | nn.BatchNorm2d) and first.track_running_stats and first.momentum is not None:
        return BatchNorm(modules)
    if isinstance(first, nn.Linear):
        return Linear(modules)
    if isinstance(first, POOLS):
        return Channels(first)
    if isinstance(first, nn.Flatten) and first.start_dim == 1 and first.end_dim == -1:
        return Direct(_flat)
    if isinstance(first, ELEMENTWISE):
        return nn.ReLU() if isinstance(first, nn.ReLU) else first  # not in place: others may read the operand
    return None


def _of_call(node: fx.Node) -> nn.Module | None:
    """Functions and methods whose stacked form is known."""
    target, shapes = node.target, [tuple(n.meta["shape"]) for n in node.all_input_nodes]
    rest = node.args[1:]
    if target in SIMPLE and not node.kwargs and len({len(shape) for shape in shapes}) == 1:
        call = SIMPLE[target]
        return Direct(lambda *x: call(*with_operands(node, x)[0]))
    if target in POOLED:
        return Channels(lambda x: cast(Callable[..., Tensor], target)(x, *rest, **node.kwargs))
    if target in (torch.flatten, "flatten") and (rest == (1,) and not node.kwargs):
        return Direct(_flat)
    if target in (torch.mean, "mean") and (dims := _dims(rest, node.kwargs, len(shapes[0]))):
        return Direct(functools.partial(torch.mean, dim=dims))
    if target is torch.cat and (dims := _dims(rest, node.kwargs, len(shapes[0]))):
        return Direct(lambda *x: torch.cat(x, dims[0]))
    if target is operator.getitem and isinstance(rest[0], tuple) and rest[0][0] == slice(None):
        index = (slice(None), *rest[0])
        return Direct(functools.partial(_item, index=index))
    return None


def _flat(x: Tensor) -> Tensor:
    return x.flatten(2)


def _item(x: Tensor, index: tuple[Any, ...]) -> Tensor:
    return x[index]


def _dims(rest: tuple[Any, ...], kwargs: dict[str, Any], count: int) -> tuple[int, ...]:
    """Dimensions as they are once the networks have one of their own; () for the batch or what is not understood."""
    given = rest[0] if len(rest) == 1 and not kwargs else kwargs.get("dim") if not rest and len(kwargs) == 1 else None
    dims = given if isinstance(given, tuple | list) else (given,)
    if not all(isinstance(dim, int) for dim in dims):
        return ()
    placed = [cast(int, dim) % count for dim in dims]
    return () if 0 in placed else tuple(dim + 1 for dim in placed)
