"""NAS-Bench-201's cell space: 15,625 cells in the official order, with the costs of every operation.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020).
Cost rules: Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker" (2022), one multiply-add = 1 FLOP.
"""

from __future__ import annotations

import functools
import random
import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, UnknownName
from tierwise.space import Shape
from tierwise.spaces.building import need_torch
from tierwise.spaces.edges import Edges

if TYPE_CHECKING:
    from torch import nn

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EXAMPLE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
CELLS_PER_STAGE = 5
WIDTHS = (16, 32, 64)
_TOKEN = re.compile(r"([A-Za-z0-9_]+)~(\d)")


@functools.cache
def _official_order() -> NDArray[np.int64]:
    """Radix number of the cell at each official index: the benchmark's authors shuffled the full list once, seed 88."""
    order = list(range(len(OPS) ** 6))
    random.Random(88).shuffle(order)
    return np.array(order, dtype=np.int64)


class NASBench201(Edges):
    """The 15,625 cells: 4 nodes, 6 edges, 5 operations; ``index`` is the official index."""

    def __init__(self) -> None:
        super().__init__("nasbench201", 4, OPS, zero="none", identity="skip_connect", shared=("avg_pool_3x3",))

    def enumerate(self) -> Architectures:
        """All cells (of a narrowed space: those left) in the official order."""
        if "all" not in self._cache:
            every = Architectures(self, _official_order()[:, None] // self._place_values() % len(OPS))
            self._cache["all"] = every[self.contains(every)]
        return self._cache["all"]

    def index(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) official index (in a narrowed space: position among those left), -1 for what is outside."""
        if "position" not in self._cache:
            position = np.full(len(OPS) ** 6, -1, dtype=np.int64)
            members = self.enumerate().genes @ self._place_values()
            position[members] = np.arange(len(members))
            self._cache["position"] = position
        known = ((archs.genes >= 0) & (archs.genes < len(OPS))).all(1)
        number = np.clip(archs.genes, 0, len(OPS) - 1) @ self._place_values()
        return np.where(known, self._cache["position"][number], -1)

    def format(self, archs: Architectures) -> list[str]:
        """The official strings, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        names = np.array(OPS)[archs.genes]
        return ["|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*row) for row in names]

    def parse(self, text: str) -> Architecture:
        """An official string, an official index ("6111") or "nasbench201/3-0-2-1-3-3". Raises BadArchitecture."""
        given = text.strip()
        if given.isascii() and given.isdigit():
            if len(given) > 5 or int(given) >= len(OPS) ** 6:
                raise BadArchitecture(text, "an official index is 0 to 15624")
            genes = _official_order()[int(given)] // self._place_values() % len(OPS)
            return Architecture(self.name, tuple(genes.tolist()))
        if "|" not in given:
            return super().parse(given)
        tokens = _TOKEN.findall(given)
        shape_of = [f"{op}~{i}" for op, i in tokens]
        if [int(i) for _, i in tokens] != [i for i, _ in self.edges] or given != _assemble(shape_of):
            raise BadArchitecture(text, f"expected the form {EXAMPLE}")
        for op, _ in tokens:
            if op not in OPS:
                raise BadArchitecture(text, str(UnknownName("operation", op, OPS)))
        return Architecture(self.name, tuple(OPS.index(op) for op, _ in tokens))

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 15, 4, 4, 2) FLOPs and parameters of every edge in each of the 15 searched cells; `classes` has no
        part.
        """
        per_edge = _edge_costs(shape)[:, archs.genes]  # (3 stages, n, 6 edges, 2)
        per_cell = np.repeat(np.moveaxis(per_edge, 0, 1), CELLS_PER_STAGE, axis=1)
        full = np.zeros((*per_cell.shape[:2], 4, 4, 2), dtype=np.int64)
        for gene, (i, j) in enumerate(self.edges):
            full[:, :, i, j] = per_cell[:, :, gene]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the whole network: cells, stem, reduction blocks and classifier."""
        searched = _edge_costs(shape)[:, archs.genes].sum((0, 2)) * CELLS_PER_STAGE
        return searched + np.array(_skeleton_costs(classes, shape))

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch. Raises BadArchitecture, BadSetting, MissingExtra."""
        need_torch()
        from tierwise.networks.nasbench201 import Network

        self.check(Architectures.of([arch], self))
        _area(shape, 0)
        return Network([OPS[gene] for gene in arch.genes], classes, shape[0])


def _edge_costs(shape: Shape) -> NDArray[np.int64]:
    """(3 stages, 5 ops, 2) FLOPs and parameters of one edge: a convolution with its batch norm, everything else
    free.
    """
    table = np.zeros((len(WIDTHS), len(OPS), 2), dtype=np.int64)
    for stage, width in enumerate(WIDTHS):
        area = _area(shape, stage)
        for op, kernel in (("nor_conv_1x1", 1), ("nor_conv_3x3", 3)):
            weights = kernel * kernel * width * width
            table[stage, OPS.index(op)] = weights * area + 2 * width * area, weights + 2 * width
    return table


def _skeleton_costs(classes: int, shape: Shape) -> tuple[int, int]:
    """FLOPs and parameters of everything around the searched cells."""
    channels, stem, last = shape[0], WIDTHS[0], WIDTHS[-1]
    flops = 9 * channels * stem * _area(shape, 0) + 2 * stem * _area(shape, 0)
    params = 9 * channels * stem + 2 * stem
    for stage in (
        1,
        2,
    ):  # reduction: two 3x3 convolutions with batch norm, beside them a (free) pool and a 1x1 convolution
        before, width, area = WIDTHS[stage - 1], WIDTHS[stage], _area(shape, stage)
        weights = 9 * before * width + 9 * width * width + before * width
        flops += weights * area + 4 * width * area
        params += weights + 4 * width
    flops += 2 * last * _area(shape, 2) + last * _area(shape, 2) + last * classes
    return flops, params + 2 * last + last * classes + classes


def _area(shape: Shape, stage: int) -> int:
    if len(shape) != 3 or min(shape) < 1 or shape[1] % 4 or shape[2] % 4:
        raise BadSetting("shape", shape, "channels, height, width with height and width divisible by 4")
    return (shape[1] >> stage) * (shape[2] >> stage)


def _assemble(tokens: list[str]) -> str:
    groups = (tokens[0:1], tokens[1:3], tokens[3:6])
    return "+".join("|" + "|".join(group) + "|" for group in groups)
