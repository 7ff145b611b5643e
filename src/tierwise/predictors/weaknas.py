"""The weak predictors of a search that is refitted in every round, alone or as an ensemble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

from tierwise.errors import BadSetting
from tierwise.predictors.encoded import ENCODINGS, EncodedPredictor, Encodings, Matrix
from tierwise.predictors.regressors import BoostedRegressor, ForestRegressor, PerceptronRegressor, Regressor

MODELS = ("mlp", "trees", "forest")
_SURE = 1e-6  # smallest standard deviation, in that of the labels


class WeakNAS(EncodedPredictor):
    """Plain regressions on plain features: good enough to find the better part of a space, round after round.

    Labels are standardised; the mean of all members scores and their spread is the standard deviation (zero of one
    member alone). The rounds are the strategy's: fit on all labels, evaluate some of the best that are predicted.

    encodings: names of the registered encodings, side by side; costs are left out where the space has none.
    models: the kinds of members. As published: "mlp", a perceptron; "trees", boosted trees of depth 20, here of
    LightGBM (which is needed for them) in place of XGBoost; "forest", a random forest.
    members: how many of each kind, with different seeds.
    expected_improvement: score by the logarithm of the expected improvement over the best label, with a fifth of the
    standard deviation, instead of by the mean. Needs several members.
    hidden, iterations: sizes of the perceptron's layers, passes over the labels. trees: in the forest, and boosted.
    seed: decides weights, order and samples.

    Fitted: ``members_``, ``best_`` (the largest standardised label).
    From: Wu et al., "Stronger NAS with Weaker Predictors" (2021). Published are one kind at a time (one perceptron, or
    five with expected improvement) on one-hot choices: ``models=("mlp",)``, ``encodings=("onehot",)``. The default, one
    of each kind on counts over live paths, and the standardised columns of the perceptron are ours.
    Raises MissingExtra, BadSetting.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> WeakNAS(models=("forest",), trees=20).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    gives_std = True

    def __init__(
        self,
        *,
        encodings: Encodings = ENCODINGS,
        models: tuple[str, ...] = MODELS,
        members: int = 1,
        expected_improvement: bool = False,
        hidden: tuple[int, ...] = (1000, 1000, 1000, 1000),
        iterations: int = 100,
        trees: int = 1000,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.models = models
        self.members = members
        self.expected_improvement = expected_improvement
        self.hidden = hidden
        self.iterations = iterations
        self.trees = trees
        self.seed = seed

    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        standardised = (y - y.mean()) / (y.std() or 1.0)
        self.best_ = float(standardised.max())
        self.members_ = [member.fit(x, standardised) for member in self._new()]

    def _new(self) -> Iterator[Regressor]:
        """The members, not fitted."""
        unknown = [name for name in self.models if name not in MODELS]
        if unknown or not self.models:
            raise BadSetting("models", self.models, f"one or several of {', '.join(MODELS)}")
        least = 2 if self.expected_improvement and len(self.models) == 1 else 1
        if self.members < least:
            raise BadSetting("members", self.members, f"at least {least}: expected improvement needs a spread")
        if min(*self.hidden, self.iterations, self.trees, 10**9) < 1:
            given = (self.hidden, self.iterations, self.trees)
            raise BadSetting("hidden, iterations and trees", given, "at least 1 each")
        kinds = [name for name in self.models for _ in range(self.members)]
        for kind, seed in zip(kinds, np.random.SeedSequence(self.seed).generate_state(len(kinds)), strict=True):
            yield self._member(kind, int(seed) % 2**31)

    def _member(self, kind: str, seed: int) -> Regressor:
        if kind == "mlp":
            return PerceptronRegressor(self.hidden, self.iterations, seed)
        if kind == "forest":
            return ForestRegressor(self.trees, extra=False, max_features=1.0, min_leaf=1, seed=seed)
        growth = {"max_depth": 20, "num_leaves": 255, "min_child_samples": 1, "min_data_in_bin": 1, "reg_lambda": 1.0}
        sampled = {"subsample": 0.8, "subsample_freq": 1, "random_state": seed}  # without it all members were equal
        fixed = {"n_estimators": self.trees, "learning_rate": 0.3, "deterministic": True, "force_row_wise": True}
        return BoostedRegressor(growth | sampled | fixed)

    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        each = np.stack([member.predict(x) for member in self.members_])
        mean, std = each.mean(0), each.std(0)
        return (log_expected_improvement(mean, std / 5, self.best_) if self.expected_improvement else mean), std

    def _learnt(self) -> dict[str, NDArray[Any]]:
        members = enumerate(self.members_)
        arrays = {f"{k}.{name}": array for k, member in members for name, array in member.state().items()}
        return {"best": np.array(self.best_), **arrays}

    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.best_ = float(state["best"])
        self.members_: list[Regressor] = []
        for k, member in enumerate(self._new()):
            part = f"{k}."
            own = {name.removeprefix(part): array for name, array in state.items() if name.startswith(part)}
            self.members_.append(member.restore(own))


def log_expected_improvement(mean: NDArray[np.float64], std: NDArray[np.float64], best: float) -> NDArray[np.float64]:
    """(n,) log of the expected improvement over `best` of normal distributions, finite however small it is."""
    std = np.maximum(std, _SURE)
    z = (mean - best) / std
    below = np.minimum(z, 0.0)
    # of z < 0: phi(z) + z Phi(z) = phi(z) (1 + z sqrt(pi/2) erfcx(-z / sqrt 2)), which does not underflow
    rest = np.maximum(1 + below * np.sqrt(np.pi / 2) * erfcx(-below / np.sqrt(2)), 1e-300)
    low = -(below**2) / 2 - np.log(2 * np.pi) / 2 + np.log(rest)
    above = np.maximum(z, 0.0)
    high = np.log(np.exp(-(above**2) / 2) / np.sqrt(2 * np.pi) + above * ndtr(above))
    return np.log(std) + np.where(z < 0, low, high)
