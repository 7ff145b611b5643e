"""NATS-Bench's size space: the widths of five layers, 32,768 networks in the official order.

Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size" (2021).
Costs count what the authors count: multiply-adds of convolutions and classifier (with its bias), batch norms none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graphs
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Choice, Shape, Space
from tierwise.spaces.building import need_torch

if TYPE_CHECKING:
    from torch import nn

LAYERS = 5
WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
REDUCING = (1, 3)  # layers that are residual blocks and halve height and width; the others are cells


class NATSBenchSize(Space):
    """The 32,768 networks; ``index`` is the official index, the last layer's width changes fastest.

    Layers 0, 2 and 4 are cells of NAS-Bench-201 with fixed operations, layers 1 and 3 residual blocks of stride 2. The
    width of layer 0 is also that of the stem.
    """

    def __init__(self) -> None:
        options = tuple(map(str, WIDTHS))
        super().__init__("nats-bench-size", [Choice(f"width/{layer}", options) for layer in range(LAYERS)])

    def graphs(self, archs: Architectures) -> Graphs:
        """A path: the input, five layers whose operation is their width, the output."""
        names = (*map(str, WIDTHS), "input", "output", "")
        node_op = np.full((len(archs), LAYERS + 2), names.index("input") + 1, dtype=np.uint8)
        node_op[:, 1:-1] = archs.genes + 1
        node_op[:, -1] = names.index("output") + 1
        edge_op = np.zeros((len(archs), LAYERS + 2, LAYERS + 2), dtype=np.uint8)
        edge_op[:, np.arange(LAYERS + 1), np.arange(1, LAYERS + 2)] = len(names)
        return Graphs(node_op, edge_op, names)

    def format(self, archs: Architectures) -> list[str]:
        """The official strings, ``8:16:24:32:40``."""
        return [":".join(map(str, row)) for row in np.array(WIDTHS)[archs.genes].tolist()]

    def parse(self, text: str) -> Architecture:
        """An official string, an official index ("284") or "nats-bench-size/0-1-2-3-4". Raises BadArchitecture."""
        given = text.strip()
        if given.isascii() and given.isdigit():
            if len(given) > 5 or int(given) >= len(WIDTHS) ** LAYERS:
                raise BadArchitecture(text, f"an official index is 0 to {len(WIDTHS) ** LAYERS - 1}")
            return Architecture(
                self.name, tuple(int(given) // len(WIDTHS) ** k % len(WIDTHS) for k in range(4, -1, -1))
            )
        if ":" not in given:
            return super().parse(text)
        widths = given.split(":")
        if len(widths) != LAYERS:
            raise BadArchitecture(text, f"{len(widths)} widths, expected the form 8:16:24:32:40")
        for width in widths:
            if width not in self.choices[0].options:
                raise BadArchitecture(text, f"width {width!r}, allowed {', '.join(self.choices[0].options)}")
        return Architecture(self.name, tuple(self.choices[0].options.index(width) for width in widths))

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 1, 7, 7, 2) FLOPs and parameters of each layer, on the edge that enters it; `classes` has no part."""
        full = np.zeros((len(archs), 1, LAYERS + 2, LAYERS + 2, 2), dtype=np.int64)
        width = np.array(WIDTHS, dtype=np.int64)[archs.genes]
        side = _area(shape)
        for layer in range(LAYERS):
            before, after = width[:, max(layer - 1, 0)], width[:, layer]
            side = side // 4 if layer in REDUCING else side
            weights, norms = _block(before, after) if layer in REDUCING else _cell(before, after)
            full[:, 0, layer, layer + 1] = np.stack([weights * side, weights + norms], axis=1)
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the whole network: stem, layers, last batch norm and classifier."""
        first, last = (np.array(WIDTHS, dtype=np.int64)[archs.genes[:, layer]] for layer in (0, -1))
        stem, classifier = 9 * shape[0] * first, last * classes + classes
        around = np.stack([stem * _area(shape) + classifier, stem + 2 * first + 2 * last + classifier], axis=1)
        return self.costs(archs, shape=shape).sum((1, 2, 3)) + around

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch. Raises BadArchitecture, BadSetting, MissingExtra."""
        need_torch()
        from tierwise.networks.natsbench_size import Network

        self.check(Architectures.of([arch], self))
        _area(shape)
        return Network([WIDTHS[gene] for gene in arch.genes], classes, shape[0])


def _cell(before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights of the convolutions and parameters of the batch norms of the fixed cell.

    Two 3x3 convolutions see the cell's input, three see inner nodes. The skip is a 1x1 convolution where the width
    changes.
    """
    changes = before != after
    weights = 9 * (2 * before * after + 3 * after**2) + changes * before * after
    return weights, 2 * after * (5 + changes)


def _block(before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same of a residual block: two 3x3 convolutions, and a 1x1 convolution without batch norm beside them."""
    return 9 * (before * after + after**2) + before * after, 4 * after


def _area(shape: Shape) -> int:
    if len(shape) != 3 or min(shape) < 1 or shape[1] % 4 or shape[2] % 4:
        raise BadSetting("shape", shape, "channels, height, width with height and width divisible by 4")
    return shape[1] * shape[2]
