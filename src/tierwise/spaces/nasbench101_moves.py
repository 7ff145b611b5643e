"""One-step changes of cells with operations on the vertices, for whole batches."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from tierwise.spaces.nasbench101_graphs import (
    MOST_EDGES,
    OUTPUT,
    Masks,
    Ops,
    ancestors,
    compact,
    edge_count,
    has_backward_edge,
    pruned,
    sorted_forward,
)

_FROM, _TO = np.array([(x, y) for x, y in product(range(OUTPUT), range(1, OUTPUT + 1)) if x != y], dtype=np.uint8).T
Bools = NDArray[np.bool_]
Children = tuple[Masks, Ops, NDArray[np.int64]]


def one_step(sources: Masks, ops: Ops) -> Children:
    """Children of pruned cells and the row of each one's parent; every move has an inverse. Some come out twice.

    An edge is added between any two vertices that it does not close a cycle with; an edge is taken away where that
    leaves all other vertices alive, or all but one that has just one edge in and one out; an operation is replaced;
    a vertex with one edge in and one out is put in.
    """
    free = _free_pairs(sources)
    parts = [_flips(sources, ops, free), _other_operations(sources, ops), _new_vertices(sources, ops, free)]
    sources = np.concatenate([part[0] for part in parts], axis=1)
    ops = np.concatenate([part[1] for part in parts], axis=1)
    parent = np.concatenate([part[2] for part in parts])
    backward = has_backward_edge(sources)
    sources[:, backward], ops[:, backward] = sorted_forward(sources[:, backward], ops[:, backward])
    kept, kept_ops = pruned(sources, ops)
    invertible = np.flatnonzero(edge_count(kept) >= edge_count(sources) - 1)
    return *compact(kept[:, invertible], kept_ops[:, invertible]), parent[invertible]


def _free_pairs(sources: Masks) -> Bools:
    """(pairs, n) whether both vertices are there and an edge between them closes no cycle."""
    there = sources != 0
    there[0] = True
    return there[_FROM] & there[_TO] & (ancestors(sources)[_FROM] >> _TO[:, None] & 1 == 0)


def _flips(sources: Masks, ops: Ops, free: Bools) -> Children:
    edge = sources[_TO] >> _FROM[:, None] & 1 == 1
    pair, rows = np.nonzero(free & (edge | (edge_count(sources) < MOST_EDGES)))
    child = sources[:, rows]
    child[_TO[pair], np.arange(len(rows))] ^= 1 << _FROM[pair]
    return child, ops[:, rows], rows


def _other_operations(sources: Masks, ops: Ops) -> Children:
    codes = np.arange(3, dtype=np.int8)[:, None, None]
    code, v, rows = np.nonzero((ops >= 0) & (ops != codes))
    child = ops[:, rows]
    child[v, np.arange(len(rows))] = code
    return sources[:, rows], child, rows


def _new_vertices(sources: Masks, ops: Ops, free: Bools) -> Children:
    empty = sources[1:OUTPUT] == 0
    pair, rows = np.nonzero(free & empty.any(0) & (edge_count(sources) <= MOST_EDGES - 2))
    pair, rows, code = np.tile(pair, 3), np.tile(rows, 3), np.repeat(np.arange(3), len(rows))
    slot, new = empty.argmax(0)[rows].astype(np.uint8) + 1, np.arange(len(rows))
    child, labels = sources[:, rows], ops[:, rows]
    child[slot, new] = 1 << _FROM[pair]
    child[_TO[pair], new] |= 1 << slot
    labels[slot - 1, new] = code
    return child, labels, rows
