"""Several predictors as one: the weighted mean of their ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from tierwise import registry
from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadSetting
from tierwise.predictor import Predictor, check_fitted, check_labels, score_all

_STEPS = 5  # weights are multiples of a fifth
_FEWEST = 10  # labels; of fewer, all weights are equal
_REFERENCE = 1_000  # architectures of the space among which a score is ranked
_BEYOND = 0.1  # of rank, for every standard deviation beyond the best or the worst of them

Floats = NDArray[np.float64]


class Stacking(Predictor):
    """Several registered predictors, each ranking; scores are the weighted means of the ranks, 0 to 1.

    A member's score counts by its rank among its scores of 1,000 architectures of the space. The weights, multiples
    of a fifth, have the best mean Kendall's tau in a cross-validation inside the labels; among equals the most even
    ones win. All members are then fitted on all labels. The standard deviation is the weighted spread of the ranks.

    predictors: names of registered predictors, two to six, all with their defaults. folds: of the cross-validation.
    seed: decides folds, members and the architectures that are ranked among.

    Fitted: ``members_``, ``weights_``.
    From: Wolpert, "Stacked Generalization" (1992), and van der Laan et al., "Super Learner" (2007); ranks in place
    of values are ours. Raises UnknownName, BadSetting.
    """

    gives_std = True

    def __init__(self, *, predictors: tuple[str, ...] = ("gp", "forest", "trees"), folds: int = 5, seed: int = 0):
        self.predictors = predictors
        self.folds = folds
        self.seed = seed

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4."""
        rows, labels = check_labels(archs, y)
        if not 2 <= len(self.predictors) <= 6 or self.folds < 2:
            given = (self.predictors, self.folds)
            raise BadSetting("predictors and folds", given, "two to six names, and at least 2")
        rng = np.random.default_rng(self.seed)
        self.weights_ = self._weights(rows, labels, rng)
        self.members_ = [member.fit(rows, labels) for member in self._new()]
        among = rows.space.sample(_REFERENCE, rng)
        self.reference_ = np.sort(np.stack([score_all(member, among) for member in self.members_]), axis=1)
        return self

    def _new(self) -> Iterator[Predictor]:
        for name in self.predictors:
            yield cast(Predictor, registry.make("predictor", name, seed=self.seed))

    def _weights(self, rows: Architectures, y: Floats, rng: np.random.Generator) -> Floats:
        """(members,) with the best mean tau over the folds."""
        count = len(self.predictors)
        even = np.full(count, 1 / count)
        if len(y) < _FEWEST:
            return even
        tries = np.array([even, *_simplex(count)])
        tries = tries[np.argsort(((tries - even) ** 2).sum(1), kind="stable")]  # the most even ones first
        fold = rng.permutation(len(y)) % min(self.folds, len(y) // 2)
        tau = np.zeros(len(tries))
        for held in (fold == k for k in range(fold.max() + 1)):
            fitted = [member.fit(rows[~held], y[~held]) for member in self._new()]
            ranks = np.stack([rankdata(member.predict(rows[held])) for member in fitted])
            tau += [_tau(weights @ ranks, y[held]) for weights in tries]
        return tries[int(np.argmax(np.round(tau, 9)))]

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) weighted mean ranks, 1 the best; with `return_std` also their (n,) weighted standard deviations."""
        check_fitted(self, "members_")
        rows = Architectures.of(archs)
        pairs = zip(self.members_, self.reference_, strict=True)
        ranks = np.stack([_rank(np.asarray(member.predict(rows), dtype=np.float64), ref) for member, ref in pairs])
        score = self.weights_ @ ranks
        return (score, np.sqrt(self.weights_ @ (ranks - score) ** 2)) if return_std else score

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights, and what each member has learnt."""
        check_fitted(self, "members_")
        members = enumerate(self.members_)
        arrays = {f"{k}.{name}": array for k, member in members for name, array in member.state().items()}
        return {"weights": self.weights_, "reference": self.reference_, **arrays}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        members = list(self._new())
        for k, member in enumerate(members):
            part = f"{k}."
            own = {name.removeprefix(part): array for name, array in state.items() if name.startswith(part)}
            member.restore(own)
        self.weights_, self.reference_, self.members_ = state["weights"], state["reference"], members


def _simplex(count: int) -> list[tuple[float, ...]]:
    """All weights of `count` members in multiples of a fifth that sum to one."""
    shares = product(range(_STEPS + 1), repeat=count)
    return [tuple(k / _STEPS for k in each) for each in shares if sum(each) == _STEPS]


def _tau(score: Floats, y: Floats) -> float:
    """Kendall's tau; 0 where there is no order to find."""
    if np.ptp(score) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(kendalltau(score, y).statistic)  # pyright: ignore[reportAttributeAccessIssue]


def _rank(score: Floats, reference: Floats) -> Floats:
    """(n,) share of the sorted `reference` that a score is above; a little less than 0 or more than 1 beyond it."""
    distinct, first, times = np.unique(reference, return_index=True, return_counts=True)
    rank = np.interp(score, distinct, (first + (times - 1) / 2) / max(len(reference) - 1, 1))
    outside = np.maximum(score - distinct[-1], 0.0) + np.minimum(score - distinct[0], 0.0)
    return rank + _BEYOND * outside / (reference.std() or 1.0)
