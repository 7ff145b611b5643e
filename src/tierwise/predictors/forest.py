"""A random forest on the columns of some encodings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.predictors.encoded import ENCODINGS, EncodedPredictor, Encodings, Matrix, normal_scores
from tierwise.predictors.regressors import ForestRegressor


class Forest(EncodedPredictor):
    """A forest of regression trees (of scikit-learn): the mean scores, the spread is the standard deviation.

    Labels count by their rank (normal scores). A saved forest is its features and labels, and is grown again.

    encodings: names of the registered encodings, side by side; costs are left out where the space has none.
    trees: how many. extra: extremely randomised trees on all labels instead of a random forest on resampled ones.
    max_features: share of the columns that a split may choose from. min_leaf: fewest labels in a leaf.
    seed: decides samples, columns and thresholds.

    Fitted: ``forest_``.
    From: Breiman, "Random Forests" (2001), and Geurts et al., "Extremely Randomized Trees" (2006). As a predictor of
    architectures: White et al., "How Powerful are Performance Predictors in Neural Architecture Search?" (2021).
    Ranks in place of labels are ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> Forest(trees=20).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    gives_std = True

    def __init__(
        self,
        *,
        encodings: Encodings = ENCODINGS,
        trees: int = 300,
        extra: bool = True,
        max_features: float = 0.5,
        min_leaf: int = 1,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.trees = trees
        self.extra = extra
        self.max_features = max_features
        self.min_leaf = min_leaf
        self.seed = seed

    def _forest(self) -> ForestRegressor:
        if min(self.trees, self.min_leaf) < 1 or not 0 < self.max_features <= 1:
            given = (self.trees, self.min_leaf, self.max_features)
            raise BadSetting("trees, min_leaf and max_features", given, "at least 1, at least 1, and a share up to 1.0")
        return ForestRegressor(self.trees, self.extra, float(self.max_features), self.min_leaf, self.seed)

    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        self.forest_ = self._forest().fit(x, normal_scores(y))

    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        return self.forest_.predict_std(x)

    def _learnt(self) -> dict[str, NDArray[Any]]:
        return self.forest_.state()

    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.forest_ = self._forest().restore(state)
