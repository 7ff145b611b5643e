"""Networks of chains in PyTorch, and what their layers cost, counted from the layers themselves.

What the choices of a layer mean: `step`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.space import Shape
from tierwise.spaces import building
from tierwise.spaces.building import Operations, Step
from tierwise.spaces.formulas import FREE, Cost

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]


class _Slot(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def channels(self) -> int: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class ChainNetwork:
    """What is around the layers of a chain, and what they cost.

    costs: operation (an option of the choice "op") -> formulas; "" is for every other layer. Variables are the
    layer's numeric choices, c_in and c (channels in and out), h, w and layer (1, 2, ...).
    inputs: channels that enter the first layer; None for as many as an input has, 3 in formulas.
    extra: formulas for all around the layers, in c, h, w of the last layer and classes.

    Without any formula, costs are counted from the modules of the network that `Space.build` makes, for inputs of
    `shape`, or of the shape that is asked about. What the choices of a layer mean: `Plan.step`.
    operations: those of the user's own by name, see `load_space`.
    """

    costs: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    inputs: int | None = None
    extra: Cost = FREE
    operations: Operations = field(default_factory=dict[str, Any], repr=False)
    shape: Shape | None = None

    @property
    def counted(self) -> bool:
        """Whether costs are counted, because there is no formula."""
        return not self.costs and self.extra == FREE

    @property
    def first(self) -> int | None:
        """Channels that enter the first layer, None for as many as an input has."""
        return 3 if self.inputs is None and not self.counted else self.inputs


@dataclass(frozen=True)
class Plan:
    """The layers of a chain for inputs of `shape`, and the user's own operations.

    first: channels that enter the layers. sized: whether sizes of layers are declared; otherwise only the choice
    "stride" shrinks maps.
    """

    space: str
    slots: Sequence[_Slot]
    own: Operations
    shape: Shape
    first: int
    sized: bool

    @classmethod
    def of(cls, space: str, slots: Sequence[_Slot], own: Operations, shape: Shape, first: int | None) -> Plan:
        """first: None for as many channels as an input has. Raises BadSetting."""
        shape = building.checked_shape(shape)
        sized = any(slot.size > 1 for slot in slots) and shape[1:] != ()
        return cls(space, slots, own, shape, shape[0] if first is None else first, sized)

    @property
    def entering(self) -> Shape:
        """The shape of what enters the first layer."""
        return (self.first, *self.shape[1:])

    def step(self, slot: _Slot, chosen: Mapping[str, str], entering: Shape) -> Step:
        """A layer, by the options of its choices.

        op: an operation; without this choice a layer is a convolution of 3x3, of vectors a linear layer; their
        activation comes last. kernel, expansion: of an operation whose name says none. channels, width: that leave it,
        else as declared for the layer, else as many as enter. activation: "relu" and others. stride: by which it
        shrinks its input; without this choice as far as the declared size needs. Any other choice is for operations of
        the user's own. Raises BadSetting.
        """
        op = chosen.get("op", "" if "" in self.own else "conv" if entering[1:] else "linear")
        width = chosen.get("channels", chosen.get("width"))
        leaving = int(width) if width is not None else slot.channels or entering[0]
        stride = self._stride(slot, chosen, entering)
        return Step(op, entering, leaving, stride, choices=tuple(chosen.items()))

    def _stride(self, slot: _Slot, chosen: Mapping[str, str], entering: Shape) -> int:
        said = chosen.get("stride")
        if said is not None:
            if not said.isdecimal() or int(said) < 1:
                raise BadSetting(f"{self.space}: {slot.name}/stride", said, "a whole number, 1 or more")
            return int(said) if len(entering) > 1 else 1
        if not self.sized:
            return 1
        stride, rest = divmod(entering[1], slot.size)
        if rest or not stride:
            allowed = f"one whose height {slot.size}, the size of the layer {slot.name}, divides; {entering[1]} come in"
            raise BadSetting("shape", self.shape, allowed)
        return stride

    def network(self, chosen: Sequence[tuple[_Slot, Mapping[str, str]]], classes: int) -> nn.Module:
        """The network of the layers that are there, with the options of each. Raises BadSetting."""
        from tierwise.networks.chain_network import chain_network

        state, layers = self.entering, list["nn.Module"]()
        for slot, options in chosen:
            step = self.step(slot, options, state)
            building.check(step, self.own, self.space)
            layers.append(building.module(step, self.own, self.space))
            state = step.output
        return chain_network(layers, self.shape[0], self.first, state[0], classes, len(self.shape) - 1)


@dataclass
class CountedLayers:
    """Costs of the layers of a plan: each layer is counted once for every shape that comes in and every combination."""

    plan: Plan
    _states: list[Shape] = field(default_factory=list[Shape])
    _known: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict[tuple[int, ...], tuple[int, ...]])
    _around: dict[tuple[int, int], Ints] = field(default_factory=dict[tuple[int, int], Ints])

    def layers(self, codes: Ints, there: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """(n, slots, 2) FLOPs and parameters of every layer, and (n,) the state behind the last one.

        codes: (n, slots) combinations of options. there: (n, slots) whether a layer is there. Raises BadSetting.
        """
        each = np.zeros((*codes.shape, 2), dtype=np.int64)
        state = np.full(len(codes), self._state(self.plan.entering))
        for k in range(len(self.plan.slots)):
            rows = np.flatnonzero(there[:, k])
            pairs, place = np.unique(np.stack([state[rows], codes[rows, k]]), axis=1, return_inverse=True)
            found = np.array([self._cost(k, int(s), int(code)) for s, code in pairs.T], dtype=np.int64).reshape(-1, 3)
            each[rows, k], state[rows] = found[place, :2], found[place, 2]
        return each, state

    def around(self, state: Ints, classes: int) -> Ints:
        """(n, 2) FLOPs and parameters of what is around the layers, by the state behind the last one."""
        values, place = np.unique(state, return_inverse=True)
        return np.array([self._ends(int(s), classes) for s in values], dtype=np.int64).reshape(-1, 2)[place]

    def _state(self, shape: Shape) -> int:
        if shape not in self._states:
            self._states.append(shape)
        return self._states.index(shape)

    def _cost(self, k: int, state: int, code: int) -> tuple[int, ...]:
        """FLOPs, parameters and the state behind one layer."""
        if (k, state, code) not in self._known:
            plan, slot = self.plan, self.plan.slots[k]
            combination = next(itertools.islice(itertools.product(*slot.options.values()), code, None))
            step = plan.step(slot, dict(zip(slot.options, combination, strict=True)), self._states[state])
            self._known[k, state, code] = *building.cost(step, plan.own, plan.space), self._state(step.output)
        return self._known[k, state, code]

    def _ends(self, state: int, classes: int) -> Ints:
        from tierwise.networks.chain_network import chain_network
        from tierwise.networks.counting import counted
        from tierwise.networks.skeleton import classifier

        if (state, classes) not in self._around:
            plan, last = self.plan, self._states[state]
            dims = len(plan.shape) - 1
            end = counted(lambda: classifier(last[0], classes, dims, active=False), last)[:2]
            empty = functools.partial(chain_network, [], plan.shape[0], plan.first, plan.first, classes, dims)
            stem = counted(lambda: empty()[:-1], plan.shape)[:2]
            self._around[state, classes] = np.array(end) + np.array(stem)
        return self._around[state, classes]
