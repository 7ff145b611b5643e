"""The shape of an encoding: scikit-learn's transformer over architecture batches."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from tierwise.architecture import Architectures, Archs
from tierwise.space import Space


class Encoding(TransformerMixin, BaseEstimator):
    """Architectures to float32 features, (n, d) or (n, ...).

    An encoding with d == 1 is a proxy or a cost and may be used in ``limits``.
    """

    def fit(self, archs: Archs, y: Any = None) -> Self:
        """Nothing to learn, unless a subclass says so."""
        return self

    @abstractmethod
    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The features, one row each."""

    def feature_names(self, space: Space) -> list[str]:
        """What each column of ``transform``, laid flat, says of members of `space`; numbers where nobody says it."""
        one = self.transform(space.sample(1, np.random.default_rng(0)))
        return [f"{type(self).__name__} {k}" for k in range(1, one.size + 1)]

    def __sklearn_is_fitted__(self) -> bool:
        return True


def batch(archs: Archs) -> Architectures:
    """The batch at the door of every encoding and predictor; a bare list does not say its space."""
    return Architectures.of(archs)
