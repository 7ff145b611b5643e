"""Cells as graphs whose nodes are operations, whichever way the space writes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Graphs

_NO_OPERATION = ("sum",)


def node_form(graphs: Graphs, identity: str = "") -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Operations (n, v), codes as in `graphs`, 0 for nothing, and links (n, v, v) of cells with all of them on nodes.

    An operation on an edge becomes a node between the two that it joins; a sum of features is left out, what enters
    it is linked with what leaves it; so is an operation named `identity`. A link says how often a value is read.
    Where there is an input and an output, nodes on no way between them are left out.
    Nodes are in topological order; how many there are depends on the rows that are converted together.
    """
    codes = {name: k + 1 for k, name in enumerate(graphs.ops)}
    named = np.array([False, *(name != "" for name in graphs.ops)])
    ops, links = _edges_as_nodes(graphs, named)
    if "input" in codes and "output" in codes:
        live = _reached(links, ops == codes["input"])
        live &= _reached(links[:, ::-1, ::-1].swapaxes(1, 2), ops[:, ::-1] == codes["output"])[:, ::-1]
        ops = ops * live
        links = links * (live[:, :, None] & live[:, None, :])
    passing = [codes[name] for name in (*_NO_OPERATION, identity) if name in codes and name]
    through = np.isin(ops, passing)
    for slot in np.flatnonzero(through.any(0)):
        rows = np.flatnonzero(through[:, slot])
        links[rows] += links[rows, :, slot, None] * links[rows, None, slot, :]
        links[rows, :, slot], links[rows, slot], ops[rows, slot] = 0, 0, 0
    kept = np.flatnonzero(ops.any(0))
    return np.ascontiguousarray(ops[:, kept]), np.ascontiguousarray(links[:, kept[:, None], kept])


def _edges_as_nodes(graphs: Graphs, named: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Operations and links with one slot more for each place of an edge with an operation, in topological order."""
    v = graphs.node_op.shape[1]
    with_op = named[graphs.edge_op]
    places = np.argwhere(with_op.any(0)).tolist()
    # an edge comes after its source and before its target
    slots = sorted([*((node, 1, node) for node in range(v)), *((j, 0, i) for i, j in places)])
    slot_of = {node: k for k, (_, is_node, node) in enumerate(slots) if is_node}
    ops = np.zeros((len(graphs), len(slots)), dtype=np.uint8)
    links = np.zeros((len(graphs), len(slots), len(slots)), dtype=np.float32)
    nodes = [slot_of[node] for node in range(v)]
    links[:, np.array(nodes)[:, None], nodes] = (graphs.edge_op > 0) & ~with_op
    for slot, (target, is_node, source) in enumerate(slots):
        if is_node:
            ops[:, slot] = graphs.node_op[:, source]
            continue
        there = with_op[:, source, target]
        ops[:, slot] = np.where(there, graphs.edge_op[:, source, target], 0)
        links[:, slot_of[source], slot] = links[:, slot, slot_of[target]] = there
    return ops, links


def _reached(links: NDArray[np.float32], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n, v) whether a way leads to each node from a node of `start`; links go forward."""
    reached = start.copy()
    for slot in range(reached.shape[1]):
        reached[:, slot] |= (reached & (links[:, :, slot] > 0)).any(1)
    return reached
