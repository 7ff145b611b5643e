"""The CIFAR networks of DARTS in PyTorch: Liu et al., "DARTS: Differentiable Architecture Search" (2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

STEM_MULTIPLIER = 3
Node = Sequence[tuple[str, int]]  # two operations and their predecessors: 0 and 1 the inputs, then the nodes


class Network(nn.Module):
    """Stem, cells with a reduction at a third and at two thirds, average pool and classifier.

    normal, reduce: the four nodes of each cell. channels: width of the first cells. image: channels of an image.
    """

    def __init__(
        self, normal: Sequence[Node], reduce: Sequence[Node], channels: int, layers: int, classes: int, image: int
    ):
        super().__init__()
        stem = STEM_MULTIPLIER * channels
        self.stem = nn.Sequential(nn.Conv2d(image, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem))
        self.cells = nn.ModuleList()
        before, last, width, halved = stem, stem, channels, False
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            width = 2 * width if reduction else width
            cell = Cell(reduce if reduction else normal, before, last, width, reduction, halved)
            self.cells.append(cell)
            before, last, halved = last, len(normal) * width, reduction
        self.classifier = nn.Linear(last, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, classes) scores of images (n, channels, height, width)."""
        before = last = self.stem(images)
        for cell in self.cells:
            before, last = last, cell(before, last)
        return self.classifier(last.mean((2, 3)))


class Cell(nn.Module):
    """One cell: both inputs brought to its width, four nodes of two operations each, all concatenated.

    halved: whether the first input still has the size before the last reduction.
    """

    def __init__(self, nodes: Sequence[Node], before: int, last: int, width: int, reduction: bool, halved: bool):
        super().__init__()
        self.first = Halve(before, width) if halved else _convolution(before, width)
        self.second = _convolution(last, width)
        self.sources = [[source for _, source in node] for node in nodes]
        self.operations = nn.ModuleList(
            nn.ModuleList(_operation(op, width, 2 if reduction and source < 2 else 1) for op, source in node)
            for node in nodes
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """The concatenated nodes."""
        values = [self.first(before), self.second(last)]
        for (one, two), (a, b) in zip(self.operations, self.sources, strict=True):  # pyright: ignore[reportGeneralTypeIssues]
            values.append(one(values[a]) + two(values[b]))
        return torch.cat(values[2:], 1)


class Halve(nn.Module):
    """Half the height and width without a pool: half the channels from even, half from odd pixels."""

    def __init__(self, entering: int, leaving: int):
        super().__init__()
        self.even = nn.Conv2d(entering, leaving // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(entering, leaving // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(leaving)

    def forward(self, images: Tensor) -> Tensor:
        """Maps of half the size."""
        active = torch.relu(images)
        return self.norm(torch.cat([self.even(active), self.odd(active[:, :, 1:, 1:])], 1))


def _operation(name: str, width: int, stride: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Halve(width, width)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride=stride, padding=1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)
    kernel = int(name[-1])
    if name.startswith("dil"):
        return _depthwise(width, kernel, stride, dilation=2)
    return nn.Sequential(_depthwise(width, kernel, stride), _depthwise(width, kernel, 1))


def _depthwise(width: int, kernel: int, stride: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(width, width, kernel, stride, padding, dilation, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
    )


def _convolution(entering: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(entering, leaving, 1, bias=False), nn.BatchNorm2d(leaving))
