"""FLOPs and parameters of the networks of NAS-Bench-101, vertex by vertex, in closed form.

Counting rules: Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker" (2022): a multiply-add is 2
FLOPs; batch norm, ReLU, slicing and concatenation are free. Channels: Ying et al., "NAS-Bench-101" (2019).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.space import Shape
from tierwise.spaces.nasbench101_graphs import INTERIOR, OUTPUT, VERTICES, Masks, Ops

STEM = 128
KIND_OF_CELL = (0, 0, 0, 1, 2, 2, 3, 4, 4)  # in a stack, all cells after the first are alike; in the first stack, all
_CELLS_OF_KIND = (3, 1, 2, 1, 2)
_KERNEL = np.array([3, 1, 0, 0])  # by operation, the last for no vertex
_POOLED = np.array([0, 0, 9, 0])  # FLOPs of an output value
Ints = NDArray[np.int64]


class Kind(NamedTuple):
    """Channels into and out of a cell, and the pixels of its feature maps."""

    entering: int
    leaving: int
    area: int


def kinds(shape: Shape) -> list[Kind]:
    """The five kinds of cells of the network. Raises BadSetting."""
    if len(shape) != 3 or min(shape) < 1 or shape[1] % 4 or shape[2] % 4:
        raise BadSetting("shape", shape, "channels, height, width with height and width divisible by 4")
    _, height, width = shape
    widths = [(STEM, STEM, 0), (STEM, 256, 1), (256, 256, 1), (256, 512, 2), (512, 512, 2)]
    return [Kind(a, b, (height >> stage) * (width >> stage)) for a, b, stage in widths]


def vertex_channels(sources: Masks, leaving: int) -> Ints:
    """(7, n) output channels of each vertex, 0 for the input: what leaves the cell is split over the vertices that feed
    the output, the first ones get the remainder; any other is as wide as its widest target.
    """
    channels = np.zeros(sources.shape, np.int64)
    channels[OUTPUT] = leaving
    feeds = np.stack([sources[OUTPUT] >> v & 1 for v in range(1, OUTPUT)]).astype(np.int64)
    many = np.maximum(feeds.sum(0), 1)
    channels[1:OUTPUT] = feeds * (leaving // many + (feeds.cumsum(0) <= leaving % many))
    for v in range(INTERIOR - 1, 0, -1):
        widest = np.max([(sources[y] >> v & 1) * channels[y] for y in range(v + 1, OUTPUT)], axis=0)
        channels[v] = np.where(feeds[v - 1] == 1, channels[v], widest)
    return channels


def kind_costs(sources: Masks, ops: Ops, shape: Shape) -> Ints:
    """(5 kinds, 7, 2, n) FLOPs and parameters of each vertex; input and output have none."""
    costs = np.zeros((len(_CELLS_OF_KIND), VERTICES, 2, sources.shape[1]), np.int64)
    kernel, pooled = _KERNEL[ops], _POOLED[ops]
    weights = kernel * kernel
    projected = (sources[1:OUTPUT] & 1).astype(np.int64)
    degree = np.stack([sources[1:OUTPUT] >> x & 1 for x in range(OUTPUT)]).sum(0, dtype=np.int64)
    for k, (entering, leaving, area) in enumerate(kinds(shape)):
        wide = vertex_channels(sources, leaving)[1:OUTPUT]
        products = projected * entering * wide + weights * wide * wide
        adds = np.maximum(degree - 1, 0) * wide
        costs[k, 1:OUTPUT, 0] = area * (2 * products + adds + pooled * wide)
        costs[k, 1:OUTPUT, 1] = products + 2 * wide * (projected + (kernel > 0))
    return costs


def network_totals(sources: Masks, ops: Ops, classes: int, shape: Shape) -> Ints:
    """(n, 2) FLOPs and parameters of whole networks, with the projections from input to output."""
    if classes < 1:
        raise BadSetting("classes", classes, "1 or more")
    costs = np.tensordot(np.array(_CELLS_OF_KIND), kind_costs(sources, ops, shape), 1).sum(0).T
    direct = (sources[OUTPUT] & 1).astype(np.int64)
    added = direct * (sources[OUTPUT] > 1)  # in a cell of two vertices there is nothing to add it to
    for kind, count in zip(kinds(shape), _CELLS_OF_KIND, strict=True):
        products, values = kind.entering * kind.leaving, kind.leaving * kind.area
        costs[:, 0] += count * (direct * 2 * products * kind.area + added * values)
        costs[:, 1] += count * direct * (products + 2 * kind.leaving)
    return costs + np.array(_skeleton(classes, shape))


def _skeleton(classes: int, shape: Shape) -> tuple[int, int]:
    """FLOPs and parameters around the cells: stem, two poolings, global average, classifier."""
    first, second, last = (kinds(shape)[k] for k in (0, 1, 3))
    stem = 9 * shape[0] * STEM
    pools = 4 * second.entering * second.area + 4 * last.entering * last.area
    head = last.leaving * last.area + 2 * last.leaving * classes + classes
    return 2 * stem * first.area + pools + head, stem + 2 * STEM + last.leaving * classes + classes
