"""Measures of orders and searches, against their definitions."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tierwise import metrics
from tierwise.benchmarks.nasbench201 import load
from tierwise.errors import BadSetting

numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 1))
columns = st.lists(numbers, min_size=2, max_size=30)
tables = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=6)


@given(columns, st.randoms(use_true_random=False))
def test_tau_of_a_reversed_order_is_its_negative(values: list[float], random: object) -> None:
    a = np.array(values)
    b = np.roll(a, 1) + np.arange(len(a))
    assume(len(set(values)) > 1 and len(set(b)) > 1)
    assert metrics.kendall_tau(a, b) == pytest.approx(-metrics.kendall_tau(a, -b))
    assert metrics.spearman(a, b) == pytest.approx(-metrics.spearman(a, -b))
    assert metrics.kendall_tau(a, a) == pytest.approx(1.0)
    assert metrics.kendall_tau(a, b) == pytest.approx(metrics.kendall_tau(b, a))


def test_tau_b_by_hand() -> None:
    # pairs: 5 of 6 untied in b; 4 concordant, 1 discordant
    assert metrics.kendall_tau([1, 2, 3, 4], [1, 3, 2, 3]) == pytest.approx((4 - 1) / np.sqrt(6 * 5))


def test_rows_without_a_number_are_left_out() -> None:
    a, b = np.array([1.0, 2, np.nan, 3]), np.array([2.0, 1, 9, np.nan])
    assert metrics.kendall_tau(a, b) == pytest.approx(-1.0)
    assert metrics.noise_ceiling(a, a) == pytest.approx(1.0)
    assert np.isnan(metrics.kendall_tau([1.0, 1.0], [1.0, 2.0]))
    with pytest.raises(BadSetting, match="equal length"):
        metrics.kendall_tau([1.0], [1.0, 2.0])


@given(columns)
def test_ranks_count_what_is_better(values: list[float]) -> None:
    column = np.array(values)
    assert metrics.ranks(column).tolist() == [1 + int((column > v).sum()) for v in column]


def test_a_nan_ranks_last() -> None:
    assert metrics.ranks([np.nan, 2.0, 1.0]).tolist() == [3, 1, 2]


def test_precision_and_best_rank() -> None:
    truth = np.arange(100.0)
    assert metrics.precision_at(truth, truth, 5) == 1.0
    assert metrics.precision_at(-truth, truth, 5) == 0.0
    assert metrics.precision_at(np.r_[truth[:95], np.full(5, -1.0)], truth, 10) == 0.5
    assert metrics.best_rank_at(truth, truth, 1) == 1
    assert metrics.best_rank_at(-truth, truth, 10) == 91
    for wrong in (0, 101):
        with pytest.raises(BadSetting):
            metrics.best_rank_at(truth, truth, wrong)
        with pytest.raises(BadSetting):
            metrics.precision_at(truth, truth, wrong)


def test_regret() -> None:
    assert metrics.regret(3.0, [1.0, np.nan, 4.5]) == 1.5


@given(st.lists(st.one_of(numbers, st.just(np.nan)), max_size=30))
def test_best_so_far_never_falls(values: list[float]) -> None:
    curve = metrics.best_so_far(values)
    assert len(curve) == len(values)
    known = curve[np.isfinite(curve)]
    assert (np.diff(known) >= 0).all()
    assert not len(known) or known[-1] == np.nanmax(values)


@given(tables)
def test_random_search_is_what_all_orders_give(table: list[float]) -> None:
    orders = np.array([np.maximum.accumulate(order) for order in permutations(table)])
    mean, (least, middle, most) = metrics.random_search(table, len(table), (0.1, 0.5, 1.0))
    assert mean == pytest.approx(orders.mean(0))
    for bound, share in ((least, 0.1), (middle, 0.5)):
        assert bound == pytest.approx(np.quantile(orders, share, axis=0, method="inverted_cdf"))
    assert most == pytest.approx(orders.max(0))


def test_random_search_of_the_benchmark() -> None:
    column = load().metrics["accuracy"]
    mean, (low, high) = metrics.random_search(column, 150)
    rng = np.random.default_rng(0)
    runs = np.array([np.maximum.accumulate(rng.permutation(column)[:150]) for _ in range(400)])
    assert abs(mean - runs.mean(0))[20:].max() < 0.1
    assert (low <= mean + 1e-9)[20:].all()
    assert (mean <= high).all()
    assert (np.diff(mean) >= 0).all()
    with pytest.raises(BadSetting, match="evaluations"):
        metrics.random_search([1.0, np.nan], 2)


@given(st.integers(1, 40), st.data(), st.sampled_from([0.1, 0.5, 0.9]))
def test_random_evaluations_needed(total: int, data: st.DataObject, chance: float) -> None:
    rank = data.draw(st.integers(1, total))
    needed = metrics.random_evaluations_needed(rank, total, chance)

    def found(m: int) -> float:
        return 1 - comb(total - rank, m) / comb(total, m)

    assert found(needed) >= chance - 1e-9
    assert needed == 1 or found(needed - 1) < chance + 1e-9


def test_certainty_needs_all_the_others_first() -> None:
    assert metrics.random_evaluations_needed(3, 10, 1.0) == 8
    with pytest.raises(BadSetting):
        metrics.random_evaluations_needed(0, 10)
    with pytest.raises(BadSetting):
        metrics.random_evaluations_needed(1, 10, 0.0)
