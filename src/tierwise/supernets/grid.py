"""A grid of mixed cells, layers by resolutions, for signals, images or volumes: a network is a way through it.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image Segmentation" (2019), and Cheng et
al., "Hierarchical Neural Architecture Search for Deep Stereo Matching" (LEAStereo, 2020).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from tierwise.networks.resolutions import Maps, Move
from tierwise.space import Choice
from tierwise.spaces.cell_networks import Placed
from tierwise.spaces.edges import Edges
from tierwise.supernets.cells import MixedCell, edge_candidates

STEPS = {"finer": -1, "same": 0, "coarser": 1}


class Grid(nn.Module):
    """A part of a supernet.

    space: the cell; all cells share its choices. layers: how many. scales: the maps of each resolution. end: what
    stands behind the last cell of a resolution; all ends give the same shape.
    choices: those of the cell, then "layer/resolution", where the way goes on from there. It begins at the finest
    resolution and may end anywhere. sites: those of each cell, then one for each of the latter, as numbers of choices.

    A cell reads the weighted sum of what arrives, and what leaves is weighted by the chance to arrive there (ours).
    """

    def __init__(self, space: Edges, layers: int, scales: Sequence[Maps], end: Callable[[Maps], nn.Module]):
        super().__init__()
        self.layers, self.edges = layers, len(space.edges)
        self.nodes = [(k, r) for k in range(layers) for r in range(min(k + 1, len(scales)))]
        self.left = [node for node in self.nodes if node[0] < layers - 1]  # those that the way goes on from
        self.ways = {node: _ways(node[1], len(scales)) for node in self.left}
        paths = (Choice(f"{k}/{r}", tuple(self.ways[k, r])) for k, r in self.left)
        self.choices = (*space.choices, *paths)
        self.sites = (*(e for _ in self.nodes for e in range(self.edges)), *range(self.edges, len(self.choices)))
        makers = [edge_candidates(space, Placed(layers, 1, maps)) for maps in scales]
        self.cells = nn.ModuleDict(
            {_name(node): MixedCell(space.nodes, space.edges, makers[node[1]]) for node in self.nodes}
        )
        self.moves = nn.ModuleDict(
            {
                f"{_name((k, r))}-{way}": Move(scales[r], scales[r + step])
                for k, r in self.left
                for way, step in self.ways[k, r].items()
            }
        )
        self.ends = nn.ModuleList(end(scales[r]) for k, r in self.nodes if k == layers - 1)

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """What the ends give. weights: one vector a site. A cell that nothing arrives at is not computed."""
        first, ways = len(self.nodes) * self.edges, dict(zip(self.left, range(len(self.left)), strict=True))
        arrived, chance = {(0, 0): x}, {(0, 0): torch.ones((), device=x.device)}
        for number, node in enumerate(self.nodes):
            if node not in arrived:
                continue
            arrived[node] = self.cells[_name(node)](
                arrived[node], weights[number * self.edges : (number + 1) * self.edges]
            )
            for way, target, weight in self._onward(node, weights[first + ways[node]] if node in ways else None):
                moved = weight * self.moves[f"{_name(node)}-{way}"](arrived[node])
                arrived[target] = arrived[target] + moved if target in arrived else moved
                chance[target] = chance.get(target, 0) + weight * chance[node]
        last = [node for node in self.nodes if node[0] == self.layers - 1]
        ends = [(node, end) for node, end in zip(last, self.ends, strict=True) if node in arrived]
        return torch.stack([chance[node] * end(arrived[node]) for node, end in ends]).sum(0)

    def _onward(self, node: tuple[int, int], weights: Tensor | None) -> Iterator[tuple[str, tuple[int, int], Tensor]]:
        """The ways on that have a weight: name, target, weight."""
        if weights is not None:
            for k, (way, step) in enumerate(self.ways[node].items()):
                if weights[k].detach().item():
                    yield way, (node[0] + 1, node[1] + step), weights[k]

    def derived(self, weights: Sequence[Tensor]) -> tuple[int, ...]:
        """Of weights, one vector a choice: the heaviest operation of each edge, and the likeliest way (Viterbi, "Error
        Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm", 1967); beside the way the
        likeliest step.
        """
        genes = [int(own.argmax()) for own in weights]
        ways = dict(zip(self.left, weights[self.edges :], strict=True))
        best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(0, 0): (0.0, (0,))}
        for node in self.left:
            so_far, path = best[node]
            for step, weight in zip(self.ways[node].values(), ways[node].double().log().tolist(), strict=True):
                target = (node[0] + 1, node[1] + step)
                if target not in best or so_far + weight > best[target][0]:
                    best[target] = (so_far + weight, (*path, target[1]))
        _, path = max(value for node, value in best.items() if node[0] == self.layers - 1)
        for k, (before, after) in enumerate(itertools.pairwise(path)):
            place = self.edges + self.left.index((k, before))
            genes[place] = list(self.ways[k, before].values()).index(after - before)
        return tuple(genes)

    def path(self, genes: Sequence[int]) -> tuple[int, ...]:
        """The resolution of each layer, 0 the finest, on the way of these genes."""
        path = [0]
        for k in range(self.layers - 1):
            gene = genes[self.edges + self.left.index((k, path[-1]))]
            path.append(path[-1] + list(self.ways[k, path[-1]].values())[gene])
        return tuple(path)


def _ways(resolution: int, resolutions: int) -> dict[str, int]:
    return {way: step for way, step in STEPS.items() if 0 <= resolution + step < resolutions}


def _name(node: tuple[int, int]) -> str:
    return f"{node[0]}-{node[1]}"
