"""Batches of small DAGs with operations on the vertices, as bit masks: pruning, sorting, isomorphism keys, MD5 hashes.

A batch of n cells lies in a frame of seven vertices, vertex 0 the input and vertex 6 the output:
sources uint8 (7, n): bit x of ``sources[y]`` is the edge x -> y; ops int8 (5, n): the operation's code of the interior
vertices 1 to 5, -1 where there is none.
"""

from __future__ import annotations

import functools
from hashlib import md5
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.space import mix

VERTICES = 7
OUTPUT = VERTICES - 1
INTERIOR = VERTICES - 2
EDGES = tuple((x, y) for y in range(VERTICES) for x in range(y))  # gene order: by target, then by source
MOST_EDGES = 9
_SOURCE, _TARGET = np.array(EDGES, dtype=np.uint8).T
_ENTERING = [slice(y * (y - 1) // 2, y * (y + 1) // 2) for y in range(VERTICES)]  # genes of the edges into y
_BY_SOURCE = np.argsort(_SOURCE, kind="stable")  # genes by source, then by target
_LEAVING = [slice(x * OUTPUT - x * (x - 1) // 2, (x + 1) * OUTPUT - x * (x + 1) // 2) for x in range(OUTPUT)]
_KEY_ROWS = 65_536  # masks and colours of that many rows take some 40 MB
_KEY_ROUNDS = 2
_FROM, _TO = (
    np.uint64(0x9E6C63D0876A9A99),
    np.uint64(0xD1342543DE82EF95),
)  # weights of neighbourhoods: any odd ones

Masks = NDArray[np.uint8]
Ops = NDArray[np.int8]
Matrix = NDArray[np.integer[Any]]


def from_genes(genes: Matrix) -> tuple[Masks, Ops]:
    """The batch of gene rows (n, 26): 21 edge bits, then five operation codes."""
    sources = np.zeros((VERTICES, len(genes)), np.uint8)
    bits = (genes[:, : len(EDGES)].T == 1).view(np.uint8) << _SOURCE[:, None]
    for y in range(1, VERTICES):
        sources[y] = np.bitwise_or.reduce(bits[_ENTERING[y]])
    return sources, np.ascontiguousarray(genes[:, len(EDGES) :].T, dtype=np.int8)


def to_genes(sources: Masks, ops: Ops) -> NDArray[np.int16]:
    """Gene rows (n, 26) of a batch; edges that do not go forward are lost."""
    return np.ascontiguousarray(np.concatenate([edge_bits(sources), ops], dtype=np.int16).T)


def edge_bits(sources: Masks) -> Masks:
    """(21, n) whether each edge is there, in gene order."""
    return sources[_TARGET] >> _SOURCE[:, None] & 1


def from_words(words: NDArray[np.uint32]) -> tuple[Masks, Ops]:
    """The batch of packed cells: 21 bits of adjacency (x -> y is bit x + y(y-1)/2, the output is the last vertex), 3
    bits of vertices, 8 bits of the labelling's place in ``itertools.product(range(3), repeat=vertices - 2)``.
    """
    count, label = words >> 21 & 7, (words >> 24).astype(np.int16)
    sources = np.zeros((VERTICES, len(words)), np.uint8)
    for y in range(1, VERTICES):
        into = (words >> (y * (y - 1) // 2) & ((1 << y) - 1)).astype(np.uint8)
        sources[y] |= np.where(count > y + 1, into, 0)
        sources[OUTPUT] |= np.where(count == y + 1, into, 0)
    ops = np.full((INTERIOR, len(words)), -1, np.int8)
    for vertices in range(3, VERTICES + 1):
        rows = np.flatnonzero(count == vertices)
        for v in range(1, vertices - 1):
            ops[v - 1, rows] = label[rows] // 3 ** (vertices - 2 - v) % 3
    return sources, ops


def edge_count(sources: Masks) -> NDArray[np.int64]:
    """(n,) edges of each cell."""
    return _ONES[sources].sum(0, dtype=np.int64)


def has_backward_edge(sources: Masks) -> NDArray[np.int64]:
    """The rows with an edge from a vertex to itself or to one before it."""
    return np.flatnonzero((sources >> np.arange(VERTICES, dtype=np.uint8)[:, None]).any(0))


def pruned(sources: Masks, ops: Ops) -> tuple[Masks, Ops]:
    """Without the vertices that are on no way from input to output; no edge at all where there is no way."""
    ahead = np.ones(sources.shape[1], np.uint8)
    for y in range(1, VERTICES):
        ahead |= ((sources[y] & ahead) != 0).view(np.uint8) << y
    live = ahead & 1 << OUTPUT
    for y in range(OUTPUT, 0, -1):
        live |= sources[y] & ahead & -(live >> y & 1)
    kept = np.stack([sources[y] & live & -(live >> y & 1) for y in range(VERTICES)])
    lives = np.stack([live >> v & 1 for v in range(1, OUTPUT)]) == 1
    return kept, np.where(lives, ops, np.int8(-1))


def compact(sources: Masks, ops: Ops) -> tuple[Masks, Ops]:
    """Interior vertices moved to the first slots; a slot is empty where nothing enters it."""
    sources, ops = sources.copy(), ops.copy()
    for slot in range(INTERIOR - 1, 0, -1):
        rows = np.flatnonzero((sources[slot] == 0) & (sources[slot + 1 : OUTPUT] != 0).any(0))
        if not len(rows):
            continue
        part = sources[:, rows]
        part[slot:INTERIOR], part[INTERIOR] = part[slot + 1 : OUTPUT], 0
        sources[:, rows] = part & (1 << slot) - 1 | (part >> slot + 1) << slot
        ops[slot - 1 : -1, rows], ops[-1, rows] = ops[slot:, rows], -1
    return sources, ops


def ancestors(sources: Masks) -> Masks:
    """(7, n) bit x of row y: a way leads from x to y (from y itself, on a cycle). Edges may go backward."""
    above = sources.copy()
    for _ in range(3):  # ways of up to 2, 4, 8 edges
        above = above | np.bitwise_or.reduce([above[x] & -(above >> x & 1) for x in range(VERTICES)])
    return above


def sorted_forward(sources: Masks, ops: Ops) -> tuple[Masks, Ops]:
    """Vertices renumbered so that every edge goes forward; rows with a cycle, or with an edge into the input or out of
    the output, come out without edges.
    """
    above = ancestors(sources)
    itself = np.arange(VERTICES, dtype=np.uint8)[:, None]
    broken = (above >> itself & 1).any(0) | (sources[0] != 0) | (sources >> OUTPUT & 1).any(0)
    rank = _ONES[above].astype(np.int64)  # a vertex has more ancestors than any of its ancestors
    rank[1:OUTPUT][sources[1:OUTPUT] == 0] = VERTICES
    rank[0], rank[OUTPUT] = -1, VERTICES + 1
    order = np.argsort(rank, axis=0, kind="stable").astype(np.uint8)
    moved = np.take_along_axis(sources, order, 0)
    forward = np.zeros_like(sources)
    for x in range(VERTICES):
        forward |= (moved >> order[x] & 1) << x
    forward[:, broken] = 0
    return forward, np.take_along_axis(ops, order[1:OUTPUT] - 1, 0)


def is_cell(sources: Masks, ops: Ops) -> NDArray[np.bool_]:
    """(n,) whether pruned rows are cells: a way to the output, at most nine edges, one of three operations on each
    vertex that is entered.
    """
    known = (sources[1:OUTPUT] == 0) | ((ops >= 0) & (ops < 3))
    return (sources[OUTPUT] != 0) & (edge_count(sources) <= MOST_EDGES) & known.all(0)


def isomorphism_keys(sources: Masks, ops: Ops) -> NDArray[np.uint64]:
    """(n,) equal for isomorphic pruned cells, different otherwise, 0 for what is no cell.

    Colour refinement (Weisfeiler and Lehman, "The reduction of a graph to canonical form", 1968) from colours of
    (operation, in-degree, out-degree); in- and out-neighbours have weights of their own. Two rounds part all
    1,293,208 labelled graphs of the space as isomorphism does; one round does not.
    """
    keys = np.empty(sources.shape[1], np.uint64)
    for start in range(0, len(keys), _KEY_ROWS):
        part = slice(start, start + _KEY_ROWS)
        keys[part] = _refined(np.ascontiguousarray(sources[:, part]), ops[:, part])
    return np.where(is_cell(sources, ops), keys, np.uint64(0))


def _refined(sources: Masks, ops: Ops) -> NDArray[np.uint64]:
    there = edge_bits(sources)
    entering = -there.astype(np.uint64)  # all ones where the edge is there
    left = there[_BY_SOURCE]
    leaving = entering[_BY_SOURCE]
    out_degree = np.zeros_like(sources)
    for x in range(OUTPUT):
        out_degree[x] = np.add.reduce(left[_LEAVING[x]])
    label = np.empty_like(sources)
    label[0], label[1:OUTPUT], label[OUTPUT] = 3, ops + 5, 4
    live = (out_degree > 0) | (np.arange(VERTICES) == OUTPUT)[:, None]
    colour = _FIRST_COLOUR[label, _ONES[sources], out_degree] * live
    for _ in range(_KEY_ROUNDS):
        around = np.zeros_like(colour)
        for v in range(OUTPUT):
            around[v + 1] += np.add.reduce(colour[: v + 1] & entering[_ENTERING[v + 1]]) * _FROM
            around[v] += np.add.reduce(colour[v + 1 :] & leaving[_LEAVING[v]]) * _TO
        colour = mix(colour + around) * live
    return mix(colour.sum(0)) | np.uint64(1)


def fingerprints(sources: Masks, ops: Ops) -> list[str]:
    """The hash that NAS-Bench-101 gives each pruned cell: rounds of MD5 over the hashes of both neighbourhoods.

    Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (2019).
    """
    labels = np.concatenate([np.full((1, ops.shape[1]), -1), ops, np.full((1, ops.shape[1]), -2)])
    there = np.concatenate([sources[:OUTPUT] != 0, np.ones((1, ops.shape[1]), np.bool_)])
    there[0] = True
    rows = zip(sources.T.tolist(), labels.T.tolist(), there.T.tolist(), strict=True)
    return [_fingerprint(*row) for row in rows]


def _fingerprint(sources: list[int], labels: list[int], there: list[bool]) -> str:
    vertices = [v for v in range(VERTICES) if there[v]]
    before = [[k for k, x in enumerate(vertices) if sources[y] >> x & 1] for y in vertices]
    after = [[k for k in range(len(vertices)) if j in before[k]] for j in range(len(vertices))]
    hashes = [_md5(str((len(after[k]), len(before[k]), labels[v]))) for k, v in enumerate(vertices)]
    for _ in vertices:
        hashes = [
            _md5_once("".join(sorted(hashes[k] for k in b)) + "|" + "".join(sorted(hashes[k] for k in a)) + "|" + own)
            for b, a, own in zip(before, after, hashes, strict=True)
        ]
    return _md5_once(str(sorted(hashes)))


def _md5_once(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


_md5 = functools.cache(_md5_once)  # of degrees and labels there are few
_ONES = np.array([bin(mask).count("1") for mask in range(256)], dtype=np.uint8)
_FIRST_COLOUR = mix(mix(np.arange(8 * 8 * 8, dtype=np.uint64))).reshape(8, 8, 8)
