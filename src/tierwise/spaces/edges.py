"""Cells with operations on the edges of a small complete DAG: the kind of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graphs
from tierwise.errors import BadSetting
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces import building, cell_networks
from tierwise.spaces.network import Network

if TYPE_CHECKING:
    from torch import nn

FEW = 100  # rows up to this many are looked up one by one in a larger space
MOST_OPS = 250  # codes of operations are bytes
INPUT = 254  # code of the cell's input among terms
LARGEST_KEY_TABLE = 100_000  # canonical keys of a space up to this size are computed once and looked up


def edge_list(nodes: int) -> list[tuple[int, int]]:
    """The edges i -> j, i < j, by target and then by source: the reading order of NAS-Bench-201's strings."""
    return [(i, j) for j in range(1, nodes) for i in range(j)]


def checked_edges(edges: Sequence[tuple[int, int]], nodes: int) -> list[tuple[int, int]]:
    """The edges by target and then by source. Raises BadSetting for a cycle, an unknown node or the same edge twice."""
    allowed = f"pairs [source, target] of nodes 0 to {nodes - 1}, source < target, each once"
    for i, j in edges:
        if not (0 <= i < nodes and 0 <= j < nodes):
            raise BadSetting("edges", [i, j], allowed)
    if cycle := _cycle(edges, nodes):
        raise BadSetting("edges", edges, f"no cycle; there is one: {' -> '.join(map(str, cycle))}")
    backward = [[i, j] for i, j in edges if i >= j]
    if backward or len(set(edges)) < len(edges) or not edges:
        raise BadSetting("edges", backward or list(edges), f"{allowed}; number the nodes in the order of computation")
    return sorted(edges, key=lambda edge: (edge[1], edge[0]))


def _cycle(edges: Sequence[tuple[int, int]], nodes: int) -> list[int]:
    """Nodes of one cycle, the first again at the end; [] if there is none."""
    left = set(range(nodes))
    while ends := {v for v in left if not any(i == v and j in left for i, j in edges)}:
        left -= ends  # what leads nowhere is on no cycle
    walk = sorted(left)[:1]
    while left and walk.count(walk[-1]) < 2:
        walk.append(min(j for i, j in edges if i == walk[-1] and j in left))
    return walk[walk.index(walk[-1]) :] if walk else []


def check_ops(ops: Sequence[str]) -> None:
    """Raises BadSetting for operations that a graph cannot hold."""
    taken = [op for op in ops if op in ("", "input", "sum", "output")]
    if taken or len(ops) > MOST_OPS:
        raise BadSetting("ops", taken or len(ops), f'at most {MOST_OPS} names other than "", input, sum and output')


class Edges(Space):
    """A DAG of `nodes` feature sums; every edge carries one of `ops`; the first node is the input, the last the output.

    zero:     the op that passes nothing ("" if there is none).
    identity: the op that passes its input ("" if there is none).
    shared:   ops without weights: two of them on one input give the same tensor, two convolutions do not.
    edges:    the pairs (source, target) that exist; by default every pair of an earlier and a later node.
    network:  where the cell stands and what its operations cost; without it ``costs`` and ``totals`` are unknown, and
    ``build`` makes the network of `Network()`.

    Raises BadSetting for what makes no cell, UnknownName for a cost of an unknown operation.
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
        edges: Sequence[tuple[int, int]] | None = None,
        network: Network | None = None,
    ):
        if nodes < 2 or len(ops) < 1 or len(set(ops)) != len(ops):
            raise BadSetting("cell", f"{nodes} nodes, ops {list(ops)}", "at least 2 nodes and distinct ops")
        check_ops(ops)
        self.nodes, self.ops = nodes, tuple(ops)
        self.edges = edge_list(nodes) if edges is None else checked_edges(edges, nodes)
        self.zero_op, self.identity_op, self.shared = zero, identity, tuple(shared)
        self.network = network
        if network is not None:
            network.check(self.ops, name)
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

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, cells, v, v, 2) FLOPs and parameters of every edge in every cell; see `Network`."""
        if self.network is None:
            return super().costs(archs, classes=classes, shape=shape)
        tables = self.network.tables(self._named(), classes, shape)
        counts = self._counts(archs)
        full = np.zeros((len(archs), len(tables), self.nodes, self.nodes, 2), dtype=np.int64)
        for gene, (i, j) in enumerate(self.edges):
            full[:, :, i, j] = tables[:, archs.genes[:, gene]].swapaxes(0, 1) * counts[:, gene, None, None]
        return full[:, self.network.stage_of_cell]

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the full network; see `Network`."""
        if self.network is None:
            return super().totals(archs, classes=classes, shape=shape)
        tables = self.network.tables(self._named(), classes, shape)[self.network.stage_of_cell].sum(0)
        each = tables[archs.genes] * self._counts(archs)[..., None]
        return each.sum(1) + self.network.around(self.name, classes, shape)

    def _counts(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, edges) which edges cost: all by formulas, those that are in the network where that is counted."""
        if self.network is not None and self.network.counted:
            return self.live(archs)
        return np.ones(archs.shape, dtype=np.bool_)

    def live(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, edges) whether an edge is on a way from the input to the output that the zero op does not cut."""
        there = archs.genes != self._code(self.zero_op)
        reached, read = np.zeros((2, len(archs), self.nodes), dtype=np.bool_)
        reached[:, 0] = read[:, -1] = True
        for gene, (i, j) in enumerate(self.edges):
            reached[:, j] |= reached[:, i] & there[:, gene]
        for gene, (i, j) in reversed(list(enumerate(self.edges))):
            read[:, i] |= read[:, j] & there[:, gene]
        sources, targets = np.array(self.edges).T
        return there & reached[:, sources] & read[:, targets]

    def _named(self) -> cell_networks.Ops:
        own = {} if self.network is None else self.network.operations
        return cell_networks.Ops(self.ops, own, (self.zero_op, self.identity_op), self.name)

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch, see `Network`, without the edges that are not live. Raises BadArchitecture,
        BadSetting, MissingExtra.
        """
        building.need_torch()
        from tierwise.networks.cell_network import EdgeCell

        one = Architectures.of([arch], self)
        self.check(one)
        live, ops = self.live(one)[0], self._named()
        kept = [(i, j, self.ops[arch.genes[g]]) for g, (i, j) in enumerate(self.edges) if live[g]]

        def cell(inside: Shape) -> nn.Module:
            return EdgeCell(self.nodes, [(i, j, ops.module(op, inside)) for i, j, op in kept])

        with building.naming(arch):
            return cell_networks.network((self.network or Network()).placed(shape), cell, classes, shape)

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.zero_op, self.identity_op, self.shared, repr(self.network or Network())

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
        op_of = np.concatenate([archs.genes.astype(np.uint64), np.full((len(archs), 1), INPUT, np.uint64)], axis=1)
        return term_keys(op_of, value[:, -1], source, live_terms(value[:, -1], source))

    def _terms(self, archs: Architectures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Node values (n, nodes, terms), sources (n, terms, terms): multiplicities; the last is the input."""
        n, terms = len(archs), len(self.edges) + 1
        zero, identity = self._code(self.zero_op), self._code(self.identity_op)
        value = np.zeros((n, self.nodes, terms), np.int64)
        source = np.zeros((n, terms, terms), np.int64)
        value[:, 0, -1] = 1
        weightless = np.array([op in self.shared for op in self.ops])
        for gene, (i, j) in enumerate(self.edges):
            op = archs.genes[:, gene]
            something = (op != zero) & value[:, i].any(1)
            passed = something & (op == identity)
            value[passed, j] += value[passed, i]
            applied = np.flatnonzero(something & (op != identity))
            source[applied, gene] = value[applied, i]
            value[applied, j, first_equal(archs.genes, weightless, source, applied, gene)] += 1
        return value, source

    def _place_values(self) -> NDArray[np.int64]:
        """(g,) what an option of each gene is worth in the number of a cell, the first gene the most."""
        return np.array([len(self.ops) ** k for k in reversed(range(len(self.edges)))])

    def _code(self, op: str) -> int:
        return self.ops.index(op) if op in self.ops else -1


def first_equal(
    codes: NDArray[np.int16],
    weightless: NDArray[np.bool_],
    source: NDArray[np.int64],
    rows: NDArray[np.int64],
    term: int,
) -> NDArray[np.int64]:
    """For these rows the term that equals `term`: itself, or an earlier one of the same weightless op and sources."""
    op, mine = codes[rows, term], source[rows, term]
    merged = weightless[op] & mine.any(1)
    if not term or not merged.any():
        return np.full(len(rows), term)
    same = (codes[rows, :term] == op[:, None]) & (source[rows, :term] == mine[:, None]).all(2)
    return np.where(merged & same.any(1), same.argmax(1), term)


def live_terms(output: NDArray[np.int64], source: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, terms) whether the output depends on the term; the last term is the input."""
    live = output > 0
    for term in reversed(range(source.shape[1] - 1)):
        live |= live[:, [term]] & (source[:, term] > 0)
    return live


def term_keys(
    codes: NDArray[np.uint64], output: NDArray[np.int64], source: NDArray[np.int64], live: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    """(n,) keys of term graphs, equal for isomorphic ones: colours refined until equal means equal neighbourhoods.

    codes: (n, terms) operations. output: (n, terms) how often the output sums each term up.
    source: (n, terms, terms) how often a term sums another one up. live: (n, terms) those that count.
    """
    colour = np.where(live, mix(codes + np.uint64(1)), np.uint64(0))
    uses = source.astype(np.uint64) * live[:, :, None].astype(np.uint64)  # [n, term, term it sums up]
    read = output.astype(np.uint64)
    salt = np.array([0, 7], np.uint64)[:, None, None]
    both = np.stack([uses, uses.transpose(0, 2, 1)])  # what a term sums up, and what sums it up
    weight = np.array([3, 5], np.uint64)[:, None, None]
    for _ in range(codes.shape[1]):
        around = (both @ mix(colour + salt)[..., None])[..., 0]
        below, above = mix(around) * weight
        colour = np.where(live, mix(colour + below + above + read), np.uint64(0))
    return mix((mix(colour) * live).sum(1) + (mix(colour + np.uint64(11)) * read).sum(1))
