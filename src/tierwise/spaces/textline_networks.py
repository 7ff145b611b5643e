"""Members of the space of text-line networks in PyTorch, and what their parts cost, counted from the parts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.networks import textline
from tierwise.networks.counting import counted
from tierwise.networks.operations import Place, operation
from tierwise.space import Shape
from tierwise.spaces.textline import BLOCKS, CHANNELS, MIXING, OPS, SLOTS, STAGES, WIDE, WIDTH, Columns, code

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]


def block(stage: int, number: int, op: str) -> nn.Module:
    """Block `number` of a stage, both from 1: the first changes the channels to those of the stage."""
    entering = CHANNELS[max(stage - 2, 0)] if number == 1 else CHANNELS[stage - 1]
    return operation(op, Place(entering, CHANNELS[stage - 1]))


def shrink(stage: int, height: str, length: str) -> nn.Module:
    """What stands before a stage, from 1, on these two ways."""
    return textline.Shrink(int(height[stage - 1]), int(length[stage - 1]))


def columns(stage: int, shape: Shape) -> nn.Module:
    """From the maps of a stage, from 1, to columns; the last one's maps are a quarter as high as an image."""
    return textline.Columns(CHANNELS[stage - 1], shape[1] // 4, WIDTH)


def network(chosen: Mapping[str, str], classes: int, shape: Shape) -> nn.Module:
    """chosen: the option of each choice by its path."""
    layers: list[nn.Module] = [textline.stem(shape[0], CHANNELS[0])]
    for k in range(1, STAGES + 1):
        layers.append(shrink(k, chosen["down/height"], chosen["down/length"]))
        layers += [block(k, b, chosen[f"stage/{k}/{b}"]) for b in range(1, int(chosen[f"stage/{k}/blocks"]) + 1)]
    layers.append(columns(STAGES, shape))
    for k in range(1, int(chosen["layers"]) + 1):
        layers.append(textline.mixing(chosen[f"layer/{k}/mixing"], WIDTH))
        layers.append(textline.FeedForward(WIDTH, int(chosen[f"layer/{k}/wide"])))
    return textline.in_a_row([*layers, textline.head(WIDTH, classes)])


class Costs:
    """FLOPs and parameters of every part at every size that it can meet, each counted once."""

    def __init__(self, shape: Shape, classes: int):
        self.shape, self.classes, self.columns = shape, classes, shape[2] // 4

    def each(self, genes: Columns) -> Ints:
        """(n, slots, 2) of what every slot holds, if it is there."""
        found: list[Ints] = []
        down = across = np.zeros(len(genes["layers"]), dtype=np.int64)  # halvings of height and of length so far
        for slot in SLOTS:
            chosen, (_, number, part) = code(slot, genes), slot.split("/")
            if part == "pool":
                down, across = down + chosen // 2, across + chosen % 2
                found.append(np.zeros((len(chosen), 2), dtype=np.int64))
            elif slot.startswith("stage"):
                found.append(self._blocks[int(number) - 1, int(part) - 1, chosen, down, across])
            else:
                found.append((self._mixing if part == "mixing" else self._wide)[chosen])
        return np.stack(found, 1)

    @functools.cached_property
    def _blocks(self) -> Ints:
        """(stages, blocks, ops, halvings of height, of length, 2)"""
        found = np.zeros((STAGES, BLOCKS, len(OPS), 3, 3, 2), dtype=np.int64)
        for k, b, op, down, across in np.ndindex(*found.shape[:-1]):
            entering = CHANNELS[k] if b else CHANNELS[max(k - 1, 0)]
            shape = entering, self.shape[1] >> down, self.shape[2] >> across
            if down >= k and across >= k:  # a way of three stages halves two: no more than one is left out
                found[k, b, op, down, across] = counted(functools.partial(block, k + 1, b + 1, OPS[op]), shape)[:2]
        return found

    @functools.cached_property
    def _mixing(self) -> Ints:
        """(options, 2)"""
        return self._of_columns([functools.partial(textline.mixing, name, WIDTH) for name in MIXING])

    @functools.cached_property
    def _wide(self) -> Ints:
        return self._of_columns([functools.partial(textline.FeedForward, WIDTH, int(times)) for times in WIDE])

    @functools.cached_property
    def around(self) -> Ints:
        """(2,) of stem, columns and head."""
        stem = counted(lambda: textline.stem(self.shape[0], CHANNELS[0]), self.shape)[:2]
        last = CHANNELS[-1], self.shape[1] // 4, self.columns
        made = counted(lambda: columns(STAGES, self.shape), last)[:2]
        head = self._of_columns([functools.partial(textline.head, WIDTH, self.classes)])[0]
        return np.array(stem, dtype=np.int64) + np.array(made, dtype=np.int64) + head

    def _of_columns(self, makers: list[Callable[[], nn.Module]]) -> Ints:
        return np.array([counted(make, (self.columns, WIDTH))[:2] for make in makers], dtype=np.int64)


@functools.lru_cache(maxsize=8)
def costs(shape: Shape, classes: int) -> Costs:
    """For images of this shape and so many characters."""
    return Costs(shape, classes)
