"""Weisfeiler-Lehman subtree counts of what is alive in a cell, hashed into a fixed number of columns."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs, Graphs
from tierwise.encoding import Encoding, batch
from tierwise.errors import BadSetting
from tierwise.space import Space, mix

_ROWS, _TERMS = 8_192, 2**21  # looked at together: graphs, and what may lie on their edges and nodes
_PLACES = ("", "input", "sum")  # what does nothing; the output, as the last term, stands for the whole cell
_INPUT = 1  # label of the cell's input

Labels = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.float64]


class WeisfeilerLehman(Encoding):
    """Counts of subtrees of operations, equal for equal networks.

    The label of an operation is, at depth 0, its name; at depth k, its name and the multiset of labels of depth
    k - 1 of what it sums up; the output is such an operation too. Identities, missing operations and what the
    output does not depend on are left out.
    Each label counts in the column that its hash picks, (n, 2 * columns) float32:

    * in the first half once for every way on which the operation reaches the output;
    * in the second half once for every operation, but never for the space's weightless ``shared`` operations,
      because one and the same network may hold one or several of them.

    So networks that are equal by the rules of ``Edges.canonical`` have equal rows.

    columns: how many columns the hashes share in each half. depth: the largest depth of a label.
    Raises BadSetting for a setting that is too small.

    From: Shervashidze et al., "Weisfeiler-Lehman Graph Kernels" (2011), used for architectures by Ru et al.,
    "Interpretable Neural Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels" (2021).
    Leaving out what is dead, following the direction of the edges alone and hashing into columns is ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> WeisfeilerLehman(columns=64).transform(NASBench201().at([0, 6111])).shape
    (2, 128)
    """

    def __init__(self, columns: int = 128, depth: int = 2):
        self.columns = columns
        self.depth = depth

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, (n, 2 * columns)."""
        rows = batch(archs)
        if self.columns < 1 or self.depth < 0:
            raise BadSetting("columns and depth", (self.columns, self.depth), "at least 1 and at least 0")
        nodes = rows.space.graphs(rows[:0]).node_op.shape[1]
        step = min(_ROWS, max(1, _TERMS // (nodes * (nodes + 1) // 2)))
        return np.concatenate([self._columns(part) for part in rows.chunks(step)])

    def feature_names(self, space: Space) -> list[str]:
        """Hashes say little: the number of the column in each half."""
        halves = ("subtrees by their ways to the output", "subtrees with weights of their own")
        return [f"{half}, hash {k}" for half in halves for k in range(1, self.columns + 1)]

    def _columns(self, rows: Architectures) -> NDArray[np.float32]:
        cell = _Cell.of(rows.space, rows)
        weight = np.stack([cell.ways, cell.own])  # (2, n, terms)
        halves = np.zeros((2, len(rows) * self.columns))
        start = np.arange(len(rows))[:, None] * self.columns
        label = cell.names
        for depth in range(self.depth + 1):
            if depth:
                label = cell.deeper(label)
            scattered = mix(label + np.uint64(depth)) % np.uint64(self.columns)
            place = (scattered.astype(np.int64) + start).ravel()
            for half, amount in zip(halves, weight, strict=True):
                half += np.bincount(place, amount.ravel(), minlength=len(half))
        return np.concatenate([half.reshape(len(rows), self.columns) for half in halves], 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Cell:
    """Operations of n cells in the order of computation: terms, each on an edge (source, target) or on a node.

    names: (n, terms) hashed names, 0 where there is no operation. ways: (n, terms) live paths from the term to the
    output. own: (n, terms) 1 for live operations whose weights are their own. passes: for every term whether its
    place hands on what it reads unchanged. nodes: how many.
    """

    places: tuple[tuple[int, int], ...]
    nodes: int
    names: Labels
    passes: Bools
    ways: Counts
    own: Counts

    @classmethod
    def of(cls, space: Space, rows: Architectures) -> _Cell:
        graphs = space.graphs(rows)
        nodes = graphs.node_op.shape[1]
        # the edges into a node come before the node itself: place (j, j) is what node j applies to its sum
        places = tuple((i, j) for j in range(1, nodes) for i in range(j + 1))
        codes = _codes(graphs, places)
        name = np.array([0, *(_hash(op) if _applies(op, space) else 0 for op in graphs.ops)], dtype=np.uint64)
        weighted = np.array([False, *(_applies(op, space) and op not in space.shared for op in graphs.ops)])
        names, there = name[codes], codes > 0
        alive, ways = _alive(there, places, nodes)
        live = alive & (ways > 0) & (names > 0)
        own = np.zeros(live.shape)
        own[live & weighted[codes]] = 1.0
        return cls(places, nodes, names, there & (names == 0), np.where(live, ways, 0.0), own)

    def deeper(self, label: Labels) -> Labels:
        """(n, terms) the labels of one more depth."""
        summed = np.zeros((len(label), self.nodes), dtype=np.uint64)
        summed[:, 0] = _INPUT
        below = np.zeros_like(label)
        for term, (i, j) in enumerate(self.places):
            below[:, term] = summed[:, i]
            own = np.where(self.names[:, term] > 0, mix(label[:, term]), np.uint64(0))
            handed = np.where(self.passes[:, term], summed[:, i], own) * (below[:, term] > 0)
            summed[:, j] = handed if i == j else summed[:, j] + handed
        return mix(self.names + np.uint64(3) * mix(below))


def _codes(graphs: Graphs, places: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    """(n, terms) the code of what lies on each edge, and in each node at place (j, j)."""
    codes = np.zeros((len(graphs), len(places)), dtype=np.uint8)
    for term, (i, j) in enumerate(places):
        codes[:, term] = graphs.node_op[:, j] if i == j else graphs.edge_op[:, i, j]
    return codes


def _alive(there: Bools, places: tuple[tuple[int, int], ...], nodes: int) -> tuple[Bools, Counts]:
    """(n, terms) whether the term gets anything from the input; and on how many ways it reaches the last node."""
    reached = np.zeros((len(there), nodes), dtype=np.bool_)
    reached[:, 0] = True
    alive = np.zeros_like(there)
    for term, (i, j) in enumerate(places):
        alive[:, term] = there[:, term] & reached[:, i]
        reached[:, j] = alive[:, term] if i == j else reached[:, j] | alive[:, term]
    ways = np.zeros(there.shape)
    to_output = np.zeros((len(there), nodes))
    to_output[:, -1] = 1.0
    for term, (i, j) in reversed(list(enumerate(places))):
        ways[:, term] = to_output[:, j] * alive[:, term]
        to_output[:, i] = ways[:, term] if i == j else to_output[:, i] + ways[:, term]
    return alive, ways


def _applies(op: str, space: Space) -> bool:
    """Whether the name stands for an operation that does something."""
    return op not in (*_PLACES, space.identity_op)


def _hash(op: str) -> Any:
    """A number other than 0 for a name, the same in every process."""
    return int(mix(np.array([zlib.crc32(op.encode())], dtype=np.uint64))[0]) | 1
