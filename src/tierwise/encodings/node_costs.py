"""What a network costs, by kind of operation and by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.cost_tensor import type_codes
from tierwise.space import Shape

_ROWS = 4_096  # integer costs of that many architectures at a time are a few hundred MB at most
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

    def _columns(self, rows: Architectures) -> NDArray[np.float32]:
        space, n = rows.space, len(rows)
        graphs = space.graphs(rows)
        codes = type_codes(graphs)
        costs = space.costs(rows, classes=self.classes, shape=self.shape)
        plain = np.zeros(codes.shape, dtype=np.bool_)
        if "" in graphs.ops:
            plain = graphs.edge_op == graphs.ops.index("") + 1
        # every plain edge into a node carries the costs of that node: only the first of them counts
        repeated = plain & (plain.cumsum(1) > 1)
        costs = costs * ~repeated[:, None, :, :, None]
        kinds = [code for code, op in enumerate(graphs.ops, start=1) if op not in _PLACES]
        over_cells = costs.sum(1)
        by_kind = [(over_cells * (codes == code)[..., None]).sum((1, 2)) for code in kinds]
        by_cell = costs.sum((2, 3)).reshape(n, 2 * costs.shape[1])
        totals = space.totals(rows, classes=self.classes, shape=self.shape)
        return np.log1p(np.concatenate([*by_kind, by_cell, totals], 1)).astype(np.float32)
