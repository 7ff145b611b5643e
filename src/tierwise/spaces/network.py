"""The network around a declared cell: how often it is repeated, how wide it is there, and so what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.formulas import FREE, Cost

_VARIABLES = ("c", "c_in", "h", "w", "stage", "classes")


@dataclass(frozen=True)
class Stage:
    """A run of equal cells: how many, their channels, and height and width of their feature maps."""

    cells: int = 1
    channels: int = 1
    size: int = 1


@dataclass(frozen=True)
class Network:
    """Cells in stages, a cost for each operation, and the costs of everything around the cells.

    costs: operation -> formulas in c (channels of the stage), c_in (of the stage before), h, w, stage (0, 1, ...)
    and classes; an operation without a formula is free.
    extra: formulas for stem, reductions and classifier together, with the values of the last stage.
    Sizes are those declared, whatever image shape is asked about.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    costs: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    extra: Cost = FREE

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
        self.tables(ops, source, 10)
        self.around(source, 10)

    @property
    def stage_of_cell(self) -> list[int]:
        """The stage of every cell of the network, in order."""
        return [k for k, stage in enumerate(self.stages) for _ in range(stage.cells)]

    def _numbers(self, classes: int) -> list[dict[str, int]]:
        before = [self.stages[0], *self.stages]
        return [
            {"c": s.channels, "c_in": b.channels, "h": s.size, "w": s.size, "stage": k, "classes": classes}
            for k, (s, b) in enumerate(zip(self.stages, before, strict=False))
        ]

    def tables(self, ops: Sequence[str], source: str, classes: int) -> NDArray[np.int64]:
        """(stages, ops, 2) FLOPs and parameters of each operation."""
        table = np.zeros((len(self.stages), len(ops), 2), dtype=np.int64)
        for op, cost in self.costs.items():
            for quantity, formula in enumerate(cost.formulas(f"{source}: cost.{op}", _VARIABLES)):
                for stage, numbers in enumerate(self._numbers(classes)):
                    table[stage, ops.index(op), quantity] = formula.value(numbers)
        return table

    def around(self, source: str, classes: int) -> NDArray[np.int64]:
        """(2,) FLOPs and parameters of everything around the cells."""
        formulas = self.extra.formulas(f"{source}: network.extra", _VARIABLES)
        return np.array([formula.value(self._numbers(classes)[-1]) for formula in formulas], dtype=np.int64)
