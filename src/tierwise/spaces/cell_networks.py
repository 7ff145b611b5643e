"""Networks of declared cells in PyTorch, and what their parts cost, counted from the parts themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.space import Shape
from tierwise.spaces import building
from tierwise.spaces.building import Operations, Step

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Placed:
    """A stage in a network for inputs of a known shape.

    cells: how many. stride: of what stands before them. shape: of the maps inside, channels first.
    """

    cells: int
    stride: int
    shape: Shape


@dataclass(frozen=True)
class Ops:
    """The operations of a cell space: their names, those of the user's own, and the name of the space for messages.

    passing: names that stand for no module, because they pass nothing or what they read.
    """

    names: tuple[str, ...]
    own: Operations
    passing: tuple[str, ...]
    space: str
    _checked: set[Step] = field(default_factory=set[Step])

    def module(self, name: str, shape: Shape) -> nn.Module:
        """An operation inside a cell of maps of this shape. Raises BadSetting."""
        if name in self.passing:
            return building.passing()
        step = _inside(name, shape)
        if step not in self._checked:
            building.check(step, self.own, self.space)
            self._checked.add(step)
        return building.module(step, self.own, self.space)

    def costs(self, shape: Shape) -> list[tuple[int, int]]:
        """Multiply-adds and parameters of each inside a cell. Raises BadSetting."""
        return [
            (0, 0) if name in self.passing else building.cost(_inside(name, shape), self.own, self.space)
            for name in self.names
        ]


def _inside(name: str, shape: Shape) -> Step:
    return Step(name, shape, shape[0], before=True)


def network(stages: Sequence[Placed], cell: Callable[[Shape], nn.Module], classes: int, shape: Shape) -> nn.Module:
    """The whole network for inputs of `shape`; `cell` makes one for the shape of a stage's maps."""
    from tierwise.networks.cell_network import cell_network

    places = [(stage.cells, stage.shape[0], stage.stride) for stage in stages]
    return cell_network(places, lambda stage: cell(stages[stage].shape), shape[0], classes, len(shape) - 1)


def operation_costs(stages: Sequence[Placed], ops: Ops) -> NDArray[np.int64]:
    """(stages, ops, 2) multiply-adds and parameters of an operation in one cell. Raises BadSetting."""
    building.need_torch()
    return np.array([ops.costs(stage.shape) for stage in stages], dtype=np.int64)


def projection_costs(stages: Sequence[Placed], most: int) -> NDArray[np.int64]:
    """(stages, most + 1, 2) of what brings so many concatenated nodes back to the width of one."""
    building.need_torch()
    from tierwise.networks.cell_network import projection
    from tierwise.networks.counting import counted

    table = np.zeros((len(stages), most + 1, 2), dtype=np.int64)
    for k, stage in enumerate(stages):
        channels, *size = stage.shape
        for read in range(1, most + 1):
            made = functools.partial(projection, read, channels, len(size))
            table[k, read] = counted(made, (read * channels, *size))[:2]
    return table


def around_costs(stages: Sequence[Placed], classes: int, shape: Shape) -> NDArray[np.int64]:
    """(2,) of stem, reductions and classifier together."""
    building.need_torch()
    from tierwise.networks.counting import counted

    return np.array(counted(lambda: network(stages, lambda _: building.passing(), classes, shape), shape)[:2])
