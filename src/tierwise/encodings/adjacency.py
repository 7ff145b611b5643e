"""Who is connected with whom, and by what: the plain graph as columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.space import Space

_ROWS = 16_384  # whose graphs are looked at together
_PLACES = ("", "input", "sum", "output")  # what is no operation


class Adjacency(Encoding):
    """The upper triangle of a cell's padded graph and its operations, as 0/1 columns.

    With v nodes and A operations the float32 columns of a row are, for each pair of an earlier and a later node,
    by source and then by target: whether a plain edge connects them (only where the space has plain edges), and
    one column for each of the A operations on the edge (only where operations sit on edges); then, where they sit
    on nodes, A columns for each node. An operation that the space never puts there leaves its column zero.

    Isomorphic cells have different rows, as published: see ``paths`` and ``wl`` for the others.
    From: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (2019); compared with path
    encodings by White et al., "A Study on Encodings for Neural Architecture Search" (2020).

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> Adjacency().transform(NASBench201().at([0, 1])).shape
    (2, 24)
    """

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, (n, d)."""
        return np.concatenate([_columns(part) for part in batch(archs).chunks(_ROWS)])

    def feature_names(self, space: Space) -> list[str]:
        """Source, target and operation of an edge, or node and operation."""
        graphs = space.graphs(space.sample(1, np.random.default_rng(0)))
        on_edges, on_nodes = _places(graphs.ops)
        nodes = graphs.node_op.shape[1]
        pairs = zip(*np.triu_indices(nodes, 1), strict=True)
        edges = [(f"edge {i}-{j}", graphs.ops[code - 1]) for i, j in pairs for code in on_edges]
        rest = [f"node {v} is {graphs.ops[code - 1]}" for v in range(nodes) for code in on_nodes]
        return [*(f"{edge} is {op}" if op else f"{edge} is there" for edge, op in edges), *rest]


def _places(ops: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Codes of what may lie on edges and on nodes and has a column there."""
    codes = [code for code, op in enumerate(ops, start=1) if op not in _PLACES]
    summing = "sum" in ops  # then the nodes only add up, and the operations sit on the edges
    on_edges = [ops.index("") + 1] if "" in ops else []
    on_edges += codes if summing or not on_edges else []
    return on_edges, [] if summing else codes


def _columns(rows: Architectures) -> NDArray[np.float32]:
    graphs = rows.space.graphs(rows)
    on_edges, on_nodes = _places(graphs.ops)
    first, second = np.triu_indices(graphs.node_op.shape[1], 1)
    edges = graphs.edge_op[:, first, second, None] == np.array(on_edges, dtype=np.uint8)
    nodes = graphs.node_op[:, :, None] == np.array(on_nodes, dtype=np.uint8)
    n, pairs = len(rows), len(first)
    parts = [edges.reshape(n, pairs * len(on_edges)), nodes.reshape(n, graphs.node_op.shape[1] * len(on_nodes))]
    return np.concatenate(parts, 1).astype(np.float32)
