"""A few architectures side by side: what differs, by how much, and drawn so that one sees it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise import drawing
from tierwise.architecture import Architectures, Graphs
from tierwise.drawing.compared import Placed, compared
from tierwise.errors import BadSetting
from tierwise.navigator.architectures import Arch, arch_facts

if TYPE_CHECKING:
    from tierwise.navigator.navigator import Navigator

FEWEST, MOST = 2, 6
LARGEST_EXACT = 8  # nodes up to which every way to lay one graph on the other is tried


@dataclass(frozen=True, slots=True)
class Change:
    """A choice in which not all agree."""

    path: str
    options: list[str | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """The first is what the others are compared with. distance: how many changes of nodes and edges make the first of
    it. deltas: by column, value less that of the first. svgs: in one arrangement, differences marked.
    """

    archs: list[Arch]
    changes: list[Change]
    distance: list[int]
    deltas: list[dict[str, float | None]]
    svgs: list[str]


def compared_archs(navigator: Navigator, rows: Sequence[int]) -> Compared:
    """Of 2 to 6 rows of the map. Raises BadSetting."""
    if not FEWEST <= len(rows) <= MOST:
        raise BadSetting("rows", list(rows)[:10], f"{FEWEST} to {MOST} rows of the map")
    archs = [arch_facts(navigator, navigator.arch(row=row)) for row in rows]
    space, batch = navigator.study.space, navigator.population.archs[np.array(rows)]
    graphs = space.graphs(batch)
    found = [laid_on(graphs, 0, k) for k in range(len(rows))]
    changes = [
        Change(choice.path, options)
        for choice, options in zip(
            space.choices, map(list, zip(*(arch.genes for arch in archs), strict=True)), strict=True
        )
        if len(set(options)) > 1
    ]
    deltas = [{name: _less(value, archs[0].values[name]) for name, value in arch.values.items()} for arch in archs]
    return Compared(archs, changes, [distance for distance, _ in found], deltas, _drawn(batch, graphs, found))


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def laid_on(graphs: Graphs, first: int, other: int) -> tuple[int, NDArray[np.int64]]:
    """The graph edit distance of two cells (every insertion, deletion and substitution of a node or edge counts 1), and
    which node of the other one lies on each place of the first. Inputs lie on each other.

    Exact up to 8 nodes, as every way is tried (Sanfeliu and Fu, "A Distance Measure Between Attributed Relational
    Graphs for Pattern Recognition", 1983); of larger cells node lies on node as they are numbered.
    """
    nodes, edges = graphs.node_op, graphs.edge_op
    ways = _ways(nodes.shape[1]) if nodes.shape[1] <= LARGEST_EXACT else np.arange(nodes.shape[1])[None]
    cost = (nodes[other][ways] != nodes[first]).sum(1)
    cost = cost + (edges[other][ways[:, :, None], ways[:, None, :]] != edges[first]).sum((1, 2))
    best = int(cost.argmin())
    return int(cost[best]), ways[best]


@functools.cache
def _ways(n: int) -> NDArray[np.int64]:
    """(ways, n) orders of n nodes in which the first stays first; the one of no change comes first."""
    return np.array([(0, *rest) for rest in itertools.permutations(range(1, n))], dtype=np.int64)


def _drawn(batch: Architectures, graphs: Graphs, found: Sequence[tuple[int, NDArray[np.int64]]]) -> list[str]:
    """In one arrangement: as they are laid on each other, else as they are numbered, else each by itself."""
    titles, numbered = batch.space.format(batch), np.arange(graphs.node_op.shape[1])
    for ways in ([way for _, way in found], [numbered] * len(batch)):
        placed = [_placed(graphs, k, way) for k, way in enumerate(ways)]
        order = _order(placed)
        if order is not None:
            return compared([_renumbered(cell, order) for cell in placed], titles)
    each = [graphs[k] for k in range(len(batch))]
    return [drawing.svg(g.nodes, g.edges, title=title) for g, title in zip(each, titles, strict=True)]


def _renumbered(cell: Placed, order: dict[int, int]) -> Placed:
    nodes = {order[place]: op for place, op in cell.nodes.items()}
    return Placed(nodes, {(order[i], order[j]): op for (i, j), op in cell.edges.items()})


def _placed(graphs: Graphs, k: int, way: NDArray[np.int64]) -> Placed:
    """A cell with its nodes on the places of the first one."""
    nodes, edges = graphs.node_op[k][way], graphs.edge_op[k][way[:, None], way[None, :]]
    named = {int(p): graphs.ops[nodes[p] - 1] for p in np.flatnonzero(nodes)}
    ends = zip(*(found.tolist() for found in np.nonzero(edges)), strict=True)
    return Placed(named, {(i, j): graphs.ops[edges[i, j] - 1] for i, j in ends})


def _order(cells: Sequence[Placed]) -> dict[int, int] | None:
    """Places in an order in which every edge of every cell goes forward, the first one's last node last; None where
    there is none.
    """
    places = {p for cell in cells for p in cell.nodes}
    edges = {pair for cell in cells for pair in cell.edges}
    last, left, order = max(cells[0].nodes), set(places), dict[int, int]()
    while left:
        free = [p for p in sorted(left) if not any(i in left for i, j in edges if j == p)]
        free = [p for p in free if p != last] or (free if left == {last} else [])
        if not free:
            return None
        order[free[0]] = len(order)
        left.discard(free[0])
    return order
