"""Networks of terms in PyTorch, and what their operations cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tierwise.errors import BadSetting
from tierwise.space import Shape
from tierwise.spaces import building
from tierwise.spaces.building import Operations, Step
from tierwise.spaces.grammar_terms import Term
from tierwise.spaces.grammar_topologies import SERIES, Wiring, wiring

if TYPE_CHECKING:
    from torch import nn

HALVING = ("res_block",)
IDENTITIES = ("id", "identity", "skip", "skip_connect")
_MOST_CHANNELS = 2**16


@dataclass(frozen=True)
class TermNetwork:
    """A stem to `channels`, a term, and batch norm, rectifier, mean and linear layer.

    halving: the operations of stride 2 that double the channels. operations, topologies: those of one's own.
    shape: of an input for which costs are counted, None for that which is asked about.
    """

    space: str
    channels: int
    halving: tuple[str, ...]
    operations: Operations
    topologies: Mapping[str, Wiring]
    shape: Shape | None = None
    _costs: dict[Any, tuple[int, int]] = field(default_factory=dict[Any, tuple[int, int]])

    def __post_init__(self) -> None:
        if not 1 <= self.channels <= _MOST_CHANNELS:
            raise BadSetting(f"channels of {self.space}", self.channels, f"1 to {_MOST_CHANNELS}")
        if self.shape is not None:
            building.checked_shape(self.shape)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes two networks of equal terms different."""
        return self.channels, self.halving, tuple(sorted(self.operations)), self.shape

    def build(self, term: Term, classes: int, shape: Shape) -> nn.Module:
        """The whole network. Raises BadSetting."""
        building.need_torch()
        entering = building.checked_shape(shape)
        body, leaving = self._module(term, (self.channels, *entering[1:]))
        return self._around(body, leaving[0], entering, classes)

    def _around(self, body: nn.Module, leaving: int, shape: Shape, classes: int) -> nn.Module:
        from torch import nn

        from tierwise.networks.skeleton import classifier, stem

        dims = len(shape) - 1
        first = stem(shape[0], self.channels, 1, dims, active=False)
        return nn.Sequential(first, body, classifier(leaving, classes, dims, active=True))

    def _module(self, term: Term, shape: Shape) -> tuple[nn.Module, Shape]:
        """The term as a module for maps of this shape, and the shape of what leaves it."""
        from torch import nn

        from tierwise.networks.cell_network import EdgeCell

        if not term.args:
            return self._operation(term.head, shape), self._behind(term.head, shape)
        edges = wiring(term.head, len(term.args), self.topologies)
        shapes, made = {0: shape}, list[tuple[int, int, nn.Module]]()
        for arg, (source, target) in zip(term.args, edges, strict=True):
            module, leaving = self._module(arg, shapes[source])
            if shapes.setdefault(target, leaving) != leaving:
                raise self.mismatch(term.made_by, shapes[target], leaving)
            made.append((source, target, module))
        if term.head == SERIES:
            return nn.Sequential(*(module for _, _, module in made)), shapes[len(edges)]
        return EdgeCell(len(shapes), made), shapes[len(shapes) - 1]

    def mismatch(self, production: str, one: Shape, other: Shape) -> BadSetting:
        """The error of two shapes that cannot be added."""
        allowed = "equal shapes where terms are added; have one symbol for terms that halve and one for the others"
        return BadSetting(f"production {production} of {self.space}", f"shapes {one} and {other}", allowed)

    def _behind(self, op: str, shape: Shape) -> Shape:
        if op not in self.halving:
            return shape
        if 2 * shape[0] > _MOST_CHANNELS:
            allowed = f"so few halvings that there are at most {_MOST_CHANNELS} channels"
            raise BadSetting(f"channels of {self.space}", 2 * shape[0], allowed)
        return halved(shape)

    def _operation(self, op: str, shape: Shape) -> nn.Module:
        from tierwise.networks.operations import Place
        from tierwise.networks.primitives import PRIMITIVES, primitive

        leaving, stride = self._behind(op, shape)[0], 1 + (op in self.halving)
        step = Step(op, shape, leaving, stride, before=True)
        if op not in PRIMITIVES or op in self.operations:
            building.check(step, self.operations, self.space)
            return building.module(step, self.operations, self.space)
        try:
            return primitive(op, Place(shape[0], leaving, stride, len(shape) - 1, before=True))
        except ValueError as error:
            raise BadSetting(f"operation of {self.space}", op, str(error)) from error

    def cost(self, op: str, shape: Shape) -> tuple[int, int]:
        """Multiply-adds and parameters of an operation that reads maps of this shape. Raises BadSetting."""
        from tierwise.networks.counting import counted

        if (op, shape) not in self._costs:
            self._costs[op, shape] = counted(lambda: self._operation(op, shape), shape)[:2]
        return self._costs[op, shape]

    def around_cost(self, leaving: int, classes: int, shape: Shape) -> tuple[int, int]:
        """Multiply-adds and parameters of stem and classifier, if so many channels leave the term."""
        from tierwise.networks.counting import counted
        from tierwise.networks.skeleton import classifier, stem

        key, dims = ("around", leaving, classes, shape), len(shape) - 1
        if key not in self._costs:
            first = counted(lambda: stem(shape[0], self.channels, 1, dims, active=False), shape)
            last = counted(lambda: classifier(leaving, classes, dims, active=True), (leaving, *(1 for _ in shape[1:])))
            self._costs[key] = first[0] + last[0], first[1] + last[1]
        return self._costs[key]


def halved(shape: Shape) -> Shape:
    """Twice the channels on maps of half the size."""
    return building.shrunk((2 * shape[0], *shape[1:]), 2)
