"""A small space, real handwritten digits, and a driver to be killed: python -m tests.training.small STUDY TRIALS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sklearn.datasets import load_digits
from torch import nn

from tierwise import Study
from tierwise.architecture import Architecture
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train
from tierwise.spaces.chain import Chain, Layer

LAYERS = [Layer("first", {"width": [4, 8], "kernel": [1, 3]}), Layer("second", {"width": [4, 8], "kernel": [1, 3]})]


class Small(Chain):
    """Two convolutions of chosen width and kernel: 16 networks."""

    def __init__(self) -> None:
        super().__init__("small", LAYERS)

    def build(self, arch: Architecture, *, classes: int, shape: Any) -> nn.Module:
        chosen = [int(choice.options[gene]) for choice, gene in zip(self.choices, arch.genes, strict=True)]
        (width, kernel, second, last), layers = chosen, list[nn.Module]()
        for before, after, size in ((shape[0], width, kernel), (width, second, last)):
            layers += [nn.Conv2d(before, after, size, padding=size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, classes))


def digits() -> tuple[Any, Any]:
    """(1797, 8, 8) images of ten digits and their labels."""
    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8), labels


def few() -> tuple[Any, Any]:
    """300 of them."""
    images, labels = digits()
    return images[:300], labels[:300]


def main() -> None:
    path, trials = Path(sys.argv[1]), int(sys.argv[2])
    evaluator = Train(digits, classes=10, recipe=Recipe(epochs=8, rate=0.05))
    with Study(path, Small(), "random", evaluator, seed=4) as study:
        print("ready", flush=True)
        study.run(trials, order="asked", batch=2)
        print("finished", flush=True)


if __name__ == "__main__":
    main()
