"""Small networks, and a space that builds them: what runs in milliseconds but has all parts of a real one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.small_spaces import Costed
from tierwise.architecture import Architecture
from tierwise.space import Shape

KERNELS = {"conv1x1": 1, "conv3x3": 3}


class Small(nn.Module):
    """Two convolutions with batch norm and a rectifier, one a module and one a function, mean and classifier.

    It keeps what it was last called with: a pass may draw other weights.
    """

    def __init__(self, classes: int = 3, channels: int = 2, width: int = 4):
        super().__init__()
        self.one, self.two = nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.Conv2d(width, width, 3, padding=1)
        self.norm_one, self.norm_two = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images.detach().double(), {name: p.detach().double() for name, p in self.named_parameters()}
        first = torch.relu(self.norm_one(self.one(images)))
        second = self.relu(self.norm_two(self.two(first)))
        return self.classifier(second.mean((2, 3)))


class Cell(nn.Module):
    """Three nodes of feature sums, as in NAS-Bench-201."""

    def __init__(self, ops: list[str], width: int):
        super().__init__()
        self.operations = nn.ModuleList(self._operation(op, width) for op in ops)

    @staticmethod
    def _operation(op: str, width: int) -> nn.Module | None:
        if op == "none":
            return None
        if op in KERNELS:
            kernel = KERNELS[op]
            convolution = nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)
            return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(width))
        return nn.Identity() if op == "skip" else nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, entering: Tensor) -> Tensor:
        zero = torch.zeros_like(entering)
        one, two, three = (zero if op is None else op for op in self.operations)
        middle = one(entering) if callable(one) else zero
        return (two(entering) if callable(two) else zero) + (three(middle) if callable(three) else zero)


class Built(Costed):
    """The small space with networks: stem, two cells of four channels, batch norm, rectifier, classifier."""

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        ops = [choice.options[gene] for choice, gene in zip(self.choices, arch.genes, strict=True)]
        return nn.Sequential(
            nn.Conv2d(shape[0], 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            *(Cell(ops, 4) for _ in range(2)),
            *(nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            nn.Linear(4, classes),
        )
