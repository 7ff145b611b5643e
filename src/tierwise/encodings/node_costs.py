"""What a network costs, by kind of operation and by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.cost_tensor import type_codes
from tierwise.space import Shape, Space

_ROWS = 4_096  # architectures whose costs, a few hundred MB at most, are summed together
_PLACES = ("", "input", "sum", "output")  # what is no operation


class NodeCosts(Encoding):
    """FLOPs and parameters of the full network, added up in three ways, as log(1 + cost).

    With A kinds of operations and c cells the float32 columns of a row are

    * the FLOPs and the parameters of each kind over all cells, 2A;
    * the FLOPs and the parameters of each cell, 2c;
    * the FLOPs and the parameters of the whole network, what stands around the cells included, 2.

    An operation that sits on a node counts once, however many edges lead to it.

    classes, shape: the task that is costed: outputs of the classifier; channels, height, width of an image.
    Raises BadSetting for a space without cost formulas.

    After the node features of Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for
    Efficient Image Classifier Search" (2022); adding them up by kind and cell, and the logarithm, are ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> NodeCosts().transform(NASBench201().at([0])).shape
    (1, 40)
    """

    def __init__(self, classes: int = 10, shape: Shape = (3, 32, 32)):
        self.classes = classes
        self.shape = shape

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, (n, 2 * (A + c + 1))."""
        return np.concatenate([self._columns(part) for part in batch(archs).chunks(_ROWS)])

    def feature_names(self, space: Space) -> list[str]:
        """What costs, and in which of the two costs."""
        one = space.sample(1, np.random.default_rng(0))
        cells = space.costs(one, classes=self.classes, shape=self.shape).shape[1]
        places = [*_kinds(space.graphs(one).ops), *(f"cell {k}" for k in range(1, cells + 1)), "the network"]
        return [f"log {cost} of {place}" for place in places for cost in ("FLOPs", "parameters")]

    def _columns(self, rows: Architectures) -> NDArray[np.float32]:
        space, n = rows.space, len(rows)
        graphs = space.graphs(rows)
        codes = type_codes(graphs)
        costs = space.costs(rows, classes=self.classes, shape=self.shape)
        plain = np.zeros(codes.shape, dtype=np.bool_)
        if "" in graphs.ops:
            plain = graphs.edge_op == graphs.ops.index("") + 1
        # every plain edge into a node carries the costs of that node: only the first of them counts
        edges = codes.shape[1] * codes.shape[2]
        counted = ~(plain & (plain.cumsum(1) > 1)).reshape(n, edges)
        kinds = [code for code, op in enumerate(graphs.ops, start=1) if op in _kinds(graphs.ops)]
        of_kind = (codes.reshape(n, 1, edges) == np.reshape(kinds, (-1, 1))) & counted[:, None]  # (n, A, edges)
        flat = costs.reshape(n, costs.shape[1], edges, 2).astype(np.float64)  # exact up to 2 ** 53
        by_kind = (of_kind.astype(np.float64) @ flat.sum(1)).reshape(n, 2 * len(kinds))
        by_cell = (counted[:, None, None].astype(np.float64) @ flat).reshape(n, 2 * costs.shape[1])
        totals = space.totals(rows, classes=self.classes, shape=self.shape)
        return np.log1p(np.concatenate([by_kind, by_cell, totals], 1)).astype(np.float32)


def _kinds(ops: tuple[str, ...]) -> list[str]:
    return [op for op in ops if op not in _PLACES]
