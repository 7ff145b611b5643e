"""Small spaces beside NAS-Bench-201, so that nothing is tested on one space alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tierwise.architecture import Architectures, Graphs
from tierwise.space import Choice, Shape, Space
from tierwise.spaces.edges import Edges

TINY_OPS = ("none", "skip", "conv1x1", "conv3x3", "pool")


def tiny(nodes: int = 3, cls: type[Edges] = Edges) -> Edges:
    """125 cells of three nodes, or a few more of four."""
    return cls("tiny", nodes, TINY_OPS, zero="none", identity="skip", shared=("pool",))


class Costed(Edges):
    """Cells whose two copies in the network have made-up costs."""

    PER_OP = np.array([[0, 0], [0, 0], [40_000, 1_000], [300_000, 8_000], [5_000, 0]])

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> Any:
        full = np.zeros((len(archs), 2, self.nodes, self.nodes, 2), dtype=np.int64)
        for gene, (i, j) in enumerate(self.edges):
            full[:, :, i, j] = self.PER_OP[archs.genes[:, gene]][:, None] * shape[0]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> Any:
        return self.costs(archs, classes=classes, shape=shape).sum((1, 2, 3)) + classes


class Flat(Space):
    """Eighty independent choices, some of two and some of three options: far too many to list."""

    def __init__(self) -> None:
        super().__init__("flat", [Choice(f"layer/{k}", ("narrow", "wide", "deep")[: 2 + k % 2]) for k in range(80)])

    def graphs(self, archs: Architectures) -> Graphs:
        edge_op = np.zeros((len(archs), 2, 2), dtype=np.uint8)
        edge_op[:, 0, 1] = 1 + archs.genes[:, 0]
        return Graphs(np.full((len(archs), 2), 4, dtype=np.uint8), edge_op, ("narrow", "wide", "deep", "layer"))
