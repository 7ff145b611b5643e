"""A Gaussian process on the columns of some encodings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, Matern, WhiteKernel

from tierwise.errors import BadSetting
from tierwise.predictors.encoded import ENCODINGS, EncodedPredictor, Encodings, Matrix, normal_scores

KERNELS = {"matern": 2.5, "rbf": None}


class GaussianProcess(EncodedPredictor):
    """Gaussian process regression (of scikit-learn): scores and how sure it is of them.

    Labels count by their rank (normal scores), columns are standardised. Amplitude, length scale and noise maximise
    the marginal likelihood of at most `most` labels; all labels are conditioned on.

    encodings: names of the registered encodings, side by side; costs are left out where the space has none.
    kernel: "matern" (5/2) or "rbf", with one length scale, plus white noise.
    restarts: further starts of the search for the likeliest kernel. most: labels in that search; time grows with
    their third power. seed: decides restarts and which labels those are.

    Fitted: ``process_``, ``theta_`` (log amplitude, length scale and noise).
    From: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006). On path encodings it is a
    predictor of White et al., "How Powerful are Performance Predictors in Neural Architecture Search?" (2021); the
    ranks in place of labels are ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> scores, std = GaussianProcess().fit(archs, (archs.genes == 3).sum(1)).predict(archs, return_std=True)
    >>> scores.shape, bool((std > 0).all())
    ((40,), True)
    """

    gives_std = True

    def __init__(
        self,
        *,
        encodings: Encodings = ENCODINGS,
        kernel: str = "matern",
        restarts: int = 0,
        most: int = 800,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.kernel = kernel
        self.restarts = restarts
        self.most = most
        self.seed = seed

    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        if self.kernel not in KERNELS:
            raise BadSetting("kernel", self.kernel, " or ".join(f'"{name}"' for name in KERNELS))
        if self.most < 4 or self.restarts < 0:
            raise BadSetting("most and restarts", (self.most, self.restarts), "at least 4 and at least 0")
        self._centre, self._scale = _standards(x)
        self._x, self._y = self._standardised(x), normal_scores(y)
        pick = np.random.default_rng(self.seed).permutation(len(y))[: self.most]
        searched = GaussianProcessRegressor(
            self._start(), alpha=1e-8, n_restarts_optimizer=self.restarts, random_state=self.seed
        )
        with warnings.catch_warnings():
            # labels without noise or without any order leave the likeliest noise at an end of its range, as it should
            warnings.simplefilter("ignore", ConvergenceWarning)
            searched.fit(self._x[pick], self._y[pick])
        self._condition(np.asarray(cast(Kernel, searched.kernel_).theta))

    def _start(self) -> Kernel:
        length = np.sqrt(max(self._x.shape[1], 1))  # a typical distance of standardised rows
        bounds = (1e-2 * length, 1e2 * length)
        smoothness = KERNELS[self.kernel]
        shape = RBF(length, bounds) if smoothness is None else Matern(length, bounds, nu=smoothness)
        return ConstantKernel(1.0, (1e-2, 1e3)) * shape + WhiteKernel(0.1, (1e-4, 2.0))

    def _condition(self, theta: NDArray[np.float64]) -> None:
        """On all labels, with a kernel that is known."""
        self.theta_ = theta
        kernel = self._start().clone_with_theta(theta)
        self.process_ = GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=cast(Any, None)).fit(self._x, self._y)

    def _standardised(self, x: Matrix) -> Matrix:
        return (x.astype(np.float64) - self._centre) / self._scale

    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        return cast(tuple[Matrix, Matrix], self.process_.predict(self._standardised(x), return_std=True))

    def _learnt(self) -> dict[str, NDArray[Any]]:
        return {"x": self._x, "y": self._y, "centre": self._centre, "scale": self._scale, "theta": self.theta_}

    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._x, self._y, self._centre, self._scale = (state[name] for name in ("x", "y", "centre", "scale"))
        self._condition(state["theta"])


def _standards(x: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(d,) mean and standard deviation of each column; 1 for a column that never changes."""
    wide = x.astype(np.float64)
    spread = wide.std(0)
    return wide.mean(0), np.where(spread > 1e-6 * np.abs(wide).max(0), spread, 1.0)
