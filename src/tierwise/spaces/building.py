"""From what a space declares to PyTorch: one operation at a time, built or counted; torch is loaded when needed."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tierwise.architecture import Architecture
from tierwise.errors import BadSetting, MissingExtra
from tierwise.space import Shape

if TYPE_CHECKING:
    from torch import nn

    from tierwise.networks.operations import Place

# (channels in, channels out, stride, choices of the layer by name) -> module
Operations = Mapping[str, Callable[..., Any]]
_NUMBERS = ("kernel", "expansion")
_CHOICES = ("op", "kernel", "channels", "width", "expansion", "activation", "stride")
_OWN = 'one of your own, load_space(..., operations={"%s": make}) with make(c_in, c_out, stride) -> module'


@dataclass(frozen=True)
class Step:
    """One operation at its place.

    op: its name. entering: shape of one input, (c, h, w), (c, length) or (c,). leaving: channels. stride: by which it
    shrinks. before: whether activations come before layers. choices: those of its layer by name, as text.
    """

    op: str
    entering: Shape
    leaving: int
    stride: int = 1
    before: bool = False
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def output(self) -> Shape:
        """The shape of what leaves."""
        return shrunk((self.leaving, *self.entering[1:]), self.stride)


def shrunk(shape: Shape, stride: int) -> Shape:
    """A shape behind an operation of this stride that keeps the channels."""
    return shape[0], *(math.ceil(size / stride) for size in shape[1:])


def checked_shape(shape: Shape) -> Shape:
    """The shape of one input. Raises BadSetting."""
    if not 1 <= len(shape) <= 3 or not all(int(size) == size and size >= 1 for size in shape):
        allowed = "(channels, height, width) of an image, (channels, length) of a signal or (features,) of a vector"
        raise BadSetting("shape", shape, allowed)
    return tuple(int(size) for size in shape)


@contextlib.contextmanager
def naming(arch: Architecture) -> Generator[None]:
    """Errors inside say which architecture they are about."""
    try:
        yield
    except BadSetting as error:
        raise BadSetting(f"{error.setting} in {arch}", error.value, error.allowed) from error


def need_torch() -> None:
    """Raises MissingExtra where torch is not installed."""
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("a network", "torch", "torch") from error


def module(step: Step, own: Operations, space: str) -> nn.Module:
    """The operation as a module. Raises BadSetting for a name outside the vocabulary, naming the space."""
    from tierwise.networks.operations import operation

    if step.op in own:
        return _own(step, own[step.op])
    try:
        return operation(step.op, _place(step))
    except ValueError as error:
        raise BadSetting(f"operation of {space}", step.op, f"{error}; or {_OWN % step.op}") from error


def check(step: Step, own: Operations, space: str) -> None:
    """Raises BadSetting where an operation of the user's own gives another shape than its place needs."""
    if step.op in own:
        cost(step, own, space)


def cost(step: Step, own: Operations, space: str) -> tuple[int, int]:
    """Multiply-adds and parameters of an operation, counted from its module. Raises BadSetting as above."""
    from tierwise.networks.counting import counted

    if step.op not in own:
        return counted(lambda: module(step, own, space), step.entering)[:2]
    try:
        flops, params, seen = counted(lambda: _own(step, own[step.op]), step.entering)
    except Exception as error:  # whatever a person's own code raises
        allowed = f"what takes {_call(step)} and then an input of shape {(1, *step.entering)}; it raises "
        raise BadSetting(f"operation of {space}", step.op, f"{allowed}{type(error).__name__}: {error}") from error
    if seen != step.output:
        allowed = f"an output of shape {(1, *step.output)} for an input of {(1, *step.entering)}, not {(1, *seen)}"
        raise BadSetting(f"operation of {space}", step.op, f"{allowed}, when made by {_call(step)}")
    return flops, params


def _own(step: Step, make: Callable[..., Any]) -> nn.Module:
    others = {name: text for name, text in step.choices if name not in ("op", "channels", "width", "stride")}
    made = make(step.entering[0], step.leaving, step.stride, **{name: number_or_text(t) for name, t in others.items()})
    return as_module(made)


def as_module(made: object) -> nn.Module:
    """What a person's own code has made. Raises TypeError for no module."""
    from torch import nn

    if not isinstance(made, nn.Module):
        raise TypeError(f"it gives a {type(made).__name__}, no torch.nn.Module")
    return made


def passing() -> nn.Module:
    """What hands on its input."""
    from torch import nn

    return nn.Identity()


def _call(step: Step) -> str:
    others = [f", {name}={text}" for name, text in step.choices if name not in ("op", "channels", "width", "stride")]
    return f"({step.entering[0]}, {step.leaving}, {step.stride}{''.join(others)})"


def _place(step: Step) -> Place:
    """Where a named operation stands. Raises ValueError for a choice that no named operation has."""
    from tierwise.networks.operations import Place

    given: dict[str, Any] = {}
    for name, text in step.choices:
        if name not in _CHOICES:
            raise ValueError(f"the choice {name} is none of {', '.join(_CHOICES)}")
        if name in _NUMBERS:
            if not text.isdecimal() or int(text) < 1:
                raise ValueError(f"{name} {text}; it is a whole number, 1 or more")
            given[name] = int(text)
        if name == "activation":
            given[name] = text
    dims = len(step.entering) - 1
    return Place(step.entering[0], step.leaving, step.stride, dims, before=step.before, **given)


def number_or_text(text: str) -> int | float | str:
    """An option as the number that it is, or as text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
