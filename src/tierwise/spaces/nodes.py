"""Cells with operations on the nodes of a DAG, each node reading the sum of some earlier ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import LARGEST_GENE, Architecture, Architectures, Graphs
from tierwise.errors import BadSetting
from tierwise.space import Choice, Shape, Space
from tierwise.spaces import building, cell_networks
from tierwise.spaces.edges import INPUT, check_ops, first_equal, live_terms, term_keys
from tierwise.spaces.network import Network

if TYPE_CHECKING:
    from torch import nn

Output = Literal["ends", "all", "last"]


class Nodes(Space):
    """A DAG of the input, `nodes` interior nodes with one of `ops` each, and the output.

    An interior node applies its operation to the sum of the earlier nodes that it reads; every combination of
    choices is a cell. Choices: for interior node k = 1, 2, ... ``cell/k/op`` and ``cell/k/inputs``, whose options
    are the sets of earlier nodes, ``"0"``, ``"0+2"`` (0 is the input of the cell).

    inputs:   how many earlier nodes a node may read, such as (1, 2); a node with fewer before it reads them all.
    output:   what the output reads: "ends" (nodes that nothing else reads), "all" interior nodes, or the "last".
    concat:   whether the output concatenates what it reads; otherwise it sums.
    zero, identity, shared: as in `Edges`: the op that passes nothing, the one that passes its input ("" if there is
    none), and ops without weights, of which two on one input give the same tensor.
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
        inputs: Sequence[int] = (1, 2),
        output: Output = "ends",
        concat: bool = False,
        zero: str = "",
        identity: str = "",
        shared: Sequence[str] = (),
        network: Network | None = None,
    ):
        if not 1 <= nodes <= 60 or len(ops) < 1 or len(set(ops)) != len(ops):
            raise BadSetting("cell", f"{nodes} nodes, ops {list(ops)}", "1 to 60 interior nodes and distinct ops")
        if output not in ("ends", "all", "last"):
            raise BadSetting("output", output, '"ends", "all" or "last"')
        check_ops(ops)
        self.nodes, self.ops, self.network = nodes, tuple(ops), network
        self.inputs, self.output, self.concat = tuple(inputs), output, concat
        self.zero_op, self.identity_op, self.shared = zero, identity, tuple(shared)
        if network is not None:
            network.check(self.ops, name)
        self._sets = [_input_sets(k, self.inputs) for k in range(1, nodes + 1)]
        choices = [
            choice
            for k, sets in enumerate(self._sets, start=1)
            for choice in (
                Choice(f"cell/{k}/op", self.ops),
                Choice(f"cell/{k}/inputs", tuple("+".join(map(str, s)) for s in sets)),
            )
        ]
        super().__init__(name, choices)

    def wiring(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, v, v) who is read by whom: node 0 is the input, the last the output, as chosen, operations aside."""
        v = self.nodes + 2
        read = np.zeros((len(archs), v, v), dtype=np.bool_)
        for k, sets in enumerate(self._sets, start=1):
            masks = np.zeros((len(sets), v), dtype=np.bool_)
            for option, chosen in enumerate(sets):
                masks[option, list(chosen)] = True
            read[:, :, k] = masks[archs.genes[:, 2 * k - 1]]
        if self.output == "ends":
            read[:, 1:-1, -1] = ~read[:, 1:-1].any(2)
        else:
            read[:, 1 if self.output == "all" else -2 : -1, -1] = True
        return read

    def _op_codes(self, archs: Architectures) -> NDArray[np.int16]:
        """(n, nodes) the operation of each interior node."""
        return archs.genes[:, 0::2]

    def _zero(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, nodes) whether an interior node passes nothing."""
        return self._op_codes(archs) == (self.ops.index(self.zero_op) if self.zero_op in self.ops else -1)

    def graphs(self, archs: Architectures) -> Graphs:
        """Operations sit on nodes, edges are plain; a node with the zero op is not there."""
        names = (*self.ops, "input", "output", "")
        node_op = np.empty((len(archs), self.nodes + 2), dtype=np.uint8)
        node_op[:, 0], node_op[:, -1] = len(self.ops) + 1, len(self.ops) + 2
        zero = self._zero(archs)
        node_op[:, 1:-1] = np.where(zero, 0, self._op_codes(archs) + 1)
        there = node_op > 0
        edges = self.wiring(archs) & there[:, :, None] & there[:, None, :]
        return Graphs(node_op, edges.astype(np.uint8) * np.uint8(len(names)), names)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: zero and dead nodes pruned, identities merged into sums, isomorphic cells equal.

        Terms are the interior nodes and, last, the input; see ``Edges.canonical``. In a concatenation an identity of
        a sum of several stays a node, because a concatenation of two is not the sum of two.
        """
        n, terms = len(archs), self.nodes + 1
        codes, read = self._op_codes(archs), self.wiring(archs)
        zero = self._zero(archs)
        passes = codes == (self.ops.index(self.identity_op) if self.identity_op in self.ops else -1)
        weightless = np.array([op in self.shared or op == self.identity_op for op in self.ops])
        value = np.zeros((n, self.nodes + 1, terms), np.int64)  # of node 0, 1, ..., as terms of a sum
        source = np.zeros((n, terms, terms), np.int64)
        output = np.zeros((n, terms), np.int64)
        value[:, 0, -1] = 1
        for k in range(1, self.nodes + 1):
            summed = (value[:, :k] * read[:, :k, k, None]).sum(1)
            source[:, k - 1] = np.where(zero[:, [k - 1]], 0, summed)
            something = source[:, k - 1].any(1)
            merged = passes[:, k - 1] & something
            value[merged, k] = source[merged, k - 1]
            alone = np.flatnonzero(something)
            own = np.zeros((n, terms), np.int64)
            own[alone, first_equal(codes, weightless, source, alone, k - 1)] = 1
            value[~merged, k] = own[~merged]
            kept = merged & (source[:, k - 1].sum(1) > 1) if self.concat else np.zeros(n, np.bool_)
            output += np.where(kept[:, None], own, value[:, k]) * read[:, k, -1, None]
        op_of = np.concatenate([codes.astype(np.uint64), np.full((n, 1), INPUT, np.uint64)], axis=1)
        return term_keys(op_of, output, source, live_terms(output, source))

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, cells, v, v, 2) FLOPs and parameters of every node in every cell; see `Network`.

        The costs of a node stand on every edge into it, as its type does.
        """
        if self.network is None:
            return super().costs(archs, classes=classes, shape=shape)
        tables = self.network.tables(self._named(), classes, shape)
        v, counts = self.nodes + 2, self._counts(archs)
        full = np.zeros((len(archs), len(tables), v, v, 2), dtype=np.int64)
        wired = self.wiring(archs)[:, None, :, :, None]
        for k in range(1, self.nodes + 1):
            of_node = tables[:, archs.genes[:, 2 * k - 2]].swapaxes(0, 1)  # (n, stages, 2)
            full[:, :, :, k] = wired[:, :, :, k] * (of_node * counts[:, k - 1, None, None])[:, :, None]
        return full[:, self.network.stage_of_cell]

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the full network; see `Network`."""
        if self.network is None:
            return super().totals(archs, classes=classes, shape=shape)
        stages = self.network.stage_of_cell
        tables = self.network.tables(self._named(), classes, shape)[stages].sum(0)
        total = (tables[self._op_codes(archs)] * self._counts(archs)[..., None]).sum(1)
        if self.concat:
            joined = self.network.projections(self.name, self.nodes, shape)[stages].sum(0)
            total += joined[self.live(archs)[1].sum(1)]
        return total + self.network.around(self.name, classes, shape)

    def _counts(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, nodes) which nodes cost: all by formulas, those that are in the network where that is counted."""
        if self.network is not None and self.network.counted:
            return self.live(archs)[0]
        return np.ones((len(archs), self.nodes), dtype=np.bool_)

    def live(self, archs: Architectures) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n, nodes) each: which interior nodes are on a way from the input to the output that the zero op does not
        cut, and which of them the output reads.
        """
        wired, there = self.wiring(archs), ~self._zero(archs)
        reached, read = np.zeros((2, len(archs), self.nodes + 2), dtype=np.bool_)
        reached[:, 0] = read[:, -1] = True
        for k in range(1, self.nodes + 1):
            reached[:, k] = there[:, k - 1] & (reached[:, :k] & wired[:, :k, k]).any(1)
        for k in range(self.nodes, 0, -1):
            read[:, k] = reached[:, k] & (read[:, k + 1 :] & wired[:, k, k + 1 :]).any(1)
        return read[:, 1:-1], read[:, 1:-1] & wired[:, 1:-1, -1]

    def _named(self) -> cell_networks.Ops:
        own = {} if self.network is None else self.network.operations
        return cell_networks.Ops(self.ops, own, (self.zero_op, self.identity_op), self.name)

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch, see `Network`, without the nodes that are not live; the output concatenates by
        way of a 1x1 convolution. Raises BadArchitecture, BadSetting, MissingExtra.
        """
        building.need_torch()
        from tierwise.networks.cell_network import NodeCell, projection

        one = Architectures.of([arch], self)
        self.check(one)
        (live,), (read,) = self.live(one)
        wired, codes = self.wiring(one)[0], self._op_codes(one)[0]
        kept = [0, *(np.flatnonzero(live) + 1).tolist()]
        sources = {k: [i for i in kept if i < k and wired[i, k]] for k in kept[1:]}
        named = {k: self.ops[codes[k - 1]] for k in kept[1:]}
        output, ops = (np.flatnonzero(read) + 1).tolist(), self._named()

        def cell(inside: Shape) -> nn.Module:
            joined = projection(len(output), inside[0], len(inside) - 1) if self.concat and output else None
            return NodeCell([(k, sources[k], ops.module(named[k], inside)) for k in kept[1:]], output, joined)

        with building.naming(arch):
            return cell_networks.network((self.network or Network()).placed(shape), cell, classes, shape)

    def _identity(self) -> tuple[Any, ...]:
        rules = (self.output, self.concat, self.zero_op, self.identity_op, self.shared)
        return *super()._identity(), *rules, repr(self.network or Network())


def _input_sets(before: int, sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Every set of the nodes 0 to `before` - 1 of an allowed size, small sets first. Raises BadSetting."""
    if not sizes or min(sizes) < 1 or len(set(sizes)) < len(sizes):
        raise BadSetting("inputs", list(sizes), "different numbers of 1 or more")
    allowed = sorted(size for size in sizes if size <= before) or [before]
    count = sum(math.comb(before, size) for size in allowed)
    if count > LARGEST_GENE:  # said before they are listed
        raise BadSetting("inputs", list(sizes), f"fewer nodes or inputs: {count:,} options of one choice are too many")
    return [chosen for size in allowed for chosen in combinations(range(before), size)]
