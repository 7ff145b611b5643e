"""The networks of NAS-Bench-101 in PyTorch: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture
Search" (2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

STEM = 128
STACKS, CELLS = 3, 3


class Network(nn.Module):
    """Stem, three stacks of three equal cells with pooling and doubled channels between, average pool, classifier.

    sources_of: for each interior vertex and last the output the vertices that enter it, 0 = input.
    ops: the operation of each interior vertex, such as "conv3x3-bn-relu". channels: of an image.
    """

    def __init__(self, sources_of: Sequence[Sequence[int]], ops: Sequence[str], classes: int, channels: int):
        super().__init__()
        layers: list[nn.Module] = [_convolution(channels, STEM, 3)]
        width = STEM
        for stack in range(STACKS):
            if stack:
                layers.append(nn.MaxPool2d(2))
            for cell in range(CELLS):
                entering = width
                width = width * 2 if stack and not cell else width
                layers.append(Cell(sources_of, ops, entering, width))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, classes) scores of images (n, channels, height, width)."""
        return self.classifier(self.features(images).mean((2, 3)))


class Cell(nn.Module):
    """One cell: operations on the sums of what enters them, the output a concatenation plus the projected input."""

    def __init__(self, sources_of: Sequence[Sequence[int]], ops: Sequence[str], entering: int, leaving: int):
        super().__init__()
        self.sources_of = [list(sources) for sources in sources_of]
        self.widths = vertex_widths(self.sources_of, leaving)
        self.operations = nn.ModuleList(_operation(op, w) for op, w in zip(ops, self.widths, strict=True))
        self.projections = nn.ModuleDict(
            {
                str(v): _convolution(entering, width, 1)
                for v, (sources, width) in enumerate(zip(self.sources_of, [*self.widths, leaving], strict=True), 1)
                if 0 in sources
            }
        )

    def forward(self, entering: Tensor) -> Tensor:
        """The output's feature maps."""
        values = [entering]
        for v, (operation, width) in enumerate(zip(self.operations, self.widths, strict=True), 1):
            terms = [values[x][:, :width] for x in self.sources_of[v - 1] if x]  # wider ones lose their last channels
            if 0 in self.sources_of[v - 1]:
                terms.append(self.projections[str(v)](entering))
            values.append(operation(torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]))
        parts = [values[x] for x in self.sources_of[-1] if x]
        last = str(len(self.sources_of))
        if last not in self.projections:
            return torch.cat(parts, 1)
        direct = self.projections[last](entering)
        return torch.cat(parts, 1) + direct if parts else direct


def vertex_widths(sources_of: Sequence[Sequence[int]], leaving: int) -> list[int]:
    """Channels of the interior vertices: those that feed the output share its channels, the first ones get what is left
    over; any other is as wide as its widest target.
    """
    feeding = [v for v in sources_of[-1] if v]
    widths = [0] * (len(sources_of) - 1)
    for place, v in enumerate(feeding):
        widths[v - 1] = leaving // len(feeding) + (place < leaving % len(feeding))
    for v in range(len(widths), 0, -1):
        if v not in feeding:
            widths[v - 1] = max(width for sources, width in zip(sources_of, widths, strict=False) if v in sources)
    return widths


def _operation(name: str, width: int) -> nn.Module:
    if name == "maxpool3x3":
        return nn.MaxPool2d(3, stride=1, padding=1)
    return _convolution(width, width, 3 if name == "conv3x3-bn-relu" else 1)


def _convolution(entering: int, leaving: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(entering, leaving, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(leaving, eps=1e-5, momentum=0.003),
        nn.ReLU(),
    )
