"""Explanations: values add up to the score, name what counts, and say how well they follow the predictor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from tests.small_spaces import Costed, Flat, tiny
from tierwise import registry
from tierwise.encodings.onehot import OneHot
from tierwise.errors import BadSetting
from tierwise.explanation import Explanation, explain
from tierwise.metrics import kendall_tau
from tierwise.spaces.nasbench201 import NASBench201

SPACE = NASBench201()
TRAIN, REST = SPACE.at(range(0, 15_625, 100)), SPACE.at(range(7, 15_625, 500))


def fitted(name: str, **settings: Any) -> Any:
    """A predictor that has learnt how many convolutions of 3 x 3 a cell has, less its poolings."""
    y = (TRAIN.genes == 3).sum(1) - 0.5 * (TRAIN.genes == 4).sum(1)
    return registry.make("predictor", name, **settings).fit(TRAIN, y)


def adds_up(found: Explanation) -> None:
    total = found.base + found.values.sum(1) + found.rest
    assert np.allclose(total, found.score, atol=1e-9)
    assert found.values.shape == found.columns.shape == (len(found.archs), len(found.names))


def test_boosted_trees_are_explained_themselves_and_exactly() -> None:
    predictor = fitted("trees")
    found = explain(predictor, REST)
    adds_up(found)
    assert np.allclose(found.score, predictor.predict(REST))
    assert np.abs(found.rest).max() < 1e-6
    assert (found.r2, found.tau) == (1.0, 1.0)
    assert "labels" in found.unit


@pytest.mark.parametrize("name", ["gp", "forest", "ranknas"])
def test_any_other_predictor_is_explained_by_trees_that_follow_it(name: str) -> None:
    predictor = fitted(name)
    found = explain(predictor, REST)
    adds_up(found)
    assert found.r2 > 0.9
    assert found.tau > 0.8
    assert kendall_tau(found.score, predictor.predict(REST)) > 0.99  # the order is the predictor's, not the trees'
    assert "space" in found.unit


def test_the_values_of_what_counts_have_its_sign() -> None:
    found = explain(fitted("gp"), SPACE.sample(400, np.random.default_rng(0)))
    ways = {reason.name: reason.direction for reason in found.overall(12)}
    assert ways["nor_conv_3x3 over all paths"] > 0.5
    assert all(direction > 0 for name, direction in ways.items() if name.startswith("paths without avg_pool"))
    strengths = [reason.strength for reason in found.overall(12)]
    assert strengths == sorted(strengths, reverse=True)


def test_a_linear_predictor_gets_back_its_weights() -> None:
    space = tiny(cls=Costed)
    archs = space.enumerate()
    y = 3.0 * (archs.genes[:, 0] == 3) - 1.0 * (archs.genes[:, 2] == 1)
    predictor = make_pipeline(OneHot(), Ridge(1e-6)).fit(archs, y)
    found = explain(predictor, archs, encodings=("onehot",))
    names = [reason.name for reason in found.overall(2)]
    assert names == ["cell/0-1 is conv3x3", "cell/1-2 is skip"]
    assert [np.sign(reason.direction) for reason in found.overall(2)] == [1, -1]
    others = [reason.strength for reason in found.overall(15)[2:]]
    assert max(others, default=0.0) < 0.3 * found.overall(1)[0].strength


def test_a_row_has_the_same_values_alone_and_among_others() -> None:
    predictor = fitted("gp")
    together, alone = explain(predictor, REST), explain(predictor, REST[3:4])
    assert np.allclose(together.values[3], alone.values[0])
    assert together.part(slice(3, 4)).top(5) == alone.top(5)
    assert together.top(5, row=3) == alone.top(5)


def test_equal_seeds_give_equal_values_and_no_global_random_number_is_drawn() -> None:
    predictor, before = fitted("forest"), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (explain(predictor, REST, seed=1).values for _ in range(2))
    assert (first == second).all()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_the_top_is_sorted_and_leaves_out_what_does_nothing() -> None:
    found = explain(fitted("trees"), REST)
    sizes = [abs(value) for _, _, value in found.top(1_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < len(sizes) < len(found.names)
    assert min(sizes) > 0
    for row, k in ((-1, 3), (len(REST), 3), (0, 0)):
        with pytest.raises(BadSetting, match="row and k"):
            found.top(k, row=row)


def test_what_a_space_cannot_give_is_left_out() -> None:
    space = Flat()
    archs = space.sample(80, np.random.default_rng(0))
    predictor = registry.make("predictor", "forest", encodings=("onehot",)).fit(archs, (archs.genes == 1).sum(1))
    found = explain(predictor, archs[:2], sample=300)
    adds_up(found)
    assert "layer/0 is wide" in found.names
    assert "FLOPs" not in found.names
    with pytest.raises(BadSetting, match="such as onehot"):
        explain(predictor, archs[:2], encodings=("flops", "params"))


def test_equal_scores_have_no_reasons() -> None:
    predictor = registry.make("predictor", "forest").fit(TRAIN, np.ones(len(TRAIN)))
    found = explain(predictor, REST)
    adds_up(found)
    assert found.overall() == []
    assert found.top() == []


def test_another_space_and_useless_settings_are_refused() -> None:
    predictor = fitted("forest")
    with pytest.raises(BadSetting, match=r"nasbench201.*fitted on"):
        explain(predictor, tiny().enumerate())
    for archs, sample in ((REST[:0], 500), (REST, 3)):
        with pytest.raises(BadSetting, match="sample"):
            explain(predictor, archs, sample=sample)
