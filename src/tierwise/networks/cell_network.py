"""A network of equal cells in stages, each stage with weights of its own and a strided reduction before it.

The skeleton is that of Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (2018), and of
the benchmarks that followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tierwise.networks.operations import Place, convolution, layer
from tierwise.networks.skeleton import classifier, reduction, stem

Stages = Sequence[tuple[int, int, int]]  # of each stage: cells, channels, stride of what stands before it


def cell_network(
    stages: Stages, cell: Callable[[int], nn.Module], entering: int, classes: int, dims: int
) -> nn.Sequential:
    """Stem, stages of cells with a reduction between, batch norm, rectifier, mean, classifier.

    cell: makes a cell of stage 0, 1, ... entering: channels of an input (n, entering, height, width), (n, entering,
    length) or (n, entering). dims: 2, 1 or 0 of these.
    """
    layers: list[nn.Module] = []
    before = entering
    for k, (cells, channels, stride) in enumerate(stages):
        if k:
            layers.append(reduction(before, channels, stride, dims))
        else:
            layers.append(stem(before, channels, stride, dims, active=False))  # cells begin with a rectifier
        layers += [cell(k) for _ in range(cells)]
        before = channels
    return nn.Sequential(*layers, classifier(before, classes, dims, active=True))


class EdgeCell(nn.Module):
    """Feature sums joined by operations: node 0 is the input, the last of `nodes` the output.

    operations: source, target and operation of each edge, by target. What nothing reaches is zero.
    """

    def __init__(self, nodes: int, operations: Sequence[tuple[int, int, nn.Module]]):
        super().__init__()
        self.last = nodes - 1
        self.edges = [(source, target) for source, target, _ in operations]
        self.operations = nn.ModuleList(made for _, _, made in operations)

    def forward(self, entering: Tensor) -> Tensor:
        """Maps of the same shape."""
        sums = {0: entering}
        for (source, target), made in zip(self.edges, self.operations, strict=True):
            term = made(sums[source])
            sums[target] = sums[target] + term if target in sums else term
        return sums[self.last] if self.last in sums else torch.zeros_like(entering)


class NodeCell(nn.Module):
    """Operations on nodes, each on the sum of what it reads; the output sums or concatenates what it reads.

    operations: number, sources and operation of each interior node, in topological order; 0 is the input.
    output: what the output reads; nothing makes zeros. projection: brings a concatenation back to the cell's width,
    None for a sum.
    """

    def __init__(
        self,
        operations: Sequence[tuple[int, Sequence[int], nn.Module]],
        output: Sequence[int],
        projection: nn.Module | None,
    ):
        super().__init__()
        self.places = [(node, list(sources)) for node, sources, _ in operations]
        self.operations = nn.ModuleList(made for _, _, made in operations)
        self.output, self.projection = list(output), projection

    def forward(self, entering: Tensor) -> Tensor:
        """Maps of the same shape."""
        values = {0: entering}
        for (node, sources), made in zip(self.places, self.operations, strict=True):
            values[node] = made(_sum([values[source] for source in sources]))
        if not self.output:
            return torch.zeros_like(entering)
        read = [values[node] for node in self.output]
        return _sum(read) if self.projection is None else self.projection(torch.cat(read, 1))


def projection(read: int, channels: int, dims: int) -> nn.Module:
    """A rectifier, a 1x1 convolution and batch norm, from `read` concatenated nodes back to the width of one."""
    place = Place(read * channels, channels, dims=dims, before=True)
    return layer(place, convolution(place, 1))


def _sum(terms: Sequence[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
