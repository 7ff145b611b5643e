"""The networks of the benchmark mnist1d in PyTorch: cells of NAS-Bench-201 (Dong and Yang, 2020) on signals of MNIST-1D
(Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D", 2024).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

WIDTHS = (8, 16, 16)
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
TAPS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Network(nn.Module):
    """Stem, three equal cells with halved length between, batch norm, average pool, classifier.

    ops: of the six edges, in the order of EDGES: none, skip_connect, nor_conv_1x1, nor_conv_3x3 or avg_pool_3x3, with
    1 and 3 taps. live: whether an edge carries anything from the cell's input to its output; others are left out, as
    they would add constants that are trained. ``parameters()`` come in the order of computation, edge after edge.
    """

    def __init__(self, ops: Sequence[str], live: Sequence[bool], classes: int = 10):
        super().__init__()
        kept = [op if alive else "none" for op, alive in zip(ops, live, strict=True)]
        first, second, third = WIDTHS
        self.features = nn.Sequential(
            *(nn.Conv1d(1, first, 3, padding=1, bias=False), nn.BatchNorm1d(first), nn.AvgPool1d(2)),
            Cell(kept, first),
            *(nn.AvgPool1d(2), _convolution(first, second, 1)),
            Cell(kept, second),
            *(nn.AvgPool1d(2), _convolution(second, third, 1)),
            Cell(kept, third),
            *(nn.BatchNorm1d(third), nn.ReLU()),
        )
        self.classifier = nn.Linear(third, classes)

    def forward(self, signals: Tensor) -> Tensor:
        """(n, classes) scores of signals (n, length), the length divisible by 8."""
        return self.classifier(self.features(signals[:, None]).mean(2))


class Cell(nn.Module):
    """Four nodes, each the sum of what its edges bring; the first is the input, the last the output."""

    def __init__(self, ops: Sequence[str], width: int):
        super().__init__()
        self.edges = [edge for edge, op in zip(EDGES, ops, strict=True) if op != "none"]
        self.operations = nn.ModuleList(_operation(op, width) for op in ops if op != "none")

    def forward(self, entering: Tensor) -> Tensor:
        """The output's feature maps, of the shape of the input."""
        nodes = [entering, *(torch.zeros_like(entering) for _ in range(3))]
        for (source, target), operation in zip(self.edges, self.operations, strict=True):
            nodes[target] = nodes[target] + operation(nodes[source])
        return nodes[-1]


def _operation(name: str, width: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool1d(3, stride=1, padding=1, count_include_pad=False)
    return _convolution(width, width, TAPS[name])


def _convolution(entering: int, leaving: int, taps: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(), nn.Conv1d(entering, leaving, taps, padding=taps // 2, bias=False), nn.BatchNorm1d(leaving)
    )
