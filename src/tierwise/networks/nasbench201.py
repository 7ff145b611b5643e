"""The networks of NAS-Bench-201 in PyTorch: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search" (2020).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64)
CELLS = 5
NODES = 4
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Network(nn.Module):
    """Stem, three stages of five equal cells with a residual reduction between, batch norm, average pool, classifier.

    ops: the operation of each edge by target and then by source, such as "nor_conv_3x3". channels: of an image.
    """

    def __init__(self, ops: Sequence[str], classes: int, channels: int):
        super().__init__()
        first, last = WIDTHS[0], WIDTHS[-1]
        self.stem = nn.Sequential(nn.Conv2d(channels, first, 3, padding=1, bias=False), nn.BatchNorm2d(first))
        self.cells = nn.Sequential()
        before = first
        for width in WIDTHS:
            if width != before:
                self.cells.append(Reduction(before, width))
            self.cells.extend(Cell(ops, width) for _ in range(CELLS))
            before = width
        self.last = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.classifier = nn.Linear(last, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, classes) scores of images (n, channels, height, width)."""
        return self.classifier(self.last(self.cells(self.stem(images))).mean((2, 3)))


class Cell(nn.Module):
    """One cell: each node is the sum of the operations that enter it, the output is the last node.

    What no operation enters is zero. An operation with weights is there even where it reads zeros, or nothing reads it:
    the benchmark trained and counted it.
    """

    def __init__(self, ops: Sequence[str], width: int):
        super().__init__()
        edges = [(i, j) for j in range(1, NODES) for i in range(j)]
        self.operations = nn.ModuleDict(
            {f"{i}-{j}": _operation(op, width) for (i, j), op in zip(edges, ops, strict=True) if op != "none"}
        )

    def forward(self, entering: Tensor) -> Tensor:
        """The last node."""
        values = [entering]
        for j in range(1, NODES):
            edges = [(value, f"{i}-{j}") for i, value in enumerate(values)]
            terms = [self.operations[edge](value) for value, edge in edges if edge in self.operations]
            values.append(functools.reduce(torch.add, terms) if terms else torch.zeros_like(entering))
        return values[-1]


class Reduction(nn.Module):
    """A residual block of stride 2."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.way = nn.Sequential(convolution(before, after, 3, stride=2), convolution(after, after, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, entering: Tensor) -> Tensor:
        """The sum of both ways."""
        return self.shortcut(entering) + self.way(entering)


def _operation(name: str, width: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return convolution(width, width, KERNELS[name])


def convolution(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Rectifier, convolution that keeps the size but for the stride, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(after),
    )
