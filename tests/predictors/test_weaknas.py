"""Weak predictors and their ensemble."""

import numpy as np
import pytest
from scipy.stats import kendalltau, norm

pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from tierwise import registry
from tierwise.errors import BadSetting
from tierwise.predictors.weaknas import WeakNAS, log_expected_improvement
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_predictor

SPACE = NASBench201()
QUICK = {"hidden": (64, 64), "trees": 40}


def test_expected_improvement_conforms():
    check_predictor(lambda: WeakNAS(**QUICK, expected_improvement=True), SPACE, op=SPACE.choices[0].options[3])


def test_ranks_nasbench201_from_156_validation_labels():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(len(accuracy))[:156]
    predictor = WeakNAS(hidden=(256, 256), trees=200).fit(SPACE.at(chosen), accuracy[chosen])
    assert kendalltau(predictor.predict(SPACE.enumerate()), accuracy).statistic > 0.80


def test_members_of_a_kind_differ():
    archs = SPACE.at(range(0, 15_625, 200))
    y = np.random.default_rng(0).random(len(archs))
    for kind in ("mlp", "trees", "forest"):
        predictor = WeakNAS(**QUICK, models=(kind,), members=2).fit(archs, y)
        assert len(predictor.members_) == 2
        assert (predictor.predict(SPACE.at(range(500)), return_std=True)[1] > 0).any()
        assert not WeakNAS(**QUICK, models=(kind,)).fit(archs, y).predict(archs, return_std=True)[1].any()


def test_the_mean_scores():
    archs = SPACE.at(range(0, 15_625, 200))
    predictor = WeakNAS(**QUICK, encodings=("onehot",)).fit(archs, (archs.genes == 3).sum(1))
    x = registry.make("encoding", "onehot").transform(archs)
    expected = np.mean([member.predict(x) for member in predictor.members_], axis=0)
    np.testing.assert_allclose(predictor.predict(archs), expected)


def test_expected_improvement_by_its_formula_and_far_from_the_best():
    mean, std = np.array([0.0, 1.0, 1.5, 3.0]), np.array([1.0, 0.5, 0.5, 0.2])
    z = (mean - 1.5) / std
    np.testing.assert_allclose(
        log_expected_improvement(mean, std, 1.5), np.log(std * (norm.pdf(z) + z * norm.cdf(z))), rtol=1e-6
    )
    far = log_expected_improvement(np.linspace(-1e3, 1, 50), np.full(50, 0.1), 1.5)
    assert np.isfinite(far).all()
    assert (np.diff(far) > 0).all()
    assert np.isfinite(log_expected_improvement(mean, np.zeros(4), 1.5)).all()


def test_a_saved_one_scores_a_whole_space_equally(tmp_path):
    archs = SPACE.sample(60, np.random.default_rng(0))
    fitted = WeakNAS(**QUICK, members=2, expected_improvement=True).fit(archs, (archs.genes == 3).sum(1))
    fitted.save(tmp_path / "one.npz")
    assert (WeakNAS.load(tmp_path / "one.npz").predict(SPACE.enumerate()) == fitted.predict(SPACE.enumerate())).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"models": ()}, {"models": ("svm",)}, {"members": 0}, {"models": ("mlp",), "expected_improvement": True},
        {"hidden": (0,)}, {"iterations": 0}, {"trees": 0},
    ],
)  # fmt: skip
def test_bad_settings_are_refused(settings):
    with pytest.raises(BadSetting):
        WeakNAS(**settings).fit(SPACE.at(range(10)), np.arange(10))
