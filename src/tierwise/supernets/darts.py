"""The supernet of DARTS: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tierwise.architecture import Architecture
from tierwise.errors import BadSetting
from tierwise.networks.darts import STEM_MULTIPLIER, Halve
from tierwise.networks.operations import Place, convolution, layer, operation
from tierwise.networks.skeleton import Mean, stem
from tierwise.space import Choice, Shape
from tierwise.spaces.darts import DARTS, OPS, PAIRS
from tierwise.spaces.darts_genotype import CELLS, NODES
from tierwise.supernets.cells import unscaled
from tierwise.supernets.supernet import Mixture, Supernet

NONE = "none"
EDGES = tuple((source, node) for node in NODES for source in range(node))  # 0 and 1 are the inputs of a cell


class DARTSSupernet(Supernet):
    """Stem, cells with a reduction at a third and at two thirds, mean and classifier; for images and signals.

    One choice an edge: "normal/0-2" ... "reduce/4-5", the operations of the space and "none".
    channels, layers: of the supernet; DARTS takes 16 and 8 to search. ops: those of each edge, and "none" is added; a
    reduced space has few (Zela et al., "Understanding and Robustifying Differentiable Architecture Search", 2020).
    Raises BadSetting.
    """

    def __init__(self, *, classes: int, shape: Shape, channels: int = 16, layers: int = 8, ops: Sequence[str] = OPS):
        super().__init__()
        if channels < 2 or channels % 2 or layers < 3:
            raise BadSetting("supernet of DARTS", f"{channels} channels, {layers} layers", "an even number, 3 or more")
        if len(shape) not in (2, 3):
            raise BadSetting("shape", shape, "(channels, height, width) of images or (channels, length) of signals")
        self.ops, self.dims = (*ops, NONE), len(shape) - 1
        self.choices = tuple(Choice(f"{cell}/{i}-{j}", self.ops) for cell in CELLS for i, j in EDGES)
        before = last = STEM_MULTIPLIER * channels
        self.stem = stem(shape[0], before, 1, self.dims, active=False)
        self.cells, sites, width, halved = nn.ModuleList(), list[int](), channels, False
        for depth in range(layers):
            reduction = depth in (layers // 3, 2 * layers // 3)
            width = 2 * width if reduction else width
            self.cells.append(MixedDARTSCell(self.ops, (before, last, width), self.dims, reduction, halved))
            sites += range(len(EDGES), 2 * len(EDGES)) if reduction else range(len(EDGES))
            before, last, halved = last, len(NODES) * width, reduction
        self.sites = tuple(sites)
        self.classifier = nn.Sequential(Mean(), nn.Linear(last, classes))

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores."""
        before = last = self.stem(x)
        for k, cell in enumerate(self.cells):
            before, last = last, cell(before, last, weights[k * len(EDGES) : (k + 1) * len(EDGES)])
        return self.classifier(last)

    @property
    def groups(self) -> tuple[tuple[tuple[tuple[int, int], ...], int], ...]:
        """For each node of each cell, all operations on all edges into it: two are derived. "none" is not there."""
        return tuple(
            (tuple((cell * len(EDGES) + e, op) for e in _into(node) for op in range(len(self.ops) - 1)), 2)
            for cell in range(len(CELLS))
            for node in NODES
        )

    def derived(self, weights: Sequence[Tensor]) -> tuple[int, ...]:
        """Of each edge the heaviest operation other than "none"; "none" but for the two heaviest edges of a node."""
        genes = [len(self.ops) - 1] * len(self.choices)
        for cell in range(len(CELLS)):
            for node in NODES:
                edges = [cell * len(EDGES) + e for e in _into(node)]
                kept = sorted(edges, key=lambda edge: -float(weights[edge][:-1].max()))[:2]
                for edge in kept:
                    genes[edge] = int(weights[edge][:-1].argmax())
        return tuple(genes)

    def architecture(self, genes: Sequence[int]) -> Architecture:
        """The member of the space DARTS that derived genes stand for. Raises BadSetting for other genes."""
        found: list[int] = []
        for cell in range(len(CELLS)):
            for node, pairs in zip(NODES, PAIRS, strict=True):
                own = [(EDGES[e][0], genes[cell * len(EDGES) + e]) for e in _into(node)]
                kept = [(source, op) for source, op in own if self.ops[op] != NONE]
                if len(kept) != 2:
                    raise BadSetting(f"edges into node {node}", len(kept), "two, as `derived` gives")
                found += [pairs.index((kept[0][0], kept[1][0]))] if len(pairs) > 1 else []
                found += [OPS.index(self.ops[op]) for _, op in kept]
        return Architecture(DARTS().name, tuple(found))


class MixedDARTSCell(nn.Module):
    """Both inputs brought to the width of the cell, four nodes of mixtures on every earlier one, all concatenated.

    widths: channels of the first input, of the second, and of the cell. halved: whether the first input still has the
    size before the last reduction.
    """

    def __init__(self, ops: Sequence[str], widths: tuple[int, int, int], dims: int, reduction: bool, halved: bool):
        super().__init__()
        before, last, width = widths
        one = Place(before, width, 2 if halved else 1, dims, before=True)
        two = Place(last, width, 1, dims, before=True)
        self.first = _halved(one) if halved else layer(one, convolution(one, 1))
        self.second = layer(two, convolution(two, 1))
        self.mixtures = nn.ModuleList(
            Mixture(
                [_candidate(op, Place(width, width, 2 if reduction and i < 2 else 1, dims, before=True)) for op in ops]
            )
            for i, _ in EDGES
        )

    def forward(self, before: Tensor, last: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """The concatenated nodes. weights: (operations,) for each edge."""
        values = [self.first(before), self.second(last)]
        for node in NODES:
            terms = [self.mixtures[e](values[EDGES[e][0]], weights[e]) for e in _into(node)]
            values.append(torch.stack(terms).sum(0))
        return torch.cat(values[2:], 1)


def _into(node: int) -> list[int]:
    """The edges into a node, by number."""
    return [e for e, (_, target) in enumerate(EDGES) if target == node]


def _candidate(op: str, place: Place) -> nn.Module:
    if op == "skip_connect" and place.stride > 1:
        return unscaled(_halved(place))
    try:
        return unscaled(operation(op, place))
    except ValueError as error:
        raise BadSetting("operation of DARTS", op, str(error)) from error


def _halved(place: Place) -> nn.Module:
    """Half the size without a pool: of images as published, of signals by a strided convolution."""
    return Halve(place.entering, place.leaving) if place.dims == 2 else layer(place, convolution(place, 1))
