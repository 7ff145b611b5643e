"""Boosted trees that learn which of two architectures is better, on the features that matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise.errors import BadSetting
from tierwise.predictors.boosted_trees import tree_growth
from tierwise.predictors.encoded import ENCODINGS, EncodedPredictor, Encodings, Matrix
from tierwise.predictors.regressors import lightgbm_for, read_booster

_EXCHANGES = 5  # of a column's values, whose mean loss is its importance
_FOLDS = 5
_LARGEST = 512  # labels whose pairs are all looked at in every round


class RankNAS(EncodedPredictor):
    """A score from boosted trees that is trained on pairs, after features of no importance are left out.

    As published: the score f of an architecture is a sum of boosted trees; a pair with y_i > y_j costs
    log(1 + exp(f_j - f_i)); the importance of a feature is the share of pairs that come to be in the wrong order
    once its values are exchanged between the rows. Needs lightgbm.

    encodings: names of the registered encodings, side by side; costs are left out where the space has none.
    keep: share of the importance that the columns which are kept hold together; 1.0 keeps every column that has any.
    trees, learning_rate: of the boosting. seed: decides samples, exchanges and folds.

    Fitted: ``columns_`` (those kept), ``importance_`` (of every column, loss of pairwise accuracy).
    From: Hu et al., "RankNAS: Efficient Neural Architecture Search by Pairwise Ranking" (2021).

    Where the source says nothing or is not followed:

    * Exchanges are judged on labels that the trees have not seen, by five-fold cross-validation, so that a feature
      which is only remembered is not important. Without an important feature all columns are kept.
    * Features here are columns of cells. Published are settings of transformers, whose unimportant ones are frozen
      for the search; of columns that are counted, none can be frozen, so only the ranker leaves them out.
    * Above 512 labels every round compares each row with 512 others, drawn anew.

    Raises MissingExtra, BadSetting.
    """

    def __init__(
        self,
        *,
        encodings: Encodings = ENCODINGS,
        keep: float = 0.95,
        trees: int = 200,
        learning_rate: float = 0.1,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.keep = keep
        self.trees = trees
        self.learning_rate = learning_rate
        self.seed = seed

    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        if not 0 < self.keep <= 1 or self.trees < 1 or self.learning_rate <= 0:
            given = (self.keep, self.trees, self.learning_rate)
            raise BadSetting("keep, trees and learning_rate", given, "a share up to 1.0, at least 1, more than 0")
        order = rankdata(y, method="dense")
        rng = np.random.default_rng(self.seed)
        fold = rng.permutation(len(y)) % min(_FOLDS, len(y) // 2)
        self.importance_ = np.zeros(x.shape[1])
        for held in (fold == k for k in range(fold.max() + 1)):
            trial = self._boost(x[~held], order[~held], rng)
            self.importance_ += _importance(trial, x[held], order[held], rng) / (fold.max() + 1)
        self.columns_ = _important(self.importance_, self.keep)
        self._read(self._boost(x[:, self.columns_], order, rng).model_to_string())

    def _boost(self, x: Matrix, order: NDArray[np.float64], rng: np.random.Generator) -> Any:
        """LightGBM's booster for the pairwise loss."""
        lightgbm = lightgbm_for("predictor ranknas")
        growth = tree_growth(len(order)) | {"learning_rate": self.learning_rate, "seed": self.seed}

        def objective(score: NDArray[np.float64], _: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            return pairwise_gradient(score, order, rng)

        settings = growth | {"objective": objective, "num_threads": 1, "verbosity": -1}
        names = [f"c{k}" for k in range(x.shape[1])]
        data = lightgbm.Dataset(x.astype(np.float32), order, feature_name=names, params={"verbosity": -1})
        return lightgbm.train(settings, data, num_boost_round=self.trees)

    def _read(self, text: str) -> None:
        self._text, self._trees = text, read_booster(text)

    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        score = self._trees.predict(x[:, self.columns_].astype(np.float32), num_threads=1)
        return np.asarray(score, dtype=np.float64), np.zeros(len(x))

    def _learnt(self) -> dict[str, NDArray[Any]]:
        return {"text": np.array(self._text), "columns": self.columns_, "importance": self.importance_}

    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.columns_, self.importance_ = state["columns"], state["importance"]
        self._read(str(state["text"]))


def pairwise_gradient(
    score: NDArray[np.float64], order: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) first and second derivatives, by each row's score, of the mean logistic loss of its pairs.

    order: (n,) higher better; pairs of equal order cost nothing. Above 512 rows, pairs with 512 rows drawn by `rng`.
    """
    n = len(order)
    other = np.arange(n) if n <= _LARGEST else rng.permutation(n)[:_LARGEST]
    sign = np.sign(order[:, None] - order[other])
    wrong = 1 / (1 + np.exp(np.clip(sign * (score[:, None] - score[other]), -50, 50)))
    pairs = np.maximum(np.abs(sign).sum(1), 1)
    return -(sign * wrong).sum(1) / pairs, (np.abs(sign) * wrong * (1 - wrong)).sum(1) / pairs + 1e-6


def _importance(trees: Any, x: Matrix, order: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(d,) loss of pairwise accuracy when the values of a column are exchanged between the rows, mean of some times."""
    right = _accuracy(trees.predict(x, num_threads=1), order)
    importance = np.zeros(x.shape[1])
    for column in np.flatnonzero(trees.feature_importance() > 0):  # the trees do not look at the others
        changed = np.stack([x] * _EXCHANGES)
        for copy in changed:
            copy[:, column] = rng.permutation(x[:, column])
        scores = trees.predict(changed.reshape(-1, x.shape[1]), num_threads=1).reshape(_EXCHANGES, len(x))
        importance[column] = right - np.mean([_accuracy(score, order) for score in scores])
    return importance


def _accuracy(score: NDArray[np.float64], order: NDArray[np.float64]) -> float:
    """Share of pairs with different order that the scores put the right way round, ties half."""
    first, second = np.nonzero(order[:, None] > order)
    if not len(first):
        return 0.5
    return float(0.5 + 0.5 * np.sign(score[first] - score[second]).mean())


def _important(importance: NDArray[np.float64], keep: float) -> NDArray[np.int64]:
    """The columns that hold this share of the importance, in their order; all of them if none is important."""
    useful = np.maximum(importance, 0.0)
    if not useful.any():
        return np.arange(len(importance))
    best = np.argsort(-useful, kind="stable")
    held = useful[best].cumsum() / useful.sum()
    count = min(int(np.searchsorted(held, keep - 1e-9)) + 1, int((useful > 0).sum()))
    return np.sort(best[:count])
