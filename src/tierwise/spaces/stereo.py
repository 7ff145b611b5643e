"""Networks for stereo matching on two levels: what is in a cell, and at which resolution each layer works.

Cheng, Zhong, Harandi, Dai, Chang, Li, Drummond and Ge, "Hierarchical Neural Architecture Search for Deep Stereo
Matching" (LEAStereo, 2020); theirs has 6 and 12 layers, for photographs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Genes, Graphs
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces import building
from tierwise.spaces.edges import Edges

if TYPE_CHECKING:
    from torch import nn

OPS = ("conv3x3", "skip_connect")
STEPS = ("finer", "same", "coarser")
RESOLUTIONS = 3  # half of the image and of the disparities, a quarter, an eighth
CELL = Edges("stereo cell", 3, OPS, zero="", identity="skip_connect")
_EDGES = len(CELL.edges)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Net:
    """One of the two networks. first: its first gene: those of the cell, then a step between every two layers."""

    name: str
    layers: int
    channels: int  # at the finest resolution
    first: int

    @property
    def genes(self) -> slice:
        """Its part of a row."""
        return slice(self.first, self.first + _EDGES + self.layers - 1)

    def choices(self) -> list[Choice]:
        """Of the cell, then of the way."""
        cell = [Choice(f"{self.name}/{choice.path}", OPS) for choice in CELL.choices]
        return cell + [Choice(f"{self.name}/step/{k}", STEPS) for k in range(1, self.layers)]

    def cell(self, rows: Genes) -> Genes:
        """(n, edges)"""
        return rows[:, self.first : self.first + _EDGES]

    def path(self, rows: Genes) -> Ints:
        """(n, layers) the resolution of each layer, 0 the finest; a step beyond either end stays there."""
        path = np.zeros((len(rows), self.layers), dtype=np.int64)
        for k, step in enumerate(rows[:, self.genes][:, _EDGES:].T, start=1):
            path[:, k] = (path[:, k - 1] + step - 1).clip(0, RESOLUTIONS - 1)
        return path

    def text(self, genes: Sequence[int]) -> str:
        """``conv3x3 skip_connect conv3x3 @ same coarser``"""
        return " @ ".join((" ".join(OPS[g] for g in genes[:_EDGES]), " ".join(STEPS[g] for g in genes[_EDGES:])))

    def parse(self, text: str) -> list[int]:
        """The genes. Raises BadArchitecture."""
        ops, _, way = text.partition("@")
        for names, known, count in ((ops.split(), OPS, _EDGES), (way.split(), STEPS, self.layers - 1)):
            if len(names) != count or not set(names) <= set(known):
                raise BadArchitecture(text.strip(), f"{self.name} network: {count} of {', '.join(known)}, not {names}")
        return [OPS.index(name) for name in ops.split()] + [STEPS.index(name) for name in way.split()]


FEATURE = Net("feature", 3, 8, 0)
MATCHING = Net("matching", 4, 8, FEATURE.genes.stop)
NETS = (FEATURE, MATCHING)


class StereoSpace(Space):
    """A feature network, the same for both views, and a matching network on the volume of their pairs: each has one
    kind of cell, with an operation on each of three edges, and a way through three resolutions.

    ``build``: classes are the disparities 0, 1, ... to tell apart, an odd number; shape is (2, height, width).
    shape, disparities: of the task, for costs, whatever shape is asked about. Raises BadSetting.
    """

    identity_op = "skip_connect"

    def __init__(self, shape: Shape = (2, 24, 48), disparities: int = 9):
        self.shape, self.disparities = _checked(shape, disparities)
        super().__init__("stereo", [choice for net in NETS for choice in net.choices()])

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: ways are equal where their resolutions are, cells where they compute the same."""
        keys = np.zeros(len(archs), dtype=np.uint64)
        for net in NETS:
            cells = CELL.canonical(Architectures(CELL, net.cell(archs.genes)))
            for column in (cells, *net.path(archs.genes).T.astype(np.uint64)):
                keys = mix(keys + mix(column))
        return keys

    def graphs(self, archs: Architectures) -> Graphs:
        """Both networks in a row, each as its cell and then a path, whose edges are the resolutions of later layers."""
        names = (*(f"{net.name} {op}" for net in NETS for op in OPS[:1]), "skip_connect")
        names += tuple(f"{net.name} at 1/{2 ** (r + 1)}" for net in NETS for r in range(RESOLUTIONS))
        plain = len(names)
        starts = list(self._starts())
        v = starts[-1] + 1
        node_op = np.full((len(archs), v), plain + 2, dtype=np.uint8)
        node_op[:, 0], node_op[:, -1] = plain + 1, plain + 3
        edge_op = np.zeros((len(archs), v, v), dtype=np.uint8)
        for k, (net, start) in enumerate(zip(NETS, starts, strict=False)):
            for (i, j), gene in zip(CELL.edges, net.cell(archs.genes).T, strict=True):
                edge_op[:, start + i, start + j] = np.where(gene == 0, k + 1, len(NETS) + 1)
            for layer, at in enumerate(net.path(archs.genes).T[1:], start=start + CELL.nodes - 1):
                edge_op[:, layer, layer + 1] = len(NETS) + 2 + k * RESOLUTIONS + at
        return Graphs(node_op, edge_op, (*names, "input", "sum", "output"))

    def _starts(self) -> Iterator[int]:
        """The node in `graphs` at which each network begins, and the last node."""
        at = 0
        for net in NETS:
            yield at
            at += CELL.nodes - 1 + net.layers - 1
        yield at

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 1, v, v, 2) FLOPs and parameters of one pair: of the operations of all layers on the edges of the cell,
        of the moves to another resolution on those of the path. See `shape` of the space.
        """
        starts, tables = list(self._starts()), self._tables()
        full = np.zeros((len(archs), 1, starts[-1] + 1, starts[-1] + 1, 2), dtype=np.int64)
        for net, table, start in zip(NETS, tables, starts, strict=False):
            path = net.path(archs.genes)
            each = table.operation[path].sum(1)
            for (i, j), gene in zip(CELL.edges, net.cell(archs.genes).T, strict=True):
                full[:, 0, start + i, start + j] = (gene == 0)[:, None] * each
            for k in range(1, net.layers):
                node = start + CELL.nodes - 2 + k
                full[:, 0, node, node + 1] = table.move[path[:, k - 1], path[:, k]]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the whole network for one pair; see `shape` of the space."""
        around = sum(
            table.stem + table.end[net.path(archs.genes)[:, -1]]
            for net, table in zip(NETS, self._tables(), strict=True)
        )
        return self.costs(archs).sum((1, 2, 3)) + around

    def _tables(self) -> Any:
        building.need_torch()
        from tierwise.spaces.stereo_networks import tables

        return tables(self.disparities, self.shape)

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch: disparities (b, h, w) of pairs. Raises BadArchitecture, BadSetting,
        MissingExtra.
        """
        building.need_torch()
        one = Architectures.of([arch], self)
        self.check(one)
        _checked(shape, classes)
        from tierwise.spaces.stereo_networks import network

        return network([(net.cell(one.genes)[0], net.path(one.genes)[0]) for net in NETS], classes, shape)

    def format(self, archs: Architectures) -> list[str]:
        """``conv3x3 skip_connect conv3x3 @ same coarser | ...``: the edges of the cell by target and source, and the
        steps; feature network, then matching network.
        """
        return [" | ".join(net.text(row[net.genes]) for net in NETS) for row in archs.genes.tolist()]

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``; also ``"stereo/gene-gene-..."``. Raises BadArchitecture."""
        if text.startswith(f"{self.name}/") or "@" not in text:
            return super().parse(text)
        parts = text.split("|")
        if len(parts) != len(NETS):
            raise BadArchitecture(text, "a feature network and a matching network, with | between them")
        return Architecture(self.name, tuple(g for net, part in zip(NETS, parts, strict=True) for g in net.parse(part)))

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.shape, self.disparities


def _checked(shape: Shape, disparities: int) -> tuple[Shape, int]:
    """Raises BadSetting."""
    sides = 2**RESOLUTIONS
    if len(shape) != 3 or shape[0] != 2 or any(side < sides or side % 2 for side in shape[1:]):
        raise BadSetting("shape", shape, f"(2, height, width) of two views, sides even and {sides} or more")
    if disparities < 3 or disparities % 2 == 0:
        raise BadSetting("disparities", disparities, "an odd number, 3 or more: 0 to the largest, which is even")
    return tuple(int(side) for side in shape), disparities
