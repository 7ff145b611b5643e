"""Members of the space of stereo networks in PyTorch, and what their parts cost, counted from the parts themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.networks import resolutions, stereo
from tierwise.networks.counting import counted
from tierwise.networks.operations import Place, operation
from tierwise.space import Shape
from tierwise.spaces.stereo import CELL, FEATURE, MATCHING, OPS, RESOLUTIONS, Net

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Costs:
    """FLOPs and parameters (..., 2) of one network for one pair: operation (resolutions) of a convolution in a cell,
    move (resolutions, resolutions), end (resolutions), stem.
    """

    operation: Ints
    move: Ints
    end: Ints
    stem: Ints


def scales(net: Net, disparities: int, shape: Shape) -> list[resolutions.Maps]:
    """The maps inside one of the networks, at each resolution."""
    sizes = tuple(size // stereo.SHRUNK for size in shape[1:])
    depth = () if net is FEATURE else (disparities // stereo.SHRUNK + 1,)
    return resolutions.resolutions((net.channels, *depth, *sizes), RESOLUTIONS)


def leaving(net: Net) -> int:
    """Channels: of features; a score for each place of the volume."""
    return FEATURE.channels if net is FEATURE else 1


def stem(net: Net) -> nn.Module:
    """What stands before the first cell."""
    if net is FEATURE:
        return stereo.image_stem(net.channels)
    return stereo.volume_stem(leaving(FEATURE), net.channels)


def network(genes: Sequence[tuple[Sequence[int], Sequence[int]]], disparities: int, shape: Shape) -> stereo.Stereo:
    """genes: of the cell, and the resolution of each layer, of both networks."""
    made: list[nn.Module] = []
    for net, (cell, path) in zip((FEATURE, MATCHING), genes, strict=True):
        maps, ops = scales(net, disparities, shape), [OPS[gene] for gene in cell]
        cells = [resolutions.cell(CELL.nodes, CELL.edges, ops, maps[r]) for r in path]
        made.append(resolutions.way(stem(net), cells, path, maps, leaving(net)))
    return stereo.Stereo(made[0], made[1], disparities)


@functools.lru_cache(maxsize=8)
def tables(disparities: int, shape: Shape) -> tuple[Costs, Costs]:
    """Of the feature network, for both views together, and of the matching network."""
    return _costs(FEATURE, disparities, shape), _costs(MATCHING, disparities, shape)


def _costs(net: Net, disparities: int, shape: Shape) -> Costs:
    maps = scales(net, disparities, shape)
    times = np.array([2 if net is FEATURE else 1, 1])  # both views pass the one feature network

    def count(make: Callable[[], nn.Module], entering: Shape) -> Ints:
        return times * np.array(counted(make, entering)[:2], dtype=np.int64)

    inside = [Place(m[0], m[0], dims=len(m) - 1, before=True) for m in maps]
    move = np.zeros((RESOLUTIONS, RESOLUTIONS, 2), dtype=np.int64)
    for r in range(RESOLUTIONS):
        for after in range(max(r - 1, 0), min(r + 2, RESOLUTIONS)):
            move[r, after] = count(lambda r=r, after=after: resolutions.Move(maps[r], maps[after]), maps[r])
    before = (1, *shape[1:]) if net is FEATURE else (2 * leaving(FEATURE), *maps[0][1:])
    return Costs(
        np.array([count(lambda p=p: operation(OPS[0], p), m) for p, m in zip(inside, maps, strict=True)]),
        move,
        np.array([count(lambda m=m: resolutions.End(m, maps[0], leaving(net)), m) for m in maps]),
        count(lambda: stem(net), before),
    )
