"""Reading lines of text: networks of the space ``textline``, trained on rendered lines.

Zhang, Yao, Kwok and Bai, "Searching a High Performance Feature Extractor for Text Recognition Network" (TREFE, 2023),
in small.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from tierwise.evaluators.dataset import Arrays
from tierwise.networks.textline import ctc_loss, edit_distance, read
from tierwise.spaces.textline import TextLineSpace
from tierwise.tasks.task import Parts, Schedule, Task, as_arrays, sizes
from tierwise.tasks.text_lines import ALPHABET, text_lines

SHAPE = (1, 16, 48)

SCHEDULE = Schedule(epochs=8, batch=32, rate=0.008)


class TextLine(Task):
    """metrics: characters, 100 less the character error rate; cer, that rate: edit distance by length, percent, of all
    lines together.

    train, validation, test: how many lines. Raises BadSetting, MissingExtra.
    """

    name = "textline"
    metrics = ("characters", "cer")
    space: TextLineSpace  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, train: int = 1200, validation: int = 300, test: int = 600, schedule: Schedule = SCHEDULE):
        sizes(train=train, validation=validation, test=test)
        super().__init__(TextLineSpace(SHAPE, len(ALPHABET)), len(ALPHABET), SHAPE, schedule)
        self.lines = train, validation, test

    def parts(self) -> Parts:
        """Images, codes of characters."""
        return _parts(self.lines)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Connectionist temporal classification."""
        return ctc_loss(output, target)

    def scores(self, output: Tensor, target: Tensor) -> dict[str, float]:
        """Character error rate of the likeliest code of every column."""
        cer = character_error_rate(read(output), [[code for code in row if code] for row in target.tolist()])
        return {"characters": 100 - cer, "cer": cer}


def character_error_rate(seen: list[list[int]], truth: list[list[int]]) -> float:
    """Percent; may be more than 100 where more is read than is there."""
    wrong = sum(edit_distance(a, b) for a, b in zip(seen, truth, strict=True))
    return 100 * wrong / sum(map(len, truth))


def load(
    train: int = 1200, validation: int = 300, test: int = 600, training: Mapping[str, Any] | None = None
) -> TextLine:
    """The task. training: epochs, batch, rate or decay of its `Schedule`. Raises BadSetting, UnknownName."""
    return TextLine(train, validation, test, SCHEDULE.changed(training))


@functools.cache
def _parts(lines: tuple[int, ...]) -> Parts:
    def made(part: int) -> Arrays:
        drawn = text_lines(lines[part], np.random.default_rng(part), height=SHAPE[1], width=SHAPE[2])
        return as_arrays(drawn.images, drawn.labels)

    return Parts(made(0), made(1), made(2))
