"""Gradient boosted trees on the columns of some encodings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.predictors.encoded import ENCODINGS, EncodedPredictor, Encodings, Matrix, normal_scores
from tierwise.predictors.regressors import BoostedRegressor


class BoostedTrees(EncodedPredictor):
    """LightGBM's regression trees, with leaves that grow with the number of labels. Needs lightgbm.

    Labels count by their rank (normal scores).

    encodings: names of the registered encodings, side by side; costs are left out where the space has none.
    trees, learning_rate: of the boosting. leaves: of a tree, or None for one of twelve labels, 4 to 31.
    seed: decides the samples of rows and columns that each tree sees.

    Fitted: ``trees_``.
    From: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (2017). As a predictor of
    architectures: Luo et al., "Accuracy Prediction with Non-neural Model for Neural Architecture Search" (2020).
    The path counts, the ranks in place of labels and the sizes are ours.
    Raises MissingExtra, BadSetting.
    """

    def __init__(
        self,
        *,
        encodings: Encodings = ENCODINGS,
        trees: int = 300,
        learning_rate: float = 0.04,
        leaves: int | None = None,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.trees = trees
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.seed = seed

    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        if self.trees < 1 or self.learning_rate <= 0 or (self.leaves is not None and self.leaves < 2):
            given = (self.trees, self.learning_rate, self.leaves)
            raise BadSetting("trees, learning_rate and leaves", given, "at least 1, more than 0, None or at least 2")
        growth = tree_growth(len(y)) | ({} if self.leaves is None else {"num_leaves": self.leaves})
        boosting = {"n_estimators": self.trees, "learning_rate": self.learning_rate, "random_state": self.seed}
        self.trees_ = BoostedRegressor(growth | boosting).fit(x, normal_scores(y))

    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        return self.trees_.predict(x), np.zeros(len(x))

    def _learnt(self) -> dict[str, NDArray[Any]]:
        return self.trees_.state()

    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.trees_ = BoostedRegressor({}).restore(state)


def tree_growth(n: int) -> dict[str, Any]:
    """LightGBM's settings of tree sizes and samples that serve n labels well, the same for every machine."""
    return {
        "num_leaves": min(31, max(4, n // 12)),
        "min_child_samples": max(3, n // 60),
        "subsample": 0.8,
        "subsample_freq": 1,
        "colsample_bytree": 0.5,
        "reg_lambda": 1.0,
        "deterministic": True,
        "force_row_wise": True,
    }
