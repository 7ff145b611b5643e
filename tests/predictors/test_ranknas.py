"""Trees on pairs: the loss by hand, the columns that are left, and what they rank."""

import numpy as np
import pytest
from scipy.stats import kendalltau

pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from tests.small_spaces import Costed, tiny
from tierwise import registry
from tierwise.errors import BadSetting
from tierwise.predictors.ranknas import RankNAS, pairwise_gradient
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_predictor

SPACE = NASBench201()


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    check_predictor(lambda: RankNAS(trees=60), space, op=space.choices[0].options[3])


def test_ranks_nasbench201_from_156_validation_labels():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(len(accuracy))[:156]
    scores = RankNAS().fit(SPACE.at(chosen), accuracy[chosen]).predict(SPACE.enumerate())
    assert kendalltau(scores, accuracy).statistic > 0.81


def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    score, order = rng.normal(size=6), np.array([1.0, 2, 2, 3, 4, 5])

    def loss(s, row):
        sign = np.sign(order[row] - order)
        return (np.abs(sign) * np.log1p(np.exp(-sign * (s[row] - s)))).sum() / np.abs(sign).sum()

    first, second = pairwise_gradient(score, order, rng)
    for row in range(6):
        step = np.eye(6)[row] * 1e-4
        there, here, back = (loss(score + shift, row) for shift in (step, 0 * step, -step))
        assert first[row] == pytest.approx((there - back) / 2e-4, abs=1e-6)
        assert second[row] == pytest.approx((there - 2 * here + back) / 1e-8, abs=1e-4)


def test_many_rows_are_compared_with_some():
    order = np.arange(700.0)
    first, second = pairwise_gradient(np.zeros(700), order, np.random.default_rng(0))
    assert kendalltau(first, -order).statistic > 0.99  # the best are pulled up, the worst down
    assert (second > 0).all()


def test_columns_that_do_not_matter_are_left_out():
    archs = SPACE.sample(150, np.random.default_rng(0)).unique()
    y = 2.0 * (archs.genes[:, 0] == 3) + (archs.genes[:, 5] == 2)  # one-hot columns 3 and 27
    predictor = RankNAS(encodings=("onehot",), keep=0.9).fit(archs, y)
    assert set(predictor.columns_) <= {3, 27}
    assert predictor.importance_.argmax() == 3
    assert set(RankNAS(encodings=("onehot",), keep=1.0).fit(archs, y).columns_) >= {3, 27}


def test_without_an_important_column_all_are_kept():
    archs = SPACE.at(range(20))
    assert len(RankNAS(encodings=("onehot",)).fit(archs, np.ones(20)).columns_) == 30


@pytest.mark.parametrize("settings", [{"keep": 0.0}, {"keep": 1.1}, {"trees": 0}, {"learning_rate": 0.0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(BadSetting, match="keep, trees and learning_rate"):
        RankNAS(**settings).fit(SPACE.at(range(10)), np.arange(10))
