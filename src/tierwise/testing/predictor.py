"""What every predictor must do."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.base import clone

from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadModel, BadSetting, NotFitted
from tierwise.predictor import Predictor, RepeatedLabels, read_saved
from tierwise.space import Space
from tierwise.testing.predictor_case import PredictorCase
from tierwise.testing.suite import (
    expect,
    expect_equal,
    expect_error,
    expect_rows,
    halved,
    run_checks,
)

ROUNDING = 1e-4  # scores of another batch size may differ in the last digits of float32 sums


def check_predictor(
    make_predictor: Callable[[], Predictor],
    space: Space,
    *,
    labels: int = 100,
    op: str | None = None,
    least_tau: float = 0.3,
    expected_failures: Collection[str] = (),
) -> None:
    """Raises NotConforming unless what `make_predictor` makes does on `space` all that strategies rely on.

    make_predictor: gives a new, unfitted predictor with a fixed seed. labels: how many it learns from.
    op: the option whose count in an architecture is the label (default: the last of the first choice).
    least_tau: Kendall's tau on unseen architectures that counts as having learnt it.
    """
    case = PredictorCase(make_predictor, space, labels, op or space.choices[0].options[-1], least_tau)
    run_checks("check_predictor", CHECKS, case, expected_failures)


def fit_returns_self(case: PredictorCase) -> None:
    fresh = case.make()
    expect(fresh.fit(case.train, case.y) is fresh, "fit: expected the predictor itself, seen something else")


def scores_are_finite_one_a_row(case: PredictorCase) -> None:
    expect_equal("shape of the scores", case.scores.shape, (len(case.rest),))
    expect(np.issubdtype(case.scores.dtype, np.floating), f"scores: expected floats, seen {case.scores.dtype}")
    broken = np.flatnonzero(~np.isfinite(case.scores))
    expect(not len(broken), f"scores: expected finite numbers, seen others in rows {broken[:10].tolist()}")
    expect_equal("shape of the scores of nothing", np.shape(case.fitted.predict(case.rest[:0])), (0,))


def equal_seeds_give_equal_scores(case: PredictorCase) -> None:
    expect_rows("scores of another one with equal seed", case.again.scores, case.scores)
    expect_rows("scores, a second time", case.fitted.predict(case.rest), case.scores)


def input_is_not_modified(case: PredictorCase) -> None:
    expect_rows("genes after fit and predict", case.again.archs.genes, case.train.genes)
    expect_rows("labels after fit", case.again.y, case.y)


def global_random_numbers_are_left_alone(case: PredictorCase) -> None:
    expect(not case.again.drew, "expected no draw from a global generator, seen its state changed")


def settings_survive_a_clone(case: PredictorCase) -> None:
    settings = case.make().get_params()
    expect_equal("get_params after fit", case.fitted.get_params(), settings)
    copied = cast(Predictor, clone(case.fitted))
    expect_equal("get_params of a clone", copied.get_params(), settings)
    expect_error(NotFitted, "predict of the clone of a fitted one", lambda: copied.predict(case.rest))
    expect_rows("scores of a fitted clone", copied.fit(case.train, case.y).predict(case.rest), case.scores)


def save_and_load_give_equal_predictions(case: PredictorCase) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictor.npz"
        case.fitted.save(path)
        read_saved(path)  # refuses pickles
        loaded = type(case.fitted).load(path)
    expect_equal("get_params of a loaded one", loaded.get_params(), case.fitted.get_params())
    expect_rows("scores of a loaded one", loaded.predict(case.rest), case.scores)
    for name in ("predict_tier", "predict_tier_proba"):
        if hasattr(loaded, name):
            expect_rows(
                f"{name} of a loaded one",
                getattr(loaded, name)(case.rest),
                getattr(case.fitted, name)(case.rest),
            )


def damaged_files_are_refused(case: PredictorCase) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictor.npz"
        case.fitted.save(path)
        whole = path.read_bytes()
        for what, damaged in {
            "half of a file": whole[: len(whole) // 2],
            "nothing": b"",
            "text": b"a predictor",
        }.items():
            path.write_bytes(damaged)
            expect_error(BadModel, f"load of {what}", lambda: type(case.fitted).load(path))


def scores_follow_the_rows(case: PredictorCase) -> None:
    order = np.random.default_rng(1).permutation(len(case.rest))
    shuffled = case.fitted.predict(case.rest[order])
    expect_rows("scores of shuffled rows", shuffled, case.scores[order], tolerance=ROUNDING)
    parts = [case.fitted.predict(case.rest[k : k + 7]) for k in range(0, len(case.rest), 7)]
    expect_rows("scores in parts of 7", np.concatenate(parts), case.scores, tolerance=ROUNDING)


def narrowing_keeps_the_scores(case: PredictorCase) -> None:
    smaller, _ = halved(case.space)
    inside = smaller.contains(case.rest)
    narrowed = case.fitted.predict(Architectures(smaller, case.rest.genes[inside]))
    expect_rows("scores in a narrowed space", narrowed, case.scores[inside], tolerance=ROUNDING)


def learns_an_easy_target(case: PredictorCase) -> None:
    tau = float(kendalltau(case.scores, case.count(case.rest)).statistic)  # pyright: ignore[reportAttributeAccessIssue]
    what = f"Kendall's tau with the count of {case.op} after {len(case.train)} labels"
    expect(tau > case.least_tau, f"{what}: expected more than {case.least_tau}, seen {tau:.3f}")


def refit_forgets(case: PredictorCase) -> None:
    half = len(case.train) // 2
    first = case.make().fit(case.train[:half], -case.y[:half])
    expect_rows("scores after a refit", first.fit(case.train, case.y).predict(case.rest), case.scores)


def equal_labels_are_no_error(case: PredictorCase) -> None:
    scores = np.asarray(case.make().fit(case.train, np.ones(len(case.train))).predict(case.rest))
    expect(np.isfinite(scores).all(), "scores after equal labels: expected finite numbers, seen others")


def uncertainty_is_not_negative(case: PredictorCase) -> None:
    try:
        scores, std = case.fitted.predict(case.rest, return_std=True)
    except BadSetting:
        return  # a predictor need not know how sure it is
    expect_rows("scores beside return_std", scores, case.scores)
    expect_equal("shape of the standard deviations", np.shape(std), (len(case.rest),))
    expect((np.asarray(std) >= 0).all(), f"standard deviations: expected 0 or more, seen {np.min(std)}")


def tiers_are_in_range_and_ordered(case: PredictorCase) -> None:
    if not hasattr(case.fitted, "predict_tier"):
        return
    tiers, many = np.asarray(getattr(case.fitted, "predict_tier")(case.rest)), np.inf  # noqa: B009  not every predictor has it
    expect_equal("shape of the tiers", tiers.shape, (len(case.rest),))
    expect(np.issubdtype(tiers.dtype, np.integer), f"tiers: expected integers, seen {tiers.dtype}")
    if hasattr(case.fitted, "predict_tier_proba"):
        many = _chances(case).shape[1]
    expect(
        tiers.min() >= 0 and tiers.max() < many,
        f"tiers: expected 0 to {many} - 1, seen {tiers.min()} to {tiers.max()}",
    )
    means = {int(t): float(case.scores[tiers == t].mean()) for t in np.unique(tiers)}
    expect(
        min(means) == max(means, key=means.__getitem__),
        f"mean score by tier: expected the first to be best, seen {means}",
    )


def chances_of_tiers_sum_to_one(case: PredictorCase) -> None:
    if not hasattr(case.fitted, "predict_tier_proba"):
        return
    chances = _chances(case)
    expect_equal("rows of the chances", (chances.ndim, len(chances)), (2, len(case.rest)))
    expect((chances >= 0).all(), f"chances: expected 0 or more, seen {chances.min()}")
    expect_rows("sums of the chances", chances.sum(1), np.ones(len(case.rest)), tolerance=1e-5)


def _chances(case: PredictorCase) -> NDArray[Any]:
    return np.asarray(getattr(case.fitted, "predict_tier_proba")(case.rest))  # noqa: B009


def prediction_needs_a_fit(case: PredictorCase) -> None:
    for name in ("predict", "predict_tier", "predict_tier_proba"):
        if hasattr(case.make(), name):
            expect_error(NotFitted, f"{name} before fit", lambda name=name: getattr(case.make(), name)(case.rest))


def bad_labels_are_refused(case: PredictorCase) -> None:
    for broken in (np.nan, np.inf):
        y = case.y
        y[13] = broken
        expect_error(
            BadSetting,
            f"fit with {broken} in row 13",
            lambda y=y: case.make().fit(case.train, y),
            naming="13",
        )
    expect_error(BadSetting, "fit with a label too few", lambda: case.make().fit(case.train, case.y[:-1]))
    expect_error(
        BadSetting,
        "fit with labels in two columns",
        lambda: case.make().fit(case.train, np.stack([case.y] * 2, 1)),
    )
    for n in (0, 1):
        expect_error(BadSetting, f"fit on {n} labels", lambda n=n: case.make().fit(case.train[:n], case.y[:n]))


def few_labels_are_no_crash(case: PredictorCase) -> None:
    for n in (2, 3):
        try:
            scores = case.make().fit(case.train[:n], case.y[:n]).predict(case.rest)
        except BadSetting:
            continue  # it says that it needs more
        expect(np.isfinite(scores).all(), f"scores after {n} labels: expected finite numbers, seen others")


def repeated_labels_are_averaged(case: PredictorCase) -> None:
    genes, y, n = case.train.genes, case.y, len(case.y)
    mean = y.copy()
    mean[:3] += [0.5, 1.0, 1.5]
    twice = Architectures(case.space, np.concatenate([genes, genes[:5]]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = case.make().fit(twice, np.concatenate([y, 2 * mean[:5] - y[:5]]))
    said = [str(one.message) for one in caught if one.category is RepeatedLabels]
    expect(any("6 rows" in text for text in said), f"3 of {n} labels twice: expected RepeatedLabels, seen {said}")
    expect_rows("scores", fitted.predict(case.rest), case.make().fit(case.train, mean).predict(case.rest))


def strangers_are_refused(case: PredictorCase) -> None:
    genes = case.train.genes
    genes[7, 0] = len(case.space.choices[0].options)
    unseen = Architectures(case.space, genes)
    expect_error(BadArchitecture, "predict of an option that is none", lambda: case.fitted.predict(unseen), naming="7")
    expect_error(BadArchitecture, "fit on an option that is none", lambda: case.make().fit(unseen, case.y))
    if case.fitted.any_space:
        return
    other = copy.copy(case.space)
    other.name = f"another-{case.space.name}"
    archs = Architectures(other, case.rest.genes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictor.npz"
        case.fitted.save(path)
        loaded = type(case.fitted).load(path)
    for who, predictor in {"it": case.fitted, "a loaded one": loaded}.items():
        for name in (case.space.name, other.name):
            ask = lambda predictor=predictor: predictor.predict(archs)  # noqa: E731
            expect_error(BadSetting, f"{who}, asked about another space", ask, naming=name)


CHECKS = (
    fit_returns_self,
    scores_are_finite_one_a_row,
    equal_seeds_give_equal_scores,
    input_is_not_modified,
    global_random_numbers_are_left_alone,
    settings_survive_a_clone,
    save_and_load_give_equal_predictions,
    damaged_files_are_refused,
    scores_follow_the_rows,
    narrowing_keeps_the_scores,
    learns_an_easy_target,
    refit_forgets,
    equal_labels_are_no_error,
    uncertainty_is_not_negative,
    tiers_are_in_range_and_ordered,
    chances_of_tiers_sum_to_one,
    prediction_needs_a_fit,
    bad_labels_are_refused,
    few_labels_are_no_crash,
    repeated_labels_are_averaged,
    strangers_are_refused,
)
