"""Cells with operations on the edges of a small complete DAG: the kind of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Graphs
from tierwise.errors import BadSetting
from tierwise.space import Choice, Space, mix

FEW = 100  # rows up to this many are looked up one by one in a larger space
LARGEST_KEY_TABLE = 100_000  # canonical keys of a space up to this size are computed once and looked up


def edge_list(nodes: int) -> list[tuple[int, int]]:
    """The edges i -> j, i < j, by target and then by source: the reading order of NAS-Bench-201's strings."""
    return [(i, j) for j in range(1, nodes) for i in range(j)]


class Edges(Space):
    """A DAG of `nodes` feature sums; every edge carries one of `ops`; the last node is the output.

    zero:     the op that passes nothing ("" if there is none).
    identity: the op that passes its input ("" if there is none).
    shared:   ops without weights: two of them on one input give the same tensor, two convolutions do not.
    """

    def __init__(
        self,
        name: str,
        nodes: int,
        ops: Sequence[str],
        *,
        zero: str = "none",
        identity: str = "skip_connect",
        shared: Sequence[str] = (),
    ):
        if nodes < 2 or len(ops) < 1 or len(set(ops)) != len(ops):
            raise BadSetting("cell", f"{nodes} nodes, ops {list(ops)}", "at least 2 nodes and distinct ops")
        self.nodes, self.ops, self.edges = nodes, tuple(ops), edge_list(nodes)
        self.zero_op, self.identity_op, self.shared = zero, identity, tuple(shared)
        super().__init__(name, [Choice(f"cell/{i}-{j}", self.ops) for i, j in self.edges])

    def graphs(self, archs: Architectures) -> Graphs:
        """Nodes are feature sums; code 0 on an edge is the zero op."""
        kept = [op for op in self.ops if op != self.zero_op]
        names = (*kept, "input", "sum", "output")
        codes = np.array([kept.index(op) + 1 if op in kept else 0 for op in self.ops], dtype=np.uint8)
        node_op = np.full((len(archs), self.nodes), len(kept) + 2, dtype=np.uint8)
        node_op[:, 0], node_op[:, -1] = len(kept) + 1, len(kept) + 3
        edge_op = np.zeros((len(archs), self.nodes, self.nodes), dtype=np.uint8)
        for gene, (i, j) in enumerate(self.edges):
            edge_op[:, i, j] = codes[archs.genes[:, gene]]
        return Graphs(node_op, edge_op, names)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: zero and dead edges pruned, identities merged into sums, isomorphic cells equal.

        A node is a sum of terms: the input, or an operation applied to an earlier node. Two weightless
        operations on the same value are one term; two convolutions of it stay two (they have own weights).
        The term graph is then coloured until equal colours mean equal neighbourhoods.
        """
        size = len(self.ops) ** len(self.edges)
        if size > LARGEST_KEY_TABLE:
            return self._remembered_keys(archs) if len(archs) <= FEW else self._network_keys(archs)
        radix = self._place_values()
        if "keys" not in self._cache:
            every = Architectures(self, np.arange(size)[:, None] // radix % len(self.ops))
            self._cache["keys"] = self._network_keys(every)
        return self._cache["keys"][archs.genes @ radix]

    def _remembered_keys(self, archs: Architectures) -> NDArray[np.uint64]:
        """``canonical`` of a few rows: the same new ones are asked about several times in a row."""
        memory: dict[bytes, int] = self._cache.setdefault("few keys", {})
        if len(memory) > LARGEST_KEY_TABLE:
            memory.clear()
        rows = [row.tobytes() for row in archs.genes]
        new = [k for k, row in enumerate(rows) if row not in memory]
        if new:
            memory.update(zip([rows[k] for k in new], self._network_keys(archs[new]).tolist(), strict=True))
        return np.array([memory[row] for row in rows], dtype=np.uint64)

    def _network_keys(self, archs: Architectures) -> NDArray[np.uint64]:
        """``canonical``, computed."""
        value, source = self._terms(archs)
        live = self._live_terms(value, source)
        n, terms = live.shape
        op_of = np.concatenate([archs.genes.astype(np.uint64), np.full((n, 1), 254, np.uint64)], axis=1)
        colour = np.where(live, mix(op_of + np.uint64(1)), np.uint64(0))
        uses = source.astype(np.uint64) * live[:, :, None].astype(np.uint64)  # [n, term, term it sums up]
        output = value[:, -1].astype(np.uint64)
        salt = np.array([0, 7], np.uint64)[:, None, None]
        both = np.stack([uses, uses.transpose(0, 2, 1)])  # what a term sums up, and what sums it up
        weight = np.array([3, 5], np.uint64)[:, None, None]
        for _ in range(terms):
            around = (both @ mix(colour + salt)[..., None])[..., 0]
            below, above = mix(around) * weight
            colour = np.where(live, mix(colour + below + above + output), np.uint64(0))
        return mix((mix(colour) * live).sum(1) + (mix(colour + np.uint64(11)) * output).sum(1))

    def _terms(self, archs: Architectures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Node values (n, nodes, terms), sources (n, terms, terms): multiplicities; the last is the input."""
        n, terms = len(archs), len(self.edges) + 1
        zero, identity = self._code(self.zero_op), self._code(self.identity_op)
        value = np.zeros((n, self.nodes, terms), np.int64)
        source = np.zeros((n, terms, terms), np.int64)
        value[:, 0, -1] = 1
        for gene, (i, j) in enumerate(self.edges):
            op = archs.genes[:, gene]
            something = (op != zero) & value[:, i].any(1)
            passed = something & (op == identity)
            value[passed, j] += value[passed, i]
            applied = np.flatnonzero(something & (op != identity))
            source[applied, gene] = value[applied, i]
            value[applied, j, self._first_equal(archs, source, applied, gene)] += 1
        return value, source

    def _first_equal(
        self, archs: Architectures, source: NDArray[np.int64], rows: NDArray[np.int64], gene: int
    ) -> NDArray[np.int64]:
        """For these rows the term that `gene` computes: itself, or an earlier equal weightless one."""
        op, mine = archs.genes[rows, gene], source[rows, gene]
        weightless = np.array([name in self.shared for name in self.ops])[op] & mine.any(1)
        if not gene or not weightless.any():
            return np.full(len(rows), gene)
        same = (archs.genes[rows, :gene] == op[:, None]) & (source[rows, :gene] == mine[:, None]).all(2)
        return np.where(weightless & same.any(1), same.argmax(1), gene)

    def _live_terms(self, value: NDArray[np.int64], source: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n, terms) whether the output depends on the term."""
        live = value[:, -1] > 0
        for gene in reversed(range(len(self.edges))):
            live |= live[:, [gene]] & (source[:, gene] > 0)
        return live

    def _place_values(self) -> NDArray[np.int64]:
        """(g,) what an option of each gene is worth in the number of a cell, the first gene the most."""
        return np.array([len(self.ops) ** k for k in reversed(range(len(self.edges)))])

    def _code(self, op: str) -> int:
        return self.ops.index(op) if op in self.ops else -1
