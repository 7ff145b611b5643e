"""Effects of options and rules for sets, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise import make
from tierwise.errors import BadSetting
from tierwise.filters import Filter
from tierwise.insight.effects import THIN, effects
from tierwise.insight.rules import rules

SPACE = make("space", "nasbench201")
EVERY = SPACE.enumerate()


def test_an_effect_is_a_difference_of_means() -> None:
    rng = np.random.default_rng(0)
    archs = EVERY[rng.choice(len(EVERY), 300, replace=False)]
    y = 3.0 * (archs.genes[:, 2] == 3) + rng.normal(size=300)
    y[:10] = np.nan
    found, known = effects(archs, y), slice(10, None)
    for gene, option in ((2, 3), (2, 0), (5, 1)):
        has = archs.genes[known, gene] == option
        assert found.count[gene, option] == has.sum()
        assert found.mean[gene, option] == pytest.approx(y[known][has].mean())
        assert found.effect[gene, option] == pytest.approx(y[known][has].mean() - y[known][~has].mean())
        assert found.low[gene, option] < found.effect[gene, option] < found.high[gene, option]
    assert found.n == 290
    assert not found.thin[2, 3]
    assert found.low[2, 3] < 3.0 < found.high[2, 3]
    assert found.thin.sum() >= 20  # of 29 options without an effect, with intervals of 95 %


def test_intervals_cover_the_true_effect() -> None:
    covered = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        archs = EVERY[rng.choice(len(EVERY), 200, replace=False)]
        y = 1.0 * (archs.genes[:, 0] == 4) + rng.normal(size=200)
        found = effects(archs, y, share=0.9, samples=200, seed=seed)
        covered.append(found.low[0, 4] <= 1.0 <= found.high[0, 4])
    assert 0.8 <= np.mean(covered) <= 0.97


def test_what_all_or_none_have_has_no_effect() -> None:
    archs = EVERY[EVERY.genes[:, 1] == 2]
    found = effects(archs, np.arange(len(archs), dtype=float))
    assert np.isnan(found.effect[1]).all()
    assert found.count[1].tolist() == [0, 0, len(archs), 0, 0]
    assert found.thin[1].all()
    nothing = effects(archs[:0], np.zeros(0))
    assert np.isnan(nothing.effect).all()
    assert nothing.n == 0 < THIN


def test_a_rule_finds_what_made_the_set() -> None:
    params = SPACE.totals(EVERY)[:, 1].astype(float)
    inside = ((EVERY.genes == 3).sum(1) >= 2) & (params < 900_000)
    found = rules(EVERY, inside, {"params": params})
    best = found[0]
    holds = Filter(best.text, SPACE, {"params": lambda archs: SPACE.totals(archs)[:, 1].astype(float)}).mask(EVERY)
    assert best.matches == holds.sum()
    assert best.purity == pytest.approx((holds & inside).sum() / holds.sum())
    assert best.coverage == pytest.approx((holds & inside).sum() / inside.sum())
    assert best.purity > 0.95
    assert best.coverage > 0.95
    assert "count(nor_conv_3x3)" in best.text


def test_a_rule_may_be_a_single_pick() -> None:
    inside = EVERY.genes[:, 3] == 0
    assert rules(EVERY, inside, {})[0].text == f'pick("{SPACE.choices[3].path}") == "none"'
    assert rules(EVERY, ~inside, {})[0].text == f'pick("{SPACE.choices[3].path}") != "none"'


@pytest.mark.parametrize("inside", [np.zeros(len(EVERY), dtype=bool), np.ones(len(EVERY), dtype=bool)])
def test_nothing_and_everything_have_no_rule(inside: np.ndarray) -> None:
    with pytest.raises(BadSetting, match="some of them"):
        rules(EVERY, inside, {})
