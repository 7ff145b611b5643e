"""Quick predictors in place of registered ones, and a search that is compared with random search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tierwise import Study, make, registry
from tierwise.architecture import Architectures
from tierwise.predictor import Predictor, check_labels


class Ridge(Predictor):
    """A linear model of one-hot choices: exact where labels are sums over choices."""

    def __init__(self, seed: int = 0):
        self.seed = seed

    def _columns(self, archs: Architectures) -> NDArray[np.float64]:
        return registry.make("encoding", "onehot").transform(archs).astype(np.float64)

    def fit(self, archs: Any, y: Any) -> Any:
        rows, labels = check_labels(archs, y)
        x, self.mean_ = self._columns(rows), labels.mean()
        self.weights_ = np.linalg.solve(x.T @ x + 1e-6 * np.eye(x.shape[1]), x.T @ (labels - self.mean_))
        return self

    def predict(self, archs: Any, return_std: bool = False) -> Any:
        return self._columns(archs) @ self.weights_ + self.mean_


def use_ridge(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """`name` means a Ridge from now on; the list grows by the number of labels of every fit."""
    fits: list[int] = []
    make_any = registry.make

    class Counted(Ridge):
        def fit(self, archs: Any, y: Any) -> Any:
            fits.append(len(archs))
            return super().fit(archs, y)

    def stand_in(kind: Any, wanted: str, **settings: Any) -> Any:
        return Counted(**settings) if (kind, wanted) == ("predictor", name) else make_any(kind, wanted, **settings)

    monkeypatch.setattr(registry, "make", stand_in)
    return fits


def regrets(strategy: Any, seeds: int, trials: int) -> list[float]:
    """Of the best validation accuracy found on the real NAS-Bench-201 table, one a seed."""
    data = make("benchmark", "nasbench201", dataset="cifar10")
    every = data.space.enumerate()
    most = float(np.max(data.many(every, [0] * len(every))["accuracy"]))
    found: list[float] = []
    for seed in range(seeds):
        with Study(None, data.space, strategy, data, seed=seed) as study:
            study.run(trials)
            found.append(most - float(np.max(study.history().y)))
    return found
