"""Networks whose code picks, at the top level of a module, as spaces in other processes need them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tierwise import pick
from tierwise.architecture import Architecture
from tierwise.space import Space


class Net(nn.Module):
    """Width, depth, a kind for each block, and one kernel for all convolutions."""

    def __init__(self, classes: int = 10, shape: tuple[int, ...] = (3, 8, 8)):
        super().__init__()
        width = pick("width", [4, 6, 8])
        self.stem = nn.Conv2d(shape[0], width, 1)
        self.blocks = nn.Sequential(*(self.block(k, width) for k in range(pick("depth", [1, 2, 3]))))
        self.classifier = nn.Linear(width, classes)

    @staticmethod
    def block(number: int, width: int) -> nn.Module:
        return pick(
            f"block{number}",
            {
                "conv": lambda: nn.Conv2d(width, width, pick("kernel", [3, 5]), padding="same"),
                "depthwise": lambda: nn.Conv2d(width, width, 3, padding=1, groups=width),
                "none": nn.Identity,
            },
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.blocks(self.stem(images)).mean((2, 3)))


def perceptron(pick, classes: int) -> nn.Module:  # type: ignore[no-untyped-def]
    """Takes ``pick`` as an argument; the second width is a choice where there are two layers."""
    first = pick("width1", [4, 8])
    layers = [nn.Linear(5, first), nn.ReLU()]
    if pick("layers", [1, 2]) == 2:
        second = pick("width2", [4, 8])
        layers += [nn.Linear(first, second), nn.ReLU()]
        first = second
    return nn.Sequential(*layers, nn.Linear(first, classes))


class Numbers(nn.Module):
    """Reads a number out of a tensor while it is built, which the meta device cannot."""

    def __init__(self) -> None:
        super().__init__()
        rates = torch.linspace(0, 0.5, pick("depth", [2, 3]))
        self.layers = nn.Sequential(*(nn.Sequential(nn.Dropout(rate.item()), nn.Linear(4, 4)) for rate in rates))

    def forward(self, vectors: Tensor) -> Tensor:
        return self.layers(vectors)


class ParametersOf:
    """An evaluator that carries a space into other processes."""

    def __init__(self, space: Space):
        self.space = space

    def __call__(self, arch: Architecture) -> float:
        network = self.space.build(arch, classes=10, shape=(3, 8, 8))
        return float(sum(p.numel() for p in network.parameters()))
