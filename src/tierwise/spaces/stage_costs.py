"""What stages cost, counted from modules: one operation at a time, so that a whole space takes no longer than a few."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.space import Shape
from tierwise.spaces import building
from tierwise.spaces.building import Operations, Step
from tierwise.spaces.stage import StageOptions

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class StageCosts:
    """FLOPs and parameters (..., 2) for inputs of one shape: operations (stages, widths, ops, activations), what else a
    candidate has (stages, widths), and all that is around the stages.
    """

    operations: Ints
    projections: Ints
    skeleton: Ints


@dataclass(frozen=True)
class Plan:
    """Stages for inputs of `shape`. normed: whether candidates end with batch norm. own: the user's own operations."""

    space: str
    stages: Sequence[StageOptions]
    shape: Shape
    normed: bool
    own: Operations

    @property
    def dims(self) -> int:
        """2 for images, 1 for signals, 0 for vectors."""
        return len(self.shape) - 1

    def entering(self, stage: int) -> Shape:
        """The shape that enters a stage, and leaves it."""
        shape = self.shape
        for before in self.stages[: stage + 1]:
            shape = building.shrunk((before.channels, *shape[1:]), before.stride)
        return shape

    def step(self, stage: int, genes: Sequence[int]) -> Step:
        """The operation of a stage, by its width, operation and activation."""
        width, op, activation = (o[gene] for o, gene in zip(self.stages[stage].options, genes, strict=True))
        place = (int(width), *self.entering(stage)[1:])
        return Step(op, place, int(width), choices=(("activation", activation),))

    def operation(self, step: Step) -> Callable[[], nn.Module]:
        """Makes the operation. Raises BadSetting."""
        building.check(step, self.own, self.space)
        return functools.partial(building.module, step, self.own, self.space)

    def candidate(self, stage: int, edges: Sequence[tuple[int, int]], step: Step) -> nn.Module:
        """The candidate of a stage: a DAG of this operation."""
        from tierwise.networks.staged import candidate

        make, channels = self.operation(step), self.stages[stage].channels
        return candidate(edges, make, channels, step.leaving, self.dims, normed=self.normed)

    def skeleton(self, classes: int) -> tuple[list[nn.Module], nn.Module]:
        """What stands before each stage, and behind the last one."""
        from tierwise.networks.staged import skeleton

        return skeleton([(s.channels, s.stride) for s in self.stages], self.shape[0], classes, self.dims)

    def costs(self, classes: int) -> StageCosts:
        """Counted from modules. Raises BadSetting, MissingExtra."""
        from tierwise.networks.counting import counted
        from tierwise.networks.staged import staged_network

        counts = np.array([[len(options) for options in stage.options] for stage in self.stages])
        operations = np.zeros((len(counts), *counts.max(0), 2), dtype=np.int64)
        projections = np.zeros((len(counts), counts[:, 0].max(), 2), dtype=np.int64)
        for k, stage in enumerate(counts):
            for genes in itertools.product(*map(range, stage)):
                step = self.step(k, genes)
                operations[k, *genes] = building.cost(step, self.own, self.space)
                empty = functools.partial(self._empty, k, step.leaving)
                if not any(genes[1:]):
                    projections[k, genes[0]] = counted(empty, self.entering(k))[:2]

        def alone() -> nn.Module:
            before, end = self.skeleton(classes)
            return staged_network(before, [building.passing() for _ in before], end)

        return StageCosts(operations, projections, np.array(counted(alone, self.shape)[:2], dtype=np.int64))

    def _empty(self, stage: int, width: int) -> nn.Module:
        from tierwise.networks.staged import candidate

        channels = self.stages[stage].channels
        return candidate([(0, 1)], building.passing, channels, width, self.dims, normed=self.normed)
