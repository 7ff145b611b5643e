"""Supernets of cells with operations on edges: the kind of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tierwise.networks.operations import Place, Zero
from tierwise.networks.skeleton import classifier, reduction, stem
from tierwise.space import Choice, Shape
from tierwise.spaces.cell_networks import Ops, Placed
from tierwise.spaces.edges import Edges
from tierwise.spaces.network import Network
from tierwise.supernets.supernet import Mixture, Supernet

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class MixedCell(nn.Module):
    """Feature sums joined by mixtures: node 0 is the input, the last of `nodes` the output.

    candidates: makes those of one edge.
    """

    def __init__(self, nodes: int, edges: Sequence[tuple[int, int]], candidates: Callable[[], Sequence[nn.Module]]):
        super().__init__()
        self.last, self.edges = nodes - 1, list(edges)
        self.mixtures = nn.ModuleList(Mixture(candidates()) for _ in edges)

    def forward(self, entering: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Maps of the same shape. weights: (candidates,) for each edge."""
        sums = {0: entering}
        for (source, target), mixture, own in zip(self.edges, self.mixtures, weights, strict=True):
            if source in sums:  # what no edge enters is zero
                term = mixture(sums[source], own)
                sums[target] = sums[target] + term if target in sums else term
        return sums[self.last] if self.last in sums else torch.zeros_like(entering)


class CellSupernet(Supernet):
    """Stem, stages of mixed cells with a strided reduction between, batch norm, rectifier, mean, classifier: every
    network that the space builds around its cells, in one.

    space:     cells with operations on edges.
    classes, shape: of the data, as for `Space.build`; images or signals.
    network:   stages, by default those of the space, and three of one cell with 16, 32 and 64 channels where it says
        nothing.
    per_stage: whether each stage has choices of its own (Liu et al., "Unchain the Search Space with Hierarchical
        Differentiable Architecture Search", 2021, with cells of DARTS), or all cells share theirs. Every cell has
        weights of its own.

    The batch norms of candidates have no scale of their own while it is searched, as in DARTS (2019): it would make up
    for any weight. Raises BadSetting.
    """

    def __init__(
        self, space: Edges, *, classes: int, shape: Shape, network: Network | None = None, per_stage: bool = False
    ):
        super().__init__()
        self.space, self.per_stage = space, per_stage
        self.stages = (network or space.network or Network()).placed(shape)
        self.edges = len(space.edges)
        first = range(len(self.stages)) if per_stage else [0]
        self.choices = tuple(
            Choice(f"{k}/{choice.path}" if per_stage else choice.path, choice.options)
            for k in first
            for choice in space.choices
        )
        self.sites = tuple(
            (k * self.edges if per_stage else 0) + edge
            for k, stage in enumerate(self.stages)
            for _ in range(stage.cells)
            for edge in range(self.edges)
        )
        self.layers = nn.ModuleList()
        self._fill(shape, classes)

    def _fill(self, shape: Shape, classes: int) -> None:
        before, dims = shape[0], len(shape) - 1
        for k, stage in enumerate(self.stages):
            channels, cell = stage.shape[0], edge_candidates(self.space, stage)
            if k:
                self.layers.append(reduction(before, channels, stage.stride, dims))
            else:
                self.layers.append(stem(before, channels, stage.stride, dims, active=False))
            self.layers.extend(MixedCell(self.space.nodes, self.space.edges, cell) for _ in range(stage.cells))
            before = channels
        self.layers.append(classifier(before, classes, dims, active=True))

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores."""
        site = 0
        for layer in self.layers:
            if isinstance(layer, MixedCell):
                x = layer(x, weights[site : site + self.edges])
                site += self.edges
            else:
                x = layer(x)
        return x

    def cells(self, genes: Sequence[int]) -> list[tuple[int, ...]]:
        """The genes, in the space, of the cell of each stage."""
        own = [tuple(genes[k : k + self.edges]) for k in range(0, len(genes), self.edges)]
        return own if self.per_stage else own * len(self.stages)


def edge_candidates(space: Edges, stage: Placed) -> Callable[[], list[nn.Module]]:
    """What makes the operations of one edge of a cell of this stage, in the order of its choice. Raises BadSetting."""
    own = {} if space.network is None else space.network.operations
    ops = Ops(space.ops, own, (space.identity_op,), space.name)
    place = Place(stage.shape[0], stage.shape[0], dims=len(stage.shape) - 1, before=True)

    def make() -> list[nn.Module]:
        return [unscaled(Zero(place) if op == space.zero_op else ops.module(op, stage.shape)) for op in space.ops]

    return make


def unscaled(candidate: nn.Module) -> nn.Module:
    """The candidate, with the scale and shift of its batch norms at 1 and 0 for good."""
    for module in candidate.modules():
        if isinstance(module, _NORMS) and module.affine:
            module.weight.requires_grad_(False)
            module.bias.requires_grad_(False)
    return candidate
