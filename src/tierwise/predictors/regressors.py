"""Regressors on a feature matrix that are saved as plain arrays: a forest, boosted trees, a perceptron."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from tierwise.errors import MissingExtra

Matrix = NDArray[np.floating[Any]]
State = dict[str, NDArray[Any]]


class Regressor(ABC):
    """Learns from (n, d) features and (n,) labels, scores (m, d) features; its state is a few arrays."""

    @abstractmethod
    def fit(self, x: Matrix, y: NDArray[np.float64]) -> Self:
        """Learn."""

    @abstractmethod
    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """(m,) scores."""

    @abstractmethod
    def state(self) -> State:
        """What it has learnt."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of ``state``."""


class ForestRegressor(Regressor):
    """A random forest, or extremely randomised trees (of scikit-learn).

    Its state is what it was fitted on: equal features, labels and seed grow equal trees again.
    """

    def __init__(self, trees: int, extra: bool, max_features: float, min_leaf: int, seed: int):
        kind = ExtraTreesRegressor if extra else RandomForestRegressor
        self._forest: Any = kind(
            n_estimators=trees, max_features=max_features, min_samples_leaf=min_leaf, random_state=seed, n_jobs=1
        )

    def fit(self, x: Matrix, y: NDArray[np.float64]) -> Self:
        """Learn."""
        self._x, self._y = x.astype(np.float32), y
        self._forest.fit(self._x, y)
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """(m,) mean over the trees."""
        return self._forest.predict(x)

    def predict_std(self, x: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(m,) mean and standard deviation over the trees."""
        x = x.astype(np.float32)
        total, squares = np.zeros(len(x)), np.zeros(len(x))
        for tree in self._forest.estimators_:
            leaf = tree.tree_.predict(x)[:, 0]
            total += leaf
            squares += leaf**2
        mean = total / len(self._forest.estimators_)
        return mean, np.sqrt(np.maximum(squares / len(self._forest.estimators_) - mean**2, 0.0))

    def state(self) -> State:
        """The features and labels."""
        return {"x": self._x, "y": self._y}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """Grown again."""
        return self.fit(state["x"], state["y"])


class BoostedRegressor(Regressor):
    """Gradient boosted trees (of LightGBM); its state is LightGBM's model text. Raises MissingExtra."""

    def __init__(self, settings: Mapping[str, Any]):
        self._lightgbm, self._settings = lightgbm_for("boosted trees"), settings

    def fit(self, x: Matrix, y: NDArray[np.float64]) -> Self:
        """Learn."""
        trees = self._lightgbm.LGBMRegressor(n_jobs=1, verbose=-1, **self._settings).fit(x.astype(np.float32), y)
        return self._read(trees.booster_.model_to_string())

    def _read(self, text: str) -> Self:
        self._text, self._trees = text, read_booster(text)
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """(m,) sums over the trees."""
        return np.asarray(self._trees.predict(x.astype(np.float32), num_threads=1), dtype=np.float64)

    def state(self) -> State:
        """The model text."""
        return {"text": np.array(self._text)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """The same trees."""
        return self._read(str(state["text"]))


class PerceptronRegressor(Regressor):
    """A multilayer perceptron with rectified units (of scikit-learn) on standardised columns; saved as its weights."""

    def __init__(self, hidden: tuple[int, ...], iterations: int, seed: int):
        self._network = MLPRegressor(hidden_layer_sizes=hidden, max_iter=iterations, random_state=seed)

    def fit(self, x: Matrix, y: NDArray[np.float64]) -> Self:
        """Learn."""
        wide = x.astype(np.float64)
        spread = wide.std(0)
        self._centre = wide.mean(0)
        self._scale = np.where(spread > 1e-6 * np.abs(wide).max(0), spread, 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is a setting
            self._network.fit((wide - self._centre) / self._scale, y)
        weights = zip(self._network.coefs_, self._network.intercepts_, strict=True)
        self._layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in weights]
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """(m,) outputs."""
        value = ((x.astype(np.float64) - self._centre) / self._scale).astype(np.float32)
        for depth, (weight, bias) in enumerate(self._layers, start=1):
            value = value @ weight + bias
            value = np.maximum(value, 0) if depth < len(self._layers) else value
        return value[:, 0].astype(np.float64)

    def state(self) -> State:
        """Weights, offsets and the scale of the columns."""
        layers = {f"{part}{k}": w for k, pair in enumerate(self._layers) for part, w in zip("wb", pair, strict=True)}
        return {"centre": self._centre, "scale": self._scale, **layers}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """The same weights."""
        self._centre, self._scale = state["centre"], state["scale"]
        count = sum(name.startswith("w") for name in state)
        self._layers = [(state[f"w{k}"], state[f"b{k}"]) for k in range(count)]
        return self


def lightgbm_for(what: str) -> Any:
    """The module lightgbm. Raises MissingExtra, naming `what` needs it."""
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra(what, "lightgbm", "trees") from error
    return lightgbm


def read_booster(text: str) -> Any:
    """LightGBM's trees from its model text. Raises MissingExtra, and ValueError for text that is none."""
    lightgbm = lightgbm_for("a saved model of boosted trees")
    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(f"not a model of LightGBM: {error}") from error
