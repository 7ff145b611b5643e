"""The networks of NATS-Bench's size space in PyTorch: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for
Architecture Topology and Size" (2021).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tierwise.networks.nasbench201 import Reduction, convolution


class Network(nn.Sequential):
    """Stem, cell, residual block, cell, residual block, cell, average pool and classifier.

    widths: of the five layers; the stem is as wide as the first. channels: of an image (n, channels, height, width).
    """

    def __init__(self, widths: Sequence[int], classes: int, channels: int):
        first, second, third, fourth, last = widths
        super().__init__(
            nn.Conv2d(channels, first, 3, padding=1, bias=False),
            nn.BatchNorm2d(first),
            Cell(first, first),
            Reduction(first, second),
            Cell(second, third),
            Reduction(third, fourth),
            Cell(fourth, last),
            nn.BatchNorm2d(last),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(last, classes),
        )


class Cell(nn.Module):
    """The fixed cell of NAS-Bench-201: 3x3 convolutions on all edges but the one from node 0 to node 3, a skip."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.edge01, self.edge02 = convolution(before, after, 3), convolution(before, after, 3)
        self.edge12, self.edge13, self.edge23 = (convolution(after, after, 3) for _ in range(3))
        # where the width changes, the skip is a linear map; it alone begins without an activation
        self.edge03 = nn.Identity() if before == after else convolution(before, after, 1)[1:]

    def forward(self, entering: Tensor) -> Tensor:
        """The last node's sum."""
        first = self.edge01(entering)
        second = self.edge02(entering) + self.edge12(first)
        return self.edge03(entering) + self.edge13(first) + self.edge23(second)
