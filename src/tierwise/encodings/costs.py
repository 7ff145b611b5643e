"""Whole-network costs, one column each: usable in ``limits``, plots and pipelines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Archs
from tierwise.encoding import Encoding, batch
from tierwise.space import Shape, Space


class _Total(Encoding):
    column: int

    def __init__(self, classes: int = 10, shape: Shape = (3, 32, 32)):
        self.classes = classes
        self.shape = shape

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """(n, 1)"""
        totals = batch(archs).space.totals(batch(archs), classes=self.classes, shape=self.shape)
        return totals[:, [self.column]].astype(np.float32)

    def feature_names(self, space: Space) -> list[str]:
        """FLOPs or parameters."""
        return [("FLOPs", "parameters")[self.column]]


class FLOPs(_Total):
    """FLOPs of the full network for `classes` outputs and images of `shape` (channels, height, width)."""

    column = 0


class Params(_Total):
    """Trainable parameters of the full network for `classes` outputs and images of `shape`."""

    column = 1
