"""What stands beside every claim: random, costs, boosted trees on plain features; and how a method is made."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encoding import Encoding
from tierwise.errors import BadSetting, MissingExtra
from tierwise.harness.problem import COSTS, Column, Problem
from tierwise.harness.protocol import FEATURES, Method
from tierwise.history import History, Proposal
from tierwise.predictor import score_all
from tierwise.tier_statistics import tier_blocks


def boosted_trees(archs: Architectures, seed: int, features: Sequence[str] = FEATURES) -> Any:
    """LightGBM on plain features (one-hot genes, FLOPs, params) with the sizes that serve these labelled ones well.

    Without costs on a space that has no formulas for them. Raises MissingExtra.
    """
    try:
        from lightgbm import LGBMRegressor
    except ImportError as error:
        raise MissingExtra("the baseline of boosted trees", "lightgbm", "trees") from error
    from sklearn.pipeline import make_pipeline, make_union

    n = len(archs)
    trees = LGBMRegressor(
        n_estimators=300,
        learning_rate=0.04,
        num_leaves=min(31, max(4, n // 12)),
        min_child_samples=max(3, n // 60),
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.5,
        reg_lambda=1.0,
        random_state=seed,
        n_jobs=1,
        verbose=-1,
    )
    given = [registry.make("encoding", name) for name in features]
    return make_pipeline(make_union(*(each for each in given if _has_costs(each, archs))), trees)


def _has_costs(encoding: Encoding, archs: Architectures) -> bool:
    """Whether the space can give an encoding; without formulas it cannot give costs."""
    try:
        encoding.transform(archs[:1])
    except BadSetting as error:
        if error.setting != "costs of the space":
            raise
        return False
    return True


def predictor(method: Method, problem: Problem, seed: int, extra: tuple[Encoding, ...] = ()) -> Any:
    """The predictor of a method, not fitted; it is told the task if it takes one.

    extra: what it reads beside its encodings, as its setting ``inputs``, else at their end. Raises BadSetting.
    """
    name = str(method.predictor)
    taken = inspect.signature(registry.find("predictor", name)).parameters
    task = {key: value for key, value in problem.task.items() if key in taken}
    encoding = method.encoding
    inputs: dict[str, Any] = {}
    if encoding is not None:
        inputs = {"encoding": encoding} if isinstance(encoding, str) else {"encodings": tuple(encoding)}
    given = {"seed": seed, **task, **inputs, **_settings(method)}
    if extra:
        setting = next((setting for setting in ("inputs", "encodings") if setting in taken), None)
        if setting is None:
            raise BadSetting(f"inputs of predictor {name}", len(extra), "none: it has no setting inputs or encodings")
        given[setting] = (*given.get(setting, taken[setting].default), *extra)
    return registry.make("predictor", name, **given)


def recorded_inputs(method: Method, problem: Problem) -> tuple[Encoding, ...]:
    """The recorded columns that a method reads on this data set, as one encoding, if any. Raises UnknownName."""
    names = method.inputs_on(problem.dataset)
    if not names:
        return ()
    columns = {name: problem.column(name) for name in names}
    return (registry.find("encoding", "columns").of(problem.space, columns, cost=method.input_cost),)


def strategy(method: Method) -> Any:
    """The strategy of a method."""
    if method.baseline in COSTS:
        return ByCost(COSTS.index(str(method.baseline)))
    if method.baseline == "trees":
        return Trees(features=_features(method))
    return registry.make("strategy", method.strategy or str(method.baseline), **_settings(method))


def unknown(method: Method, problem: Problem) -> bool:
    """Whether it ranks by a cost that this data set does not know: it then has no figures."""
    return method.baseline in COSTS and method.baseline not in problem.known_costs


@dataclass(frozen=True)
class Scores:
    """(n,) scores of a whole problem, higher better; tiers, 0 the best; and the predictor behind them, if any."""

    score: Column
    tier: NDArray[np.int64]
    fitted: Any = None


def scores(
    method: Method,
    problem: Problem,
    drawn: NDArray[np.int64],
    seed: int,
    rng: np.random.Generator,
    earlier: Any = None,
) -> Scores:
    """What a method makes of the whole problem from the labels of the rows `drawn`.

    earlier: a predictor that is fitted on the method's source and not used again; without a label here it scores
    alone.
    """
    if not method.learns:
        score = _unlearnt(method, problem, rng)
        return Scores(score, tier_blocks(score))
    return scored(problem, earlier if not len(drawn) else _fitted(method, problem, drawn, seed, earlier))


def _fitted(method: Method, problem: Problem, drawn: NDArray[np.int64], seed: int, earlier: Any) -> Any:
    if method.source and not method.source.predictor and hasattr(earlier, "adapt"):
        return earlier.adapt(problem.archs[drawn], problem.label[drawn])
    if method.baseline == "trees":
        new = boosted_trees(problem.archs[drawn], seed, _features(method))
    else:
        extra = recorded_inputs(method, problem)
        if earlier is not None:
            extra = (*extra, registry.make("encoding", "predicted", predictor=earlier))
        new = predictor(method, problem, seed, extra)
    return new.fit(problem.archs[drawn], problem.label[drawn])


def scored(problem: Problem, fitted: Any) -> Scores:
    """What a fitted predictor makes of the whole problem."""
    score = np.asarray(score_all(fitted, problem.archs), dtype=np.float64)
    if not hasattr(fitted, "predict_tier"):
        return Scores(score, tier_blocks(score), fitted)
    tiers = np.concatenate([np.asarray(fitted.predict_tier(part)) for part in problem.archs.chunks()])
    return Scores(score, tiers, fitted)


def _unlearnt(method: Method, problem: Problem, rng: np.random.Generator) -> Column:
    if method.baseline == "random":
        return rng.random(len(problem.label))
    if method.baseline == "perfect":
        return problem.truth
    return problem.known_costs[str(method.baseline)]


def _features(method: Method) -> tuple[str, ...]:
    given = [method.encoding] if isinstance(method.encoding, str) else method.encoding
    return tuple(given or FEATURES)


def _settings(method: Method) -> dict[str, Any]:
    """TOML knows lists only, settings are tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in method.settings.items()}  # pyright: ignore[reportUnknownArgumentType]


@dataclass(frozen=True)
class ByCost:
    """Most expensive first: what FLOPs (0) or parameters (1) alone are worth."""

    cost: int

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """The `n` most expensive that are fresh, equal ones in random order."""
        every = history.space.enumerate()
        every = every[rng.permutation(len(every))]
        fresh = every[np.flatnonzero(history.fresh(every))]
        order = np.argsort(-history.space.totals(fresh)[:, self.cost], kind="stable")[:n]
        return [Proposal(fresh[int(k)]) for k in order]


@dataclass(frozen=True)
class Trees:
    """Boosted trees refitted on all labels before each round, their favourites evaluated."""

    first: int = 20
    features: tuple[str, ...] = FEATURES

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then the best scored."""
        if len(history) < self.first:
            return [Proposal(arch) for arch in history.sample(min(n, self.first - len(history)), rng)]
        every = history.space.enumerate()
        fresh = every[np.flatnonzero(history.fresh(every))]
        done = history.done
        score = boosted_trees(done.archs, history.seed, self.features).fit(done.archs, done.y).predict(fresh)
        return [Proposal(fresh[int(k)]) for k in np.argsort(-score, kind="stable")[:n]]
