"""Stereo matching: networks of the space ``stereo``, trained on random-dot pairs with known disparities.

Cheng et al., "Hierarchical Neural Architecture Search for Deep Stereo Matching" (LEAStereo, 2020), in small.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.spaces.stereo import StereoSpace
from tierwise.tasks.random_dots import random_dots
from tierwise.tasks.task import Parts, Schedule, Task, as_arrays, sizes

SHAPE, DISPARITIES = (2, 24, 48), 9
RIGHT = 1.0  # pixels: a disparity off by less is right

SCHEDULE = Schedule(epochs=8, batch=16, rate=0.01)


class Stereo(Task):
    """metrics: negative_epe, the end-point error (mean distance, in pixels, of the disparity of every pixel of the left
    view) with its sign turned; epe; right, percent of pixels that are off by less than one.

    train, validation, test: how many pairs. Raises BadSetting.
    """

    name = "stereo"
    metrics = ("negative_epe", "epe", "right")
    space: StereoSpace  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, train: int = 256, validation: int = 128, test: int = 256, schedule: Schedule = SCHEDULE):
        sizes(train=train, validation=validation, test=test)
        super().__init__(StereoSpace(SHAPE, DISPARITIES), DISPARITIES, SHAPE, schedule)
        self.pairs = train, validation, test

    def parts(self) -> Parts:
        """Pairs of views, disparities (h, w)."""
        return _parts(self.pairs)

    def splits(self) -> Splits:
        """The same for a search in a supernet."""
        parts = self.parts()
        return Splits(parts.train, parts.validation, parts.test)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Smooth L1, in pixels."""
        return nn.functional.smooth_l1_loss(output, target)

    def scores(self, output: Tensor, target: Tensor) -> dict[str, float]:
        """End-point error and right pixels."""
        off = (output - target).abs()
        epe = float(off.mean())
        return {"negative_epe": -epe, "epe": epe, "right": float((off < RIGHT).float().mean() * 100)}


def load(train: int = 256, validation: int = 128, test: int = 256, training: Mapping[str, Any] | None = None) -> Stereo:
    """The task. training: epochs, batch, rate or decay of its `Schedule`. Raises BadSetting, UnknownName."""
    return Stereo(train, validation, test, SCHEDULE.changed(training))


@functools.cache
def _parts(pairs: tuple[int, ...]) -> Parts:
    def made(part: int) -> Arrays:
        drawn = random_dots(
            pairs[part], np.random.default_rng(part), height=SHAPE[1], width=SHAPE[2], most=DISPARITIES - 1
        )
        return as_arrays(drawn.views, drawn.disparity)

    return Parts(made(0), made(1), made(2))
