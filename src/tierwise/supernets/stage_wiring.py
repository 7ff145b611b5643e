"""The second level of H-DAS: how many cells a stage has, and which reads which.

Liu, Zhong, Guo, Scott and Huang, "Unchain the Search Space with Hierarchical Differentiable Architecture Search", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.networks.cell_network import EdgeCell
from tierwise.networks.skeleton import classifier, reduction, stem
from tierwise.space import Choice, Shape
from tierwise.spaces.cell_networks import Placed
from tierwise.spaces.edges import Edges
from tierwise.spaces.network import Network
from tierwise.supernets.cells import edge_candidates
from tierwise.supernets.supernet import Supernet


class StageWiring(Supernet):
    """Stages of discrete cells whose wiring is open. Value 0 of a stage is its input, value j that of its cell j.

    space, classes, shape, network: as for `CellSupernet`; a stage has at most as many cells as `network` says.
    cells: genes of the cell of each stage, as `CellSupernet.cells` gives them.
    Choices: "stage/j/reads", which earlier value cell j reads (cell 1 reads the input), and "stage/leaves", whose
    value leaves the stage. What nothing that leaves depends on is not computed.

    Neither code nor details of the paper were at hand: one input a cell and the form of the loss on depth are ours.
    Raises BadSetting.
    """

    def __init__(
        self,
        space: Edges,
        cells: Sequence[Sequence[int]],
        *,
        classes: int,
        shape: Shape,
        network: Network | None = None,
    ):
        super().__init__()
        stages = (network or space.network or Network()).placed(shape)
        if len(cells) != len(stages):
            raise BadSetting("cells", f"cells of {len(cells)} stages", f"those of {len(stages)} stages")
        self.depths = [stage.cells for stage in stages]
        self.between, self.inside, choices = nn.ModuleList(), nn.ModuleList(), list[Choice]()
        before, dims = shape[0], len(shape) - 1
        for k, (stage, genes) in enumerate(zip(stages, cells, strict=True)):
            width = stage.shape[0]
            first = stem(before, width, stage.stride, dims, active=False)
            self.between.append(reduction(before, width, stage.stride, dims) if k else first)
            self.inside.append(nn.ModuleList(discrete_cell(space, genes, stage) for _ in range(stage.cells)))
            choices += [Choice(f"{k}/{j}/reads", tuple(map(str, range(j)))) for j in range(2, stage.cells + 1)]
            choices.append(Choice(f"{k}/leaves", tuple(map(str, range(1, stage.cells + 1)))))
            before = width
        self.last = classifier(before, classes, dims, active=True)
        self.choices, self.sites = tuple(choices), tuple(range(len(choices)))

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores."""
        first = 0
        for between, inside, depth in zip(self.between, self.inside, self.depths, strict=True):
            x = _stage(list(inside), between(x), weights[first : first + depth])  # pyright: ignore[reportArgumentType]
            first += depth
        return self.last(x)

    def expected_depth(self, weights: Sequence[Tensor]) -> Tensor:
        """(stages,) mean number of cells on the way through a stage, were every choice drawn with these weights."""
        found, first = list[Tensor](), 0
        for cells in self.depths:
            *reads, leaves = weights[first : first + cells]
            depth = [torch.zeros_like(leaves[0]), torch.ones_like(leaves[0])]
            for own in reads:
                depth.append(1 + (own * torch.stack(depth)).sum())
            found.append((leaves * torch.stack(depth[1:])).sum())
            first += cells
        return torch.stack(found)

    def depth_loss(self, strength: float) -> Callable[[Sequence[Tensor]], Tensor]:
        """A penalty for `search`: `strength` times the mean part of the cells that is not on the way."""
        most = torch.tensor(self.depths, dtype=torch.float32)
        return lambda weights: strength * (1 - self.expected_depth(weights) / most.to(weights[0].device)).mean()


def discrete_cell(space: Edges, genes: Sequence[int], stage: Placed) -> EdgeCell:
    """The cell of these genes, without the edges that are not live. Raises BadArchitecture."""
    one = Architectures(space, np.array([genes]))
    space.check(one)
    live, make = space.live(one)[0], edge_candidates(space, stage)
    kept = [(i, j, make()[genes[g]]) for g, (i, j) in enumerate(space.edges) if live[g]]
    return EdgeCell(space.nodes, kept)


def _stage(cells: Sequence[nn.Module], entering: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """What leaves. weights: which value each cell from the second on reads, and at last which leaves."""
    *reads, leaves = weights
    values: dict[int, Tensor] = {0: entering}

    def value(j: int) -> Tensor:
        if j not in values:
            values[j] = cells[j - 1](entering if j == 1 else mixed(reads[j - 2], first=0))
        return values[j]

    def mixed(own: Tensor, first: int) -> Tensor:
        live = [k for k, weight in enumerate(own.detach().tolist()) if weight]
        return torch.stack([own[k] * value(first + k) for k in live]).sum(0)

    return mixed(leaves, first=1)
