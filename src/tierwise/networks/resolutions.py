"""A way of cells through resolutions, of signals, images or volumes: the form of Auto-DeepLab and LEAStereo.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image Segmentation" (2019).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tierwise.networks.cell_network import EdgeCell
from tierwise.networks.operations import Place, convolution, layer, operation

Maps = tuple[int, ...]  # channels, then the sizes


def resolutions(finest: Maps, count: int) -> list[Maps]:
    """The maps of each resolution: half the sizes and twice the channels of the one before."""
    scales = [finest]
    for _ in range(1, count):
        channels, *sizes = scales[-1]
        scales.append((2 * channels, *(-(-size // 2) for size in sizes)))
    return scales


class Move(nn.Module):
    """To a neighbouring resolution: a rectifier, a 1x1 convolution, strided if coarser, batch norm; then linear
    interpolation if finer. Nothing where it stays the same.
    """

    def __init__(self, before: Maps, after: Maps):
        super().__init__()
        self.size = list(after[1:]) if after[0] < before[0] else None
        place = Place(before[0], after[0], 2 if after[0] > before[0] else 1, len(before) - 1, before=True)
        self.way = nn.Identity() if before == after else layer(place, convolution(place, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the other resolution."""
        moved = self.way(maps)
        return moved if self.size is None else resized(moved, self.size)


class End(nn.Module):
    """From any resolution to `leaving` channels of the finest: a rectifier, a convolution of 3x3, interpolation."""

    def __init__(self, before: Maps, finest: Maps, leaving: int):
        super().__init__()
        self.size = list(finest[1:])
        self.way = nn.Sequential(nn.ReLU(), convolution(Place(before[0], leaving, dims=len(before) - 1), 3))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the finest resolution."""
        return resized(self.way(maps), self.size)


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Linear interpolation, of signals, images or volumes."""
    if list(maps.shape[2:]) == list(size):
        return maps
    return nn.functional.interpolate(maps, size=list(size), mode=("linear", "bilinear", "trilinear")[len(size) - 1])


def cell(nodes: int, edges: Sequence[tuple[int, int]], ops: Sequence[str], maps: Maps) -> EdgeCell:
    """A cell of maps of this form; operations by name."""
    place = Place(maps[0], maps[0], dims=len(maps) - 1, before=True)
    return EdgeCell(nodes, [(i, j, operation(op, place)) for (i, j), op in zip(edges, ops, strict=True)])


def way(
    stem: nn.Module, cells: Sequence[nn.Module], path: Sequence[int], scales: Sequence[Maps], leaving: int
) -> nn.Sequential:
    """A stem, then cells, one a layer, with moves between; path: the resolution of each, 0 the finest."""
    layers = [stem, cells[0]]
    for made, before, after in zip(cells[1:], path[:-1], path[1:], strict=True):
        layers += [Move(scales[before], scales[after]), made]
    return nn.Sequential(*layers, End(scales[path[-1]], scales[0], leaving))
