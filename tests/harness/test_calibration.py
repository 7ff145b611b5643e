"""Coverage, reliability and expected calibration error: known answers, laws, and the real predictors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import registry
from tierwise.errors import BadSetting
from tierwise.harness.calibration import (
    calibration,
    coverage,
    in_units_of_labels,
    reliability,
    reliability_diagram,
    tier_reliability,
)
from tierwise.harness.problem import Problem


@pytest.mark.parametrize("percent", [50, 90])
def test_normal_errors_are_covered_as_often_as_said(percent: float) -> None:
    rng = np.random.default_rng(0)
    score, std = rng.normal(size=40_000), rng.uniform(0.2, 2.0, 40_000)
    truth = score + std * rng.normal(size=40_000)
    assert coverage(score, std, truth, percent) == pytest.approx(percent / 100, abs=0.01)
    assert coverage(score, std / 2, truth, percent) < percent / 100 - 0.1
    assert coverage(score, 2 * std, truth, percent) > percent / 100 + 0.05


def test_coverage_of_certain_predictions_is_the_share_of_hits() -> None:
    assert coverage([1, 2, 3, 4], [0, 0, 0, 0], [1, 2, 3, 5], 90) == 0.75
    assert np.isnan(coverage([], [], [], 50))
    with pytest.raises(BadSetting, match="percent"):
        coverage([1], [1], [1], 100)
    with pytest.raises(BadSetting, match="equal length"):
        coverage([1, 2], [1], [1], 50)


def test_the_error_of_two_bins_by_hand() -> None:
    found = reliability([0.1, 0.3, 0.9, 0.7], [0, 1, 1, 1], bins=2)
    assert found.count.tolist() == [2, 2]
    assert found.chance == pytest.approx([0.2, 0.8])
    assert found.right.tolist() == [0.5, 1.0]
    assert found.error == pytest.approx((2 * 0.3 + 2 * 0.2) / 4)


def test_a_chance_of_one_is_in_the_last_bin_and_empty_bins_are_nan() -> None:
    found = reliability([1.0, 1.0], [1, 0], bins=5)
    assert found.count.tolist() == [0, 0, 0, 0, 2]
    assert np.isnan(found.chance[:4]).all()
    assert found.error == 0.5
    with pytest.raises(BadSetting, match="0 to 1"):
        reliability([1.5], [1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_bins_keep_the_sums_and_the_error_is_a_share(pairs: list[tuple[float, bool]], bins: int) -> None:
    chance, right = np.array([p for p, _ in pairs]), np.array([r for _, r in pairs], dtype=float)
    found = reliability(chance, right, bins)
    assert found.count.sum() == len(pairs)
    assert np.nansum(found.count * found.chance) == pytest.approx(chance.sum(), abs=1e-9)
    assert np.nansum(found.count * found.right) == pytest.approx(right.sum())
    assert abs(chance.mean() - right.mean()) - 1e-12 <= found.error <= 1  # bins cannot hide a common bias


def test_labels_keep_their_normal_scores_and_truths_lie_between_them() -> None:
    labels = np.array([90.0, 92.0, 94.0, 91.0, 93.0])
    unit = in_units_of_labels(labels, labels)
    assert unit[[0, 3, 1, 4, 2]] == pytest.approx([-1.2816, -0.5244, 0, 0.5244, 1.2816], abs=1e-3)
    beyond = in_units_of_labels([10.0, 92.5, 99.0], labels)
    assert beyond == pytest.approx([-1.2816, 0.2622, 1.2816], abs=1e-3)
    assert in_units_of_labels([1.0, 5.0], [3.0, 3.0]).tolist() == [0.0, 0.0]


@pytest.fixture(scope="module")
def cells() -> Problem:
    """NAS-Bench-201 on CIFAR-10, judged by the labels themselves."""
    table: Any = registry.make("benchmark", "nasbench201")
    label, archs = table.expected("accuracy"), table.space.enumerate()
    return Problem("cifar10", table.space, archs, label, label, np.zeros((len(label), 2), np.int64), {}, table)


DRAWN = np.random.default_rng(0).permutation(15_625)[:156]


def test_the_gaussian_process_covers_about_what_it_says(cells: Problem) -> None:
    fitted = registry.make("predictor", "gp").fit(cells.archs[DRAWN], cells.label[DRAWN])
    figures = calibration(fitted, cells, DRAWN)
    assert set(figures) == {"coverage50", "coverage90"}
    assert 0.4 < figures["coverage50"] < 0.8
    assert 0.8 < figures["coverage90"] < 0.99


def test_tiers_of_the_tier_predictor_are_too_sure_but_not_absurd(cells: Problem, tmp_path: Path) -> None:
    fitted = registry.make("predictor", "tier").fit(cells.archs[DRAWN], cells.label[DRAWN])
    figures = calibration(fitted, cells, DRAWN)
    assert set(figures) == {"coverage50", "coverage90", "ece_tier"}
    found = tier_reliability(fitted, cells, DRAWN)
    assert found.count.sum() == 15_625 - 156
    assert figures["ece_tier"] == found.error
    assert 0 < found.error < 0.35
    right = np.nansum(found.count * found.right) / found.count.sum()
    assert right > 0.5  # of five tiers
    ax = reliability_diagram(found)
    assert f"{found.error:.3f}" in ax.get_title(loc="left")
    ax.figure.savefig(tmp_path / "reliability.svg")
    assert (tmp_path / "reliability.svg").stat().st_size > 1_000


def test_a_predictor_without_either_has_no_figures(cells: Problem) -> None:
    fitted = registry.make("predictor", "trees", trees=20).fit(cells.archs[DRAWN], cells.label[DRAWN])
    assert calibration(fitted, cells, DRAWN) == {}
