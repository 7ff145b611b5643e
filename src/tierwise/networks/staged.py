"""Networks of stages in a row, each stage a small DAG of equal operations.

The DAG and its ends are those of Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces"
(2024); widths, normalised sums and the projections around them are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from tierwise.networks.operations import Place, convolution, norm
from tierwise.networks.skeleton import classifier, reduction, stem

Stages = Sequence[tuple[int, int]]  # of each stage: channels, stride of what stands before it


class DAG(nn.Module):
    """Sums joined by operations: vertex 0 is the input, the last the output; edges from the input pass it on.

    edges: (source, target) in the order of targets. operation: makes that of one edge. A sum of k terms is divided by
    the root of k, so that graphs of any form leave values of one size.
    """

    def __init__(self, edges: Sequence[tuple[int, int]], operation: Callable[[], nn.Module]):
        super().__init__()
        self.edges = sorted(edges, key=lambda edge: (edge[1], edge[0]))
        self.operations = nn.ModuleList(nn.Identity() if not source else operation() for source, _ in self.edges)

    def forward(self, entering: Tensor) -> Tensor:
        """Maps of the same shape."""
        terms: dict[int, list[Tensor]] = {}
        values = {0: entering}
        for (source, target), made in zip(self.edges, self.operations, strict=True):
            if source not in values:
                values[source] = _normalised(terms[source])
            terms.setdefault(target, []).append(made(values[source]))
        return _normalised(terms[self.edges[-1][1]])


def candidate(
    edges: Sequence[tuple[int, int]],
    operation: Callable[[], nn.Module],
    channels: int,
    width: int,
    dims: int,
    *,
    normed: bool,
) -> nn.Sequential:
    """A DAG of `width` channels inside a stage of `channels`: linear projections (1x1 convolutions) lead in and out
    where these differ. normed: batch norm comes last.
    """
    inward, outward = Place(channels, width, dims=dims), Place(width, channels, dims=dims)
    layers: list[nn.Module] = [DAG(edges, operation)]
    if width != channels:
        layers = [convolution(inward, 1), *layers, convolution(outward, 1)]
    return nn.Sequential(*layers, *([norm(dims, channels)] if normed else []))


def skeleton(stages: Stages, entering: int, classes: int, dims: int) -> tuple[list[nn.Module], nn.Module]:
    """What stands before each stage, and behind the last one.

    First a stem; before a later stage a reduction where channels or sizes change, nothing otherwise; last the mean over
    all places and a linear layer. entering: channels of an input. dims: 2 images, 1 signals, 0 vectors.
    """
    before: list[nn.Module] = []
    for channels, stride in stages:
        if not before:
            before.append(stem(entering, channels, stride, dims, active=True))
        elif channels != entering or (stride != 1 and dims):
            before.append(reduction(entering, channels, stride, dims))
        else:
            before.append(nn.Identity())
        entering = channels
    return before, classifier(entering, classes, dims, active=False)


def staged_network(before: Sequence[nn.Module], stages: Sequence[nn.Module], end: nn.Module) -> nn.Sequential:
    """Each stage behind what stands before it, then the end."""
    return nn.Sequential(*(layer for pair in zip(before, stages, strict=True) for layer in pair), end)


def _normalised(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total if len(terms) == 1 else total / math.sqrt(len(terms))
