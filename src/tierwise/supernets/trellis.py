"""Two levels at once: what is in a cell, and at which resolution each layer works.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image Segmentation" (2019), and Cheng et
al., "Hierarchical Neural Architecture Search for Deep Stereo Matching" (LEAStereo, 2020).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.networks.operations import Place, convolution, layer
from tierwise.networks.skeleton import classifier, stem
from tierwise.space import Choice, Shape
from tierwise.spaces.building import shrunk
from tierwise.spaces.cell_networks import Placed
from tierwise.spaces.edges import Edges
from tierwise.supernets.cells import MixedCell, edge_candidates
from tierwise.supernets.supernet import Supernet

_STEPS = {"finer": -1, "same": 0, "coarser": 1}


class Trellis(Supernet):
    """A grid of cells, layers by resolutions; a network is a way through it, one cell a layer.

    space:    the cell; all cells of the grid share its choices.
    layers, resolutions, channels: of the grid; each resolution after the first has half the height and width, or
        length, and twice the `channels`.
    Choices: those of the cell, then "layer/resolution", whether the way goes on finer, the same or coarser: weights are
    those of leaving a cell, as in Auto-DeepLab. It begins at the finest resolution of layer 0 and may end anywhere.

    For classification, ours: every resolution of the last layer has a classifier, and their scores are weighted by the
    chance of arriving there; a cell reads the weighted sum of what arrives, where the authors have a cell for each of
    two inputs. Raises BadSetting.
    """

    def __init__(self, space: Edges, *, classes: int, shape: Shape, layers: int, resolutions: int, channels: int):
        super().__init__()
        if layers < 1 or resolutions < 1 or channels < 1:
            raise BadSetting("trellis", f"{layers} layers, {resolutions} resolutions", "1 or more of each")
        if len(shape) not in (2, 3) or min(shape[1:]) < 2 ** (resolutions - 1):
            raise BadSetting("shape", shape, f"images or signals of at least {2 ** (resolutions - 1)} a side")
        self.layers, self.dims, self.edges = layers, len(shape) - 1, len(space.edges)
        self.nodes = [(k, r) for k in range(layers) for r in range(min(k + 1, resolutions))]
        self.leaving = [node for node in self.nodes if node[0] < layers - 1]
        self.ways = {node: _ways(node[1], resolutions) for node in self.leaving}
        paths = tuple(Choice(f"{k}/{r}", tuple(self.ways[k, r])) for k, r in self.leaving)
        self.choices = (*space.choices, *paths)
        self.sites = (*(e for _ in self.nodes for e in range(self.edges)), *range(self.edges, len(self.choices)))
        places = [Placed(layers, 1, (channels, *shape[1:]))]
        for _ in range(1, resolutions):
            wider = 2 * places[-1].shape[0]
            places.append(Placed(layers, 2, (wider, *shrunk(places[-1].shape, 2)[1:])))
        self.stem = stem(shape[0], channels, 1, self.dims, active=False)
        self.cells = nn.ModuleDict(
            {_name(n): MixedCell(space.nodes, space.edges, edge_candidates(space, places[n[1]])) for n in self.nodes}
        )
        self.moves = nn.ModuleDict(
            {
                f"{_name(node)}-{way}": _Move(places[node[1]].shape, places[node[1] + step].shape)
                for node in self.leaving
                for way, step in self.ways[node].items()
            }
        )
        ends = [r for k, r in self.nodes if k == layers - 1]
        self.ends = nn.ModuleList(classifier(places[r].shape[0], classes, self.dims, active=True) for r in ends)

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores. A cell that nothing arrives at is not computed."""
        inner, own = len(self.nodes) * self.edges, dict(zip(self.nodes, range(len(self.nodes)), strict=True))
        ways = dict(zip(self.leaving, weights[inner:], strict=True))
        arriving: dict[tuple[int, int], Tensor] = {(0, 0): self.stem(x)}
        chance: dict[tuple[int, int], Tensor] = {(0, 0): torch.ones((), device=x.device)}
        for node in self.nodes:
            if node not in arriving:
                continue
            first = own[node] * self.edges
            value = self.cells[_name(node)](arriving[node], weights[first : first + self.edges])
            arriving[node] = value
            for (way, step), weight in zip(self.ways.get(node, {}).items(), ways.get(node, ()), strict=True):
                if weight.detach().item():
                    target, moved = (node[0] + 1, node[1] + step), weight * self.moves[f"{_name(node)}-{way}"](value)
                    arriving[target] = arriving[target] + moved if target in arriving else moved
                    chance[target] = chance.get(target, 0) + weight * chance[node]
        ends = [(node, end) for node, end in zip(self.nodes[-len(self.ends) :], self.ends, strict=True)]
        return torch.stack([chance[node] * end(arriving[node]) for node, end in ends if node in arriving]).sum(0)

    def derived(self, weights: Sequence[Tensor]) -> tuple[int, ...]:
        """The heaviest operation of each edge, and the likeliest way (Viterbi); beside the way the likeliest step."""
        genes = [int(own.argmax()) for own in weights]
        ways = dict(zip(self.leaving, weights[self.edges :], strict=True))
        best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(0, 0): (0.0, (0,))}
        for node in self.leaving:
            so_far, path = best[node]
            for step, weight in zip(self.ways[node].values(), ways[node].log().tolist(), strict=True):
                target = (node[0] + 1, node[1] + step)
                if target not in best or so_far + weight > best[target][0]:
                    best[target] = (so_far + weight, (*path, target[1]))
        _, path = max(value for node, value in best.items() if node[0] == self.layers - 1)
        for k, (r, after) in enumerate(itertools.pairwise(path)):
            where = self.leaving.index((k, r))
            genes[self.edges + where] = list(self.ways[k, r].values()).index(after - r)
        return tuple(genes)

    def path(self, genes: Sequence[int]) -> tuple[int, ...]:
        """The resolution of each layer, 0 the finest, on the way of these genes."""
        path = [0]
        for k in range(self.layers - 1):
            gene = genes[self.edges + self.leaving.index((k, path[-1]))]
            path.append(path[-1] + list(self.ways[k, path[-1]].values())[gene])
        return tuple(path)


class _Move(nn.Module):
    """From one resolution to another: a rectifier, a 1x1 convolution, strided if coarser, batch norm; then nearest
    neighbours if finer. Nothing for the same resolution.
    """

    def __init__(self, before: Shape, after: Shape):
        super().__init__()
        self.size = list(after[1:]) if after[0] < before[0] else None
        place = Place(before[0], after[0], 2 if after[0] > before[0] else 1, len(before) - 1, before=True)
        self.way = nn.Identity() if before == after else layer(place, convolution(place, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the other resolution."""
        moved = self.way(maps)
        return moved if self.size is None else nn.functional.interpolate(moved, size=self.size)


def _ways(resolution: int, resolutions: int) -> dict[str, int]:
    return {way: step for way, step in _STEPS.items() if 0 <= resolution + step < resolutions}


def _name(node: tuple[int, int]) -> str:
    return f"{node[0]}-{node[1]}"
