"""Shapley values of a predictor's scores, exact for the trees that stand for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding
from tierwise.errors import BadSetting, MissingExtra
from tierwise.explanation.columns import NamedColumns
from tierwise.metrics import kendall_tau
from tierwise.predictor import Scorer, check_space, score_all

READABLE = ("paths", "onehot", "flops", "params")
OF_SPACE = "standard deviations of the predicted order of the space: 0 is its middle, +1 is ahead of 84 %, +2 of 98 %"
OF_LABELS = "standard deviations of the order of the labels, the unit of this predictor's own scores"
_HELD = 5  # one of that many rows judges the trees that stand for the predictor
_ROUNDING = 1e-6  # of the range of the scores
_LEAST = 20  # architectures to learn its scores from

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Reason:
    """A column and what it does over all explained architectures.

    strength: mean size of its values. direction: correlation of its value with the column in [-1, 1], 0 where either
    never changes; positive: more of it raises the score.
    """

    name: str
    strength: float
    direction: float


@dataclass(frozen=True)
class Explanation:
    """Scores of n architectures, each as `base` plus the values of its d columns plus what is left.

    score: (n,) in the unit that `unit` says. base: mean score of the architectures that the trees have seen.
    values: (n, d) how much each column raises (positive) or lowers the score. rest: (n,) what the columns leave over.
    names: (d,) what the columns say. columns: (n, d) their contents.
    r2, tau: how well the explained trees follow the predictor on architectures that they have not seen: share of the
    variance, and Kendall's tau; both 1 where they are the predictor.
    """

    archs: Architectures
    score: Column
    base: float
    values: NDArray[np.float64]
    rest: Column
    names: tuple[str, ...]
    columns: NDArray[np.float32]
    r2: float
    tau: float
    unit: str

    def part(self, rows: slice) -> Explanation:
        """The explanation of some of the architectures."""
        fields = ("archs", "score", "values", "rest", "columns")
        return replace(self, **{name: getattr(self, name)[rows] for name in fields})

    def top(self, k: int = 10, row: int = 0) -> list[tuple[str, float, float]]:
        """The `k` strongest reasons for one row, strongest first: name, content of the column, value."""
        if not 0 <= row < len(self.archs) or k < 1:
            raise BadSetting("row and k", (row, k), f"a row of 0 to {len(self.archs) - 1}, and 1 or more reasons")
        order = np.argsort(-np.abs(self.values[row]), kind="stable")[:k]
        found = [(self.names[j], float(self.columns[row, j]), float(self.values[row, j])) for j in order]
        return [reason for reason in found if reason[2]]

    def overall(self, k: int = 10) -> list[Reason]:
        """The `k` strongest columns over all explained architectures, strongest first."""
        strength = np.abs(self.values).mean(0)
        order = [int(j) for j in np.argsort(-strength, kind="stable")[:k] if strength[j]]
        return [Reason(self.names[j], float(strength[j]), self._direction(j)) for j in order]

    def _direction(self, j: int) -> float:
        column, value = self.columns[:, j].astype(np.float64), self.values[:, j]
        if not np.ptp(column) or not np.ptp(value):
            return 0.0
        return float(np.corrcoef(column, value)[0, 1])


def explain(
    predictor: Scorer,
    archs: Archs,
    *,
    encodings: tuple[str | Encoding, ...] = READABLE,
    sample: int = 4_000,
    seed: int = 0,
) -> Explanation:
    """What raises or lowers the scores that a fitted predictor gives to `archs`: Shapley values of readable columns.

    Boosted trees of LightGBM on encodings are explained themselves. For any other predictor boosted trees learn its
    scores of `sample` architectures of the space, as normal scores of their order, from the columns of `encodings`,
    and these trees are explained; ``Explanation.r2`` and ``tau`` say how well they follow it. Shapley values share
    out what columns that say nearly the same do together: read the strongest as a group.

    predictor: fitted. archs: n architectures of the space that it has learnt. encodings: registered names or objects;
    what the space cannot give is left out. seed: decides sample and trees.
    Raises BadSetting, MissingExtra, NotFitted.

    Lundberg et al., "From Local Explanations to Global Understanding with Explainable AI for Trees" (2020). Learning
    the scores of predictors that are no trees is ours.

    >>> from tierwise import make
    >>> cells = make("space", "nasbench201").at(range(0, 15_625, 100))
    >>> trees = make("predictor", "trees", encodings=("onehot",)).fit(cells, cells.genes[:, 5] == 3)
    >>> explain(trees, cells).overall(1)[0].name
    'cell/2-3 is nor_conv_3x3'
    """
    rows = Architectures.of(archs)
    check_space(predictor, rows.space)
    if sample < _LEAST or not len(rows):
        allowed = f"a sample of {_LEAST} or more, 1 architecture or more"
        raise BadSetting("sample and archs", (sample, len(rows)), allowed)
    own = _own_trees(predictor, rows)
    return own if own is not None else _learnt(predictor, rows, NamedColumns.of(encodings, rows.space), sample, seed)


def _own_trees(predictor: Any, rows: Architectures) -> Explanation | None:
    """The values of a predictor that is boosted trees on encodings, None for any other."""
    trees: Any = getattr(predictor, "trees_", None)
    encodings: Any = getattr(predictor, "encodings_", None)
    text = trees.state().get("text") if hasattr(trees, "state") else None
    if text is None or not encodings:
        return None
    booster = _lightgbm().Booster(model_str=str(text))
    columns = NamedColumns.of(tuple(encodings), rows.space)
    if booster.num_feature() != len(columns.names):
        return None
    x, score = columns.matrix(rows), np.asarray(score_all(predictor, rows), dtype=np.float64)
    values, base = _values(booster, x)
    if not np.allclose(base + values.sum(1), score, rtol=1e-5, atol=1e-5):
        return None  # trees are a part of it only
    rest = score - base - values.sum(1)
    return Explanation(rows, score, base, values, rest, columns.names, x, 1.0, 1.0, OF_LABELS)


def _learnt(predictor: Scorer, rows: Architectures, columns: NamedColumns, sample: int, seed: int) -> Explanation:
    """The values of trees that have learnt the predictor's order of a part of the space."""
    space, rng = rows.space, np.random.default_rng(seed)
    among = space.enumerate() if space.size <= sample else space.sample(sample, rng).unique()
    if len(among) < _LEAST:
        raise BadSetting("space", space.name, f"one of {_LEAST} or more architectures to learn scores of")
    among = among[rng.permutation(len(among))]
    raw, asked = (np.asarray(score_all(predictor, part), dtype=np.float64) for part in (among, rows))
    step = max(float(np.ptp(raw)), float(np.abs(raw).max()) * _ROUNDING) * _ROUNDING or 1.0
    raw, asked = np.round(raw / step), np.round(asked / step)  # scores that differ by rounding are equal
    y, x = norm.ppf((rankdata(raw) - 0.5) / len(raw)), columns.matrix(among)
    held = np.arange(len(among)) % _HELD == 0
    booster = _fit(x[~held], y[~held], seed)
    seen = np.asarray(booster.predict(x[held], num_threads=1), dtype=np.float64)
    spread = float(y[held].var())
    r2 = 1.0 - float(((seen - y[held]) ** 2).mean()) / spread if spread else 1.0
    known, first = np.unique(raw, return_index=True)
    score = np.interp(asked, known, y[first])
    own = columns.matrix(rows)
    values, base = _values(booster, own)
    rest = score - base - values.sum(1)
    return Explanation(rows, score, base, values, rest, columns.names, own, r2, kendall_tau(seen, y[held]), OF_SPACE)


def _fit(x: NDArray[np.float32], y: Column, seed: int) -> Any:
    settings: dict[str, Any] = {"num_leaves": 31, "learning_rate": 0.05, "feature_fraction": 0.5, "lambda_l2": 1.0}
    settings |= {"min_data_in_leaf": min(20, max(2, len(y) // 50)), "seed": seed, "num_threads": 1, "verbose": -1}
    settings |= {"objective": "regression", "deterministic": True, "force_row_wise": True}
    lightgbm = _lightgbm()
    return lightgbm.train(settings, lightgbm.Dataset(x, y, params={"verbose": -1}), num_boost_round=300)


def _values(booster: Any, x: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """(n, d) exact Shapley values of the trees, and the mean that they add up to the score with."""
    found = np.asarray(booster.predict(x, pred_contrib=True, num_threads=1), dtype=np.float64)
    return found[:, :-1], float(found[0, -1])


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra("an explanation", "lightgbm", "trees") from error
    return lightgbm
