"""Two levels at once: what is in a cell, and at which resolution each layer works.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image Segmentation" (2019).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.networks.resolutions import resolutions as halved
from tierwise.networks.skeleton import classifier, stem
from tierwise.space import Shape
from tierwise.spaces.edges import Edges
from tierwise.supernets.grid import Grid
from tierwise.supernets.supernet import Supernet


class Trellis(Supernet):
    """A grid of cells, layers by resolutions, that classifies; a network is a way through it, one cell a layer.

    space:    the cell; all cells of the grid share its choices.
    layers, resolutions, channels: of the grid; each resolution after the first has half the height and width, or
        length, and twice the `channels`.
    Choices: those of the cell, then "layer/resolution", whether the way goes on finer, the same or coarser: weights are
    those of leaving a cell, as in Auto-DeepLab. It begins at the finest resolution of layer 0 and may end anywhere.

    Ours: every resolution of the last layer has a classifier, and their scores are weighted by the chance of arriving
    there; a cell reads the weighted sum of what arrives, where the authors have a cell for each of two inputs. Raises
    BadSetting.
    """

    def __init__(self, space: Edges, *, classes: int, shape: Shape, layers: int, resolutions: int, channels: int):
        super().__init__()
        if layers < 1 or resolutions < 1 or channels < 1:
            raise BadSetting("trellis", f"{layers} layers, {resolutions} resolutions", "1 or more of each")
        if len(shape) not in (2, 3) or min(shape[1:]) < 2 ** (resolutions - 1):
            raise BadSetting("shape", shape, f"images or signals of at least {2 ** (resolutions - 1)} a side")
        dims, scales = len(shape) - 1, halved((channels, *shape[1:]), resolutions)
        self.stem = stem(shape[0], channels, 1, dims, active=False)
        self.grid = Grid(space, layers, scales, lambda maps: classifier(maps[0], classes, dims, active=True))
        self.choices, self.sites = self.grid.choices, self.grid.sites

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores. A cell that nothing arrives at is not computed."""
        return self.grid(self.stem(x), weights)

    def derived(self, weights: Sequence[Tensor]) -> tuple[int, ...]:
        """The heaviest operation of each edge, and the likeliest way (Viterbi); beside the way the likeliest step."""
        return self.grid.derived(weights)

    def path(self, genes: Sequence[int]) -> tuple[int, ...]:
        """The resolution of each layer, 0 the finest, on the way of these genes."""
        return self.grid.path(genes)
