"""FLOPs and parameters of the networks of DARTS in closed form; one multiply-add of a convolution is one FLOP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.space import Shape

STEM_MULTIPLIER = 3
NODES = 4


@dataclass(frozen=True)
class Place:
    """One cell of the network: its width, those of its inputs, and the pixels of a map when it enters and leaves."""

    reduction: bool
    width: int
    inputs: tuple[int, int]
    entering: int
    leaving: int


def places(channels: int, layers: int, shape: Shape) -> list[Place]:
    """The cells in order. Raises BadSetting for images that cannot be halved twice."""
    if len(shape) != 3 or min(shape) < 1 or shape[1] % 4 or shape[2] % 4:
        raise BadSetting("shape", shape, "channels, height, width with height and width divisible by 4")
    width, pixels = channels, shape[1] * shape[2]
    inputs = (STEM_MULTIPLIER * channels, STEM_MULTIPLIER * channels)
    found: list[Place] = []
    for layer in range(layers):
        reduction = layer in (layers // 3, 2 * layers // 3)
        leaving = pixels // 4 if reduction else pixels
        width = 2 * width if reduction else width
        found.append(Place(reduction, width, inputs, pixels, leaving))
        pixels, inputs = leaving, (inputs[1], NODES * width)
    return found


def operations(ops: Sequence[str], place: Place) -> NDArray[np.int64]:
    """(2, ops, 2) FLOPs and parameters of each operation on a node of the cell, and on one of its inputs."""
    table = np.zeros((2, len(ops), 2), dtype=np.int64)
    width = place.width
    for k, op in enumerate(ops):
        if "conv" in op:
            times = 2 if op.startswith("sep") else 1  # a separable convolution is applied twice
            weights = times * (int(op[-1]) ** 2 * width + width**2)
            table[:, k] = weights * place.leaving, weights + times * 2 * width
        elif op == "skip_connect" and place.reduction:  # on an input: two 1x1 convolutions of half the width
            table[1, k] = width**2 * place.leaving, width**2 + 2 * width
    return table


def around(channels: int, cells: Sequence[Place], classes: int, shape: Shape) -> NDArray[np.int64]:
    """(2,) FLOPs and parameters of the stem, the 1x1 convolutions on the inputs of every cell, and the classifier."""
    stem = STEM_MULTIPLIER * channels
    flops, params = 9 * shape[0] * stem * shape[1] * shape[2], 9 * shape[0] * stem + 2 * stem
    for place in cells:
        weights = sum(place.inputs) * place.width
        flops, params = flops + weights * place.entering, params + weights + 4 * place.width
    last = NODES * cells[-1].width
    return np.array([flops + last * classes, params + last * classes + classes], dtype=np.int64)
