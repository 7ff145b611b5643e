"""What every operation of every cell costs, as matrices: the Neural Architecture Ranker's input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs, Graphs
from tierwise.encoding import Encoding, batch
from tierwise.errors import BadSetting
from tierwise.space import Shape

_ROWS = 4_096  # integer costs of that many architectures at a time are a few hundred MB at most


class CostTensor(Encoding):
    """One type matrix and, for every cell of the full network, one matrix of FLOPs and one of parameters.

    Gives float32 (n, 1 + 2 * cells, v, v): channel 0 holds the operation's code, channels 1 + 2c and 2 + 2c
    the FLOPs (as the space counts them) and parameters of cell c. Entry [i, j] belongs to the edge i -> j.
    Where the operations sit on the nodes, every incoming edge carries the value of its target.

    classes, shape: the task that is costed: outputs of the classifier; channels, height, width of an image.
    flops_scale, params_scale: divisors. As published: 1 and 1 on NAS-Bench-201, 1e7 and 1e5 on NAS-Bench-101.

    Raises BadSetting for a scale that is not positive and for a space without cost formulas.
    From: Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image
    Classifier Search" (2022).

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> CostTensor().transform(NASBench201().at([0])).shape
    (1, 31, 4, 4)
    """

    def __init__(
        self,
        classes: int = 10,
        shape: Shape = (3, 32, 32),
        flops_scale: float = 1.0,
        params_scale: float = 1.0,
    ):
        self.classes = classes
        self.shape = shape
        self.flops_scale = flops_scale
        self.params_scale = params_scale

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The tensor, (n, 1 + 2 * cells, v, v)."""
        rows = batch(archs)
        if min(self.flops_scale, self.params_scale) <= 0:
            raise BadSetting("scale", (self.flops_scale, self.params_scale), "positive divisors")
        first = self._stack(rows[:_ROWS])
        full = np.empty((len(rows), *first.shape[1:]), dtype=np.float32)
        full[:_ROWS] = first
        for start in range(_ROWS, len(rows), _ROWS):
            full[start : start + _ROWS] = self._stack(rows[start : start + _ROWS])
        return full

    def _stack(self, rows: Architectures) -> NDArray[np.float32]:
        costs = rows.space.costs(rows, classes=self.classes, shape=self.shape)
        n, cells, nodes = costs.shape[:3]
        tensor = np.empty((n, 1 + 2 * cells, nodes, nodes), dtype=np.float32)
        tensor[:, 0] = type_codes(rows.space.graphs(rows))
        tensor[:, 1::2] = costs[..., 0] / self.flops_scale
        tensor[:, 2::2] = costs[..., 1] / self.params_scale
        return tensor


def type_codes(graphs: Graphs) -> NDArray[np.uint8]:
    """(n, v, v) operation codes: of the edge, or of its target where the edge is plain (""); 0 = nothing."""
    if "" not in graphs.ops:
        return graphs.edge_op
    plain = graphs.edge_op == graphs.ops.index("") + 1
    return np.where(plain, graphs.node_op[:, None, :], graphs.edge_op)
