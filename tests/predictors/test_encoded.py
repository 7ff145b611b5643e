"""Predictors on the columns of encodings: a Gaussian process, a forest, boosted trees."""

import numpy as np
import pytest
from scipy.stats import kendalltau

pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from tests.small_spaces import Costed, tiny
from tierwise import registry
from tierwise.errors import BadModel, BadSetting
from tierwise.predictors.boosted_trees import BoostedTrees
from tierwise.predictors.encoded import normal_scores
from tierwise.predictors.forest import Forest
from tierwise.predictors.gaussian_process import GaussianProcess
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_predictor

SPACE = NASBench201()
ALL = [GaussianProcess, Forest, BoostedTrees]
LEAST = {GaussianProcess: 0.81, Forest: 0.81, BoostedTrees: 0.82}


@pytest.fixture(scope="module")
def accuracy():
    return registry.make("benchmark", "nasbench201").expected("accuracy")


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed)], ids=repr)
@pytest.mark.parametrize("kind", ALL)
def test_it_conforms(kind, space):
    check_predictor(lambda: kind(), space, op=space.choices[0].options[3])


@pytest.mark.parametrize("kind", ALL)
def test_ranks_nasbench201_from_156_validation_labels(kind, accuracy):
    chosen = np.random.default_rng(0).permutation(len(accuracy))[:156]
    scores = kind().fit(SPACE.at(chosen), accuracy[chosen]).predict(SPACE.enumerate())
    assert kendalltau(scores, accuracy).statistic > LEAST[kind]


@pytest.mark.parametrize("kind", ALL)
def test_equal_networks_have_equal_scores_on_path_counts(kind):
    archs = SPACE.sample(2_000, np.random.default_rng(0))
    predictor = kind(encodings=("paths",)).fit(archs[:80], (archs[:80].genes == 3).sum(1))
    _, first, same = np.unique(SPACE.canonical(archs), return_index=True, return_inverse=True)
    scores = predictor.predict(archs)
    assert np.abs(scores - scores[first][same]).max() < 1e-6


@pytest.mark.parametrize("kind", ALL)
def test_only_the_order_of_labels_counts(kind):
    archs, y = SPACE.at(range(0, 15_625, 200)), np.random.default_rng(0).random(79)
    a, b = (kind().fit(archs, labels).predict(archs) for labels in (y, np.exp(5 * y) - 3))
    assert (a == b).all()


@pytest.mark.parametrize("kind", ALL)
def test_a_space_without_cost_formulas_is_scored_without_costs(kind):
    space = tiny()
    archs = space.enumerate()
    predictor = kind().fit(archs[:60], (archs[:60].genes == 3).sum(1))
    assert predictor.encodings_ == ("paths",)
    assert np.isfinite(predictor.predict(archs)).all()
    with pytest.raises(BadSetting, match="costs of the space"):
        kind(encodings=("flops", "params")).fit(archs[:60], np.arange(60))


@pytest.mark.parametrize("kind", [GaussianProcess, Forest])
def test_it_is_less_sure_of_what_it_has_not_seen(kind):
    archs = SPACE.sample(300, np.random.default_rng(1)).unique()
    predictor = kind().fit(archs[:100], (archs[:100].genes == 3).sum(1))
    seen, unseen = (predictor.predict(part, return_std=True)[1].mean() for part in (archs[:100], archs[100:]))
    assert seen < unseen


def test_trees_give_no_standard_deviation():
    predictor = BoostedTrees(trees=5).fit(SPACE.at(range(30)), np.arange(30))
    with pytest.raises(BadSetting, match="no standard deviations"):
        predictor.predict(SPACE.at(range(3)), return_std=True)


def test_the_kernel_is_chosen_on_some_labels_and_conditioned_on_all():
    archs = SPACE.at(range(0, 15_625, 100))
    few = GaussianProcess(most=40).fit(archs, (archs.genes == 3).sum(1))
    assert len(few.process_.X_train_) == len(archs) == 157
    assert (few.theta_ != GaussianProcess().fit(archs, (archs.genes == 3).sum(1)).theta_).any()


def test_a_saved_one_scores_a_whole_space_equally(tmp_path):
    archs = SPACE.sample(60, np.random.default_rng(0))
    for kind in ALL:
        fitted = kind().fit(archs, (archs.genes == 3).sum(1))
        fitted.save(tmp_path / "one.npz")
        assert (kind.load(tmp_path / "one.npz").predict(SPACE.enumerate()) == fitted.predict(SPACE.enumerate())).all()


def test_a_text_that_is_no_model_is_refused(tmp_path):
    fitted = BoostedTrees(trees=5).fit(SPACE.at(range(30)), np.arange(30))
    fitted.trees_._text = "no trees"
    fitted.save(tmp_path / "one.npz")
    with pytest.raises(BadModel, match="not a model of LightGBM"):
        BoostedTrees.load(tmp_path / "one.npz")


def test_normal_scores_keep_order_and_ties():
    scores = normal_scores(np.array([3.0, 1.0, 1.0, 9.0]))
    assert scores.tolist() == pytest.approx([0.3186, -0.6745, -0.6745, 1.1503], abs=1e-4)


@pytest.mark.parametrize(
    "broken",
    [
        GaussianProcess(kernel="linear"), GaussianProcess(most=2), GaussianProcess(restarts=-1), Forest(trees=0),
        Forest(max_features=0.0), Forest(min_leaf=0), BoostedTrees(trees=0), BoostedTrees(leaves=1),
        BoostedTrees(learning_rate=0.0), Forest(encodings=()),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(broken):
    with pytest.raises(BadSetting):
        broken.fit(SPACE.at(range(10)), np.arange(10))
