"""A network of one layer after another."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tierwise.networks.skeleton import classifier, stem


def chain_network(
    layers: Sequence[nn.Module], entering: int, first: int, leaving: int, classes: int, dims: int
) -> nn.Sequential:
    """Layers in a row, then the mean over all places and a classifier.

    entering: channels of an input. first: channels that the first layer reads; where they are others, a stem brings the
    input to them. leaving: channels behind the last layer. dims: 2 for images, 1 for signals, 0 for vectors.
    """
    before = [] if first == entering else [stem(entering, first, 1, dims, active=True)]
    return nn.Sequential(*before, *layers, classifier(leaving, classes, dims, active=False))
