"""What a predictor is tried on: labelled architectures to fit it on, and others to predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.predictor import Predictor
from tierwise.space import Space
from tierwise.testing.suite import distinct, global_random_state, option_counts


@dataclass(frozen=True)
class Again:
    """What a second fit of equal seed was given, as it is afterwards, what it scored, and whether it took a random
    number that it was not given.
    """

    archs: Architectures
    y: NDArray[np.float64]
    scores: NDArray[Any]
    drew: bool


class PredictorCase:
    """The predictor under test, labelled architectures to fit it on, and others to predict."""

    def __init__(self, make: Callable[[], Predictor], space: Space, labels: int, op: str, least_tau: float):
        archs = distinct(space, labels + 400, np.random.default_rng(0))
        labels = min(labels, len(archs) // 2)
        self.make, self.space, self.least_tau = make, space, least_tau
        self.op, self._labels, self._archs = op, labels, archs

    # new ones each time, so that a predictor which spoils its input is found by one check alone
    @property
    def train(self) -> Architectures:
        """What it learns from."""
        return Architectures(self.space, self._archs.genes[: self._labels].copy())

    @property
    def rest(self) -> Architectures:
        """What it has not seen."""
        return Architectures(self.space, self._archs.genes[self._labels :].copy())

    @property
    def y(self) -> NDArray[np.float64]:
        """The labels of `train`."""
        return self.count(self.train)

    def count(self, archs: Architectures) -> NDArray[np.float64]:
        """How many choices of each row pick the op: an easy thing to learn."""
        return option_counts(archs, self.op).astype(np.float64)

    def fit(self) -> Predictor:
        """A new one, fitted."""
        return self.make().fit(self.train, self.y)

    @cached_property
    def fitted(self) -> Predictor:
        """One for all the checks that only look."""
        return self.fit()

    @cached_property
    def again(self) -> Again:
        """For the checks of a second fit, which costs as much as all that they look at."""
        _ = self.fitted  # whatever is loaded at the first use is there now
        archs, y, rest, before = self.train, self.y, self.rest, global_random_state()
        fitted = self.make().fit(archs, y)
        fitted.predict(archs)
        scores = np.asarray(fitted.predict(rest))
        return Again(archs, y, scores, global_random_state() != before)

    @cached_property
    def scores(self) -> NDArray[Any]:
        """(n,) of `rest`."""
        return np.asarray(self.fitted.predict(self.rest))
