"""Small spaces beside NAS-Bench-201, so that nothing is tested on one space alone."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from tierwise.architecture import Architectures, Graphs
from tierwise.space import Choice, Shape, Space
from tierwise.spaces.edges import Edges
from tierwise.spaces.listed import Listed

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


class Grid(Space):
    """Four choices of four options, every row a network of its own."""

    def __init__(self) -> None:
        super().__init__("grid", [Choice(f"layer/{k}", ("a", "b", "c", "d")) for k in range(4)])

    def graphs(self, archs: Architectures) -> Graphs:
        return Graphs((archs.genes + 1).astype(np.uint8), np.zeros((len(archs), 4, 4), np.uint8), tuple("abcd"))


class Unordered(Listed):
    """One to four layers of five widths, whose order does not matter: 125 members, most of many gene rows."""

    def __init__(self) -> None:
        super().__init__("unordered", [Choice(f"layer/{k}", tuple("abcde")) for k in range(4)])

    def _members(self) -> Any:
        rows = [
            (*layers, *[-1] * (4 - len(layers)))
            for depth in range(1, 5)
            for layers in combinations_with_replacement(range(5), depth)
        ]
        return np.array(rows, dtype=np.int16)

    def canonical(self, archs: Architectures) -> Any:
        layers = -np.sort(-archs.genes.astype(np.int64), axis=1)  # widest first, absent layers last
        return ((layers + 1) @ 6 ** np.arange(4)).astype(np.uint64)

    def graphs(self, archs: Architectures) -> Graphs:
        node_op = (archs.genes + 1).astype(np.uint8)
        return Graphs(node_op, np.zeros((len(archs), 4, 4), dtype=np.uint8), tuple("abcde"))
