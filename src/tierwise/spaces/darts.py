"""The cell space of DARTS: a normal and a reduction cell, about 10^18 pairs of them.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (2019). Texts also in the form of Zela et al.,
"Surrogate NAS Benchmarks: Going Beyond the Limited Search Spaces of Tabular NAS Benchmarks" (NAS-Bench-301, 2022).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graphs
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces import darts_costs
from tierwise.spaces.building import need_torch
from tierwise.spaces.darts_genotype import CELLS, NODES, Edge, read, write

if TYPE_CHECKING:
    from torch import nn

OPS = (
    "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
)  # fmt: skip
# the two predecessors of each node: 0 and 1 are the cell's inputs, the nodes are 2 to 5
PAIRS = [tuple(itertools.combinations(range(node), 2)) for node in NODES]
GENES = 3 * len(NODES) - 1  # of a cell: for each node the pair (node 2 has but one) and two operations
_REDUCE = "r:"  # before the names of the reduction cell's operations, which are other operations than the normal cell's


class DARTS(Space):
    """Two cells of four nodes; each node adds two operations on two different predecessors, all four are concatenated.

    Genes: for each cell and node its pair of predecessors ("0+2": inputs are 0 and 1, nodes 2 to 5; node 2 always has
    both inputs) and the operation on each, the smaller predecessor first.
    channels, layers: of the network that is costed and built: 36 and 20 as published for CIFAR, without the auxiliary
    classifier; 32 and 8 in NAS-Bench-301. The cells at a third and two thirds are reduction cells of twice the width.
    Raises BadSetting.
    """

    identity_op = "skip_connect"

    def __init__(self, channels: int = 36, layers: int = 20) -> None:
        if channels < 1 or layers < 3:
            raise BadSetting("network of darts", f"{channels} channels, {layers} layers", "1 or more, 3 or more")
        self.channels, self.layers = channels, layers
        choices: list[Choice] = []
        for cell in CELLS:
            for node, pairs in zip(NODES, PAIRS, strict=True):
                if len(pairs) > 1:
                    choices.append(Choice(f"{cell}/{node}/inputs", tuple(f"{a}+{b}" for a, b in pairs)))
                choices += [Choice(f"{cell}/{node}/{which}", OPS) for which in ("first", "second")]
        super().__init__("darts", choices)

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.channels, self.layers

    def sources(self, archs: Architectures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Predecessors and operations, each (n, 2 cells, 4 nodes, 2)."""
        genes = archs.genes.reshape(len(archs), len(CELLS), GENES).astype(np.int64)
        before = np.empty((len(archs), len(CELLS), len(NODES), 2), dtype=np.int64)
        before[:, :, 0] = PAIRS[0][0]
        for k in range(1, len(NODES)):
            before[:, :, k] = np.array(PAIRS[k])[genes[:, :, 3 * k - 1]]
        ops = np.stack([genes[:, :, 3 * k : 3 * k + 2] for k in range(len(NODES))], axis=2)
        return before, ops

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: cells that differ in the order of their nodes alone are equal.

        Every order of a cell's nodes in which predecessors come first is written as a number; the least one counts.
        """
        before, ops = self.sources(archs)
        least = np.full((len(archs), len(CELLS)), np.iinfo(np.int64).max)
        for order in itertools.permutations(range(2, 6)):
            place = np.array([0, 1, *order])  # of each input and node in this order
            moved = place[before]
            forward = (moved < np.array(order)[:, None]).all((2, 3))
            swap = moved[..., 0] > moved[..., 1]
            low, high = moved.min(-1), moved.max(-1)
            one = np.where(swap, ops[..., 1], ops[..., 0])
            two = np.where(swap, ops[..., 0], ops[..., 1])
            node = ((low * 6 + high) * len(OPS) + one) * len(OPS) + two
            number = node @ (36 * len(OPS) ** 2) ** (np.array(order) - 2)
            least = np.where(forward, np.minimum(least, number), least)
        keys = least.astype(np.uint64)
        return mix(mix(keys[:, 0]) + keys[:, 1])

    def graphs(self, archs: Architectures) -> Graphs:
        """Both cells in one graph of 11 nodes: the two inputs that they share, four nodes each, and one output.

        The operations of the reduction cell are named "r:...": they have stride 2 or see halved maps. A plain edge
        leads from the output before the last to the last one, because that cell came first.
        """
        names = (*OPS, *(_REDUCE + op for op in OPS), "prev_prev", "prev", "sum", "output", "")
        code = {name: k + 1 for k, name in enumerate(names)}
        nodes = 2 + len(CELLS) * len(NODES) + 1
        node_op = np.full((len(archs), nodes), code["sum"], dtype=np.uint8)
        node_op[:, 0], node_op[:, 1], node_op[:, -1] = code["prev_prev"], code["prev"], code["output"]
        edge_op = np.zeros((len(archs), nodes, nodes), dtype=np.uint8)
        edge_op[:, 0, 1] = edge_op[:, 2:-1, -1] = code[""]
        before, ops = self.sources(archs)
        for cell, k, which in itertools.product(range(len(CELLS)), range(len(NODES)), range(2)):
            source, target = self._positions(before[:, cell, k, which], cell, k)
            edge_op[np.arange(len(archs)), source, target] = 1 + len(OPS) * cell + ops[:, cell, k, which]
        return Graphs(node_op, edge_op, names)

    def _positions(self, before: NDArray[np.int64], cell: int, k: int) -> tuple[NDArray[np.int64], int]:
        """Where predecessors and the k-th node of a cell lie in the graph of both cells."""
        shift = cell * len(NODES)
        return np.where(before < 2, before, before + shift), 2 + shift + k

    def format(self, archs: Architectures) -> list[str]:
        """The genotypes of the literature, ``Genotype(normal=[('sep_conv_3x3', 0), ...], ...)``."""
        before, ops = self.sources(archs)
        texts: list[str] = []
        for sources, kinds in zip(before.tolist(), ops.tolist(), strict=True):
            cells: list[list[Edge]] = []
            for source, kind in zip(sources, kinds, strict=True):
                edges = zip(itertools.chain(*source), itertools.chain(*kind), strict=True)
                cells.append([(OPS[op], node) for node, op in edges])
            texts.append(write(cells))
        return texts

    def parse(self, text: str) -> Architecture:
        """A genotype of the literature, a configuration of NAS-Bench-301 or "darts/0-0-...". Raises BadArchitecture.

        The order of the two edges of a node has no part; all four nodes must be concatenated.
        """
        if "(" not in text and "{" not in text:
            return super().parse(text)
        genes: list[int] = []
        for edges in read(text, OPS):
            for node, pairs in zip(NODES, PAIRS, strict=True):
                two = sorted(edges[2 * (node - 2) : 2 * (node - 1)], key=lambda edge: edge[1])
                pair = (two[0][1], two[1][1])
                if pair not in pairs:
                    raise BadArchitecture(text, f"node {node} has predecessors {pair}, allowed two different before it")
                genes += [*([pairs.index(pair)] if len(pairs) > 1 else []), *(OPS.index(op) for op, _ in two)]
        return Architecture(self.name, tuple(genes))

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, layers, 11, 11, 2) FLOPs (one multiply-add = 1) and parameters of every operation in every cell.

        A normal cell fills the part of the graph that the normal cell has, a reduction cell the other.
        """
        full = np.zeros((len(archs), self.layers, 11, 11, 2), dtype=np.int64)
        before, ops = self.sources(archs)
        rows = np.arange(len(archs))
        for layer, place in enumerate(darts_costs.places(self.channels, self.layers, shape)):
            cell = int(place.reduction)
            table = darts_costs.operations(OPS, place)  # (2: from a node, from an input; ops, 2)
            for k, which in itertools.product(range(len(NODES)), range(2)):
                source = before[:, cell, k, which]
                at, target = self._positions(source, cell, k)
                full[rows, layer, at, target] = table[(source < 2).astype(int), ops[:, cell, k, which]]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the network without auxiliary classifier: operations, 1x1 convolutions before
        the cells, stem and classifier.

        FLOPs are multiply-adds of convolutions and of the classifier; batch norms and pools are not counted.
        """
        places = darts_costs.places(self.channels, self.layers, shape)
        before, ops = self.sources(archs)
        tables = np.zeros((len(CELLS), 2, len(OPS), 2), dtype=np.int64)
        for place in places:
            tables[int(place.reduction)] += darts_costs.operations(OPS, place)
        cell = np.arange(len(CELLS))[:, None, None]
        around = darts_costs.around(self.channels, places, classes, shape)
        return tables[cell, (before < 2).astype(int), ops].sum((1, 2, 3)) + around

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch, without drop path and auxiliary classifier. Raises BadArchitecture, BadSetting,
        MissingExtra.
        """
        need_torch()
        from tierwise.networks.darts import Network

        archs = Architectures.of([arch], self)
        self.check(archs)
        darts_costs.places(self.channels, self.layers, shape)  # refuses an impossible shape
        before, ops = self.sources(archs)
        cells = [
            [[(OPS[op], source) for source, op in zip(*node, strict=True)] for node in zip(*cell, strict=True)]
            for cell in zip(before[0].tolist(), ops[0].tolist(), strict=True)
        ]
        return Network(cells[0], cells[1], self.channels, self.layers, classes, shape[0])
