"""Correlations of a proxy, worked out in another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tierwise.errors import BadSetting
from tierwise.harness.agreement import FIGURES, agreement, partial_spearman

RNG = np.random.default_rng(0)


def columns(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    flops = RNG.normal(size=n).round(1)  # with ties
    return flops + RNG.normal(size=n), flops + 2 * RNG.normal(size=n), flops


def test_each_figure_is_spearman_of_its_part() -> None:
    score, accuracy, flops = columns(60)
    found = agreement(score, accuracy, flops)
    assert tuple(found) == FIGURES
    best = np.argsort(accuracy)[::-1]
    for name, rows in (("overall", best), ("top half", best[:30]), ("top tenth", best[:6])):
        assert found[name] == pytest.approx(stats.spearmanr(score[rows], accuracy[rows]).statistic)
    assert found["given FLOPs"] == partial_spearman(score, accuracy, flops)


def test_the_partial_correlation_is_that_of_the_recursion() -> None:
    a, b, given = columns(50)
    ab, ag, bg = (stats.spearmanr(x, y).statistic for x, y in ((a, b), (a, given), (b, given)))
    assert partial_spearman(a, b, given) == pytest.approx((ab - ag * bg) / np.sqrt((1 - ag**2) * (1 - bg**2)))
    assert partial_spearman(a, b, np.ones(50)) == pytest.approx(ab)
    assert partial_spearman(3 - a, b, given) == pytest.approx(-partial_spearman(a, b, given))


def test_what_flops_say_is_taken_away() -> None:
    score, accuracy, flops = columns(4_000)
    found = agreement(score, accuracy, flops)
    assert found["overall"] > 0.25
    assert abs(found["given FLOPs"]) < 0.05, "apart from FLOPs they have nothing in common"


def test_nothing_is_said_where_nothing_varies() -> None:
    score, accuracy, flops = columns(30)
    assert np.isnan(partial_spearman(flops, accuracy, flops))
    assert np.isnan(list(agreement(np.ones(30), accuracy, flops).values())).all()
    few = agreement(score[:9], accuracy[:9], flops[:9])
    assert np.isnan(few["top tenth"])
    assert np.isfinite(few["overall"])
    with pytest.raises(BadSetting, match="three columns of equal length"):
        agreement(score, accuracy[1:], flops)
