"""When a search has reached its end."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from tierwise.columns import Columns
from tierwise.errors import BadSetting

Reasons = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """When to stop. Raises BadSetting.

    trials: finished. seconds: spent. target: a value of the objective, reached. patience: so many full evaluations
    without a better one. gain: what one more evaluation costs, in units of the objective; the strategy expected less
    of all that it proposed last.
    """

    trials: int
    seconds: float | None = None
    target: float | None = None
    patience: int | None = None
    gain: float | None = None

    def __post_init__(self) -> None:
        at_least_one(trials=self.trials)
        if self.seconds is not None and not self.seconds > 0:
            raise BadSetting("seconds", self.seconds, "more than 0")
        if self.target is not None and math.isnan(self.target):
            raise BadSetting("target", self.target, "a number")
        if self.patience is not None:
            at_least_one(patience=self.patience)
        if self.gain is not None and not self.gain >= 0:
            raise BadSetting("gain", self.gain, "0 or more, in units of the objective")

    def reasons(self, columns: Columns, interrupted: threading.Event, stopped: str | None = None) -> Reasons:
        """Why to stop now; empty while there is no reason. stopped: a person's steering row that says so."""
        reasons: Reasons = {}
        if interrupted.is_set():
            reasons["interrupted"] = True
        if stopped is not None:
            reasons["stopped"] = stopped
        if columns.told >= self.trials:
            reasons["trials"] = columns.told
        if self.seconds is not None and columns.seconds >= self.seconds:
            reasons["seconds"] = columns.seconds
        if self.target is not None and columns.best is not None and columns.best >= self.target:
            reasons["target"] = columns.best
        if self.patience is not None and columns.full - columns.best_at >= self.patience:
            reasons["no progress"] = columns.full - columns.best_at
        if self.gain is not None and (expected := _expected_gain(columns)) is not None and expected < self.gain:
            reasons["expected gain"] = expected
        return reasons


def _expected_gain(columns: Columns) -> float | None:
    """The most that the strategy expected of the trials that it asked for last; None if it did not say."""
    last = columns.rows[-1].seen if columns.rows else 0
    asked = itertools.takewhile(lambda row: row.seen == last, reversed(columns.rows))
    gains = [row.why["expected_gain"] for row in asked if "expected_gain" in row.why]
    return max(gains, default=None)


def at_least_one(**settings: Any) -> None:
    """Raises BadSetting for the first that is not a whole number of 1 or more."""
    for name, value in settings.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise BadSetting(name, value, "a whole number, 1 or more")
