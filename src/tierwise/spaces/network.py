"""The network around a declared cell: how often it is repeated, how wide it is there, and so what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting, MissingExtra, UnknownName
from tierwise.space import Shape
from tierwise.spaces.building import Operations, checked_shape, shrunk
from tierwise.spaces.cell_networks import Ops, Placed, around_costs, operation_costs, projection_costs
from tierwise.spaces.formulas import FREE, Cost

Ints = NDArray[np.int64]
_VARIABLES = ("c", "c_in", "h", "w", "stage", "classes")


@dataclass(frozen=True)
class Stage:
    """A run of equal cells: how many, their channels, and height and width of their feature maps."""

    cells: int = 1
    channels: int = 1
    size: int = 1


_STAGES = (Stage(channels=16), Stage(channels=32), Stage(channels=64))


@dataclass(frozen=True)
class Network:
    """Cells in stages, a cost for each operation, and the costs of everything around the cells.

    costs: operation -> formulas in c (channels of the stage), c_in (of the stage before), h, w, stage (0, 1, ...)
    and classes; an operation without a formula is free.
    extra: formulas for stem, reductions and classifier together, with the values of the last stage.
    Sizes are those declared, whatever image shape is asked about.

    Without any formula, costs are counted from the modules of the network that `Space.build` makes, for inputs of
    `shape`, or of the shape that is asked about. Where no stages are said, it has three, of one cell with 16, 32 and
    64 channels; where no sizes are said, every stage after the first halves the maps.
    operations: those of the user's own by name, see `load_space`.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    costs: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    extra: Cost = FREE
    operations: Operations = field(default_factory=dict[str, Callable[..., Any]], repr=False)
    shape: Shape | None = None
    _counted: dict[Any, Any] = field(default_factory=dict[Any, Any], init=False, repr=False, compare=False)

    def check(self, ops: Sequence[str], source: str) -> None:
        """Raises BadSetting, UnknownName for what cannot be costed; `source` is what the message names."""
        for stage in self.stages:
            if min(stage.cells, stage.channels, stage.size) < 1:
                raise BadSetting(f"{source}: network.stages", stage, "cells, channels and size of 1 or more")
        if not self.stages:
            raise BadSetting(f"{source}: network.stages", [], "one stage or more")
        for op in self.costs:
            if op not in ops:
                raise UnknownName(f"operation in {source}: cost", op, ops)
        if not self.counted:
            self._tables(ops, source, 10)
            self._around(source, 10)

    @property
    def counted(self) -> bool:
        """Whether costs are counted, because there is no formula."""
        return not self.costs and self.extra == FREE

    @property
    def stage_of_cell(self) -> list[int]:
        """The stage of every cell of the network, in order."""
        stages = self._built if self.counted else self.stages
        return [k for k, stage in enumerate(stages) for _ in range(stage.cells)]

    @property
    def _built(self) -> tuple[Stage, ...]:
        return _STAGES if self.stages == (Stage(),) else self.stages

    def placed(self, shape: Shape) -> list[Placed]:
        """The stages for inputs of this shape. Raises BadSetting."""
        shape, stages = checked_shape(shape), self._built
        said = any(stage.size > 1 for stage in stages)
        placed: list[Placed] = []
        for k, stage in enumerate(stages):
            stride = 2 if k and not said else 1
            if said and len(shape) > 1:
                stride, rest = divmod(shape[1], stage.size)
                if rest or not stride:
                    sizes = ", ".join(str(s.size) for s in stages)
                    raise BadSetting("shape", shape, f"a height that the sizes of the stages, {sizes}, divide in turn")
            shape = (stage.channels, *shrunk(shape, stride)[1:])
            placed.append(Placed(stage.cells, stride, shape))
        return placed

    def _numbers(self, classes: int) -> list[dict[str, int]]:
        before = [self.stages[0], *self.stages]
        return [
            {"c": s.channels, "c_in": b.channels, "h": s.size, "w": s.size, "stage": k, "classes": classes}
            for k, (s, b) in enumerate(zip(self.stages, before, strict=False))
        ]

    def tables(self, ops: Ops, classes: int, shape: Shape) -> Ints:
        """(stages, ops, 2) FLOPs and parameters of each operation. Raises BadSetting."""
        if not self.counted:
            return self._tables(ops.names, ops.space, classes)

        def count(stages: Sequence[Placed], _: Shape) -> Ints:
            return operation_costs(stages, ops)

        return self._count(ops.space, shape, (ops.names, ops.passing), count)

    def around(self, source: str, classes: int, shape: Shape) -> Ints:
        """(2,) FLOPs and parameters of everything around the cells. Raises BadSetting."""
        if not self.counted:
            return self._around(source, classes)

        def count(stages: Sequence[Placed], given: Shape) -> Ints:
            return around_costs(stages, classes, given)

        return self._count(source, shape, ("around", classes), count)

    def projections(self, source: str, most: int, shape: Shape) -> Ints:
        """(stages, most + 1, 2) of what brings so many concatenated nodes back to one width; formulas know none."""
        if not self.counted:
            return np.zeros((len(self.stages), most + 1, 2), dtype=np.int64)

        def count(stages: Sequence[Placed], _: Shape) -> Ints:
            return projection_costs(stages, most)

        return self._count(source, shape, ("projections", most), count)

    def _count(self, source: str, shape: Shape, what: object, count: Callable[[Sequence[Placed], Shape], Ints]) -> Ints:
        """What `count` gives for stages and shape, remembered. Raises BadSetting for what cannot be counted."""
        shape = self.shape or shape
        if (what, shape) not in self._counted:
            try:
                self._counted[what, shape] = count(self.placed(shape), shape)
            except (BadSetting, MissingExtra) as error:
                allowed = f"a space with cost formulas, or one that builds ({error})"
                raise BadSetting("costs of the space", source, allowed) from error
        return self._counted[what, shape]

    def _tables(self, ops: Sequence[str], source: str, classes: int) -> Ints:
        table = np.zeros((len(self.stages), len(ops), 2), dtype=np.int64)
        for op, cost in self.costs.items():
            for quantity, formula in enumerate(cost.formulas(f"{source}: cost.{op}", _VARIABLES)):
                for stage, numbers in enumerate(self._numbers(classes)):
                    table[stage, ops.index(op), quantity] = formula.value(numbers)
        return table

    def _around(self, source: str, classes: int) -> Ints:
        formulas = self.extra.formulas(f"{source}: network.extra", _VARIABLES)
        return np.array([formula.value(self._numbers(classes)[-1]) for formula in formulas], dtype=np.int64)
