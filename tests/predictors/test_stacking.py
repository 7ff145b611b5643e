"""Several predictors as one."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest
from scipy.stats import kendalltau

from tierwise import registry
from tierwise.errors import BadSetting, UnknownName
from tierwise.predictor import Predictor
from tierwise.predictors.forest import Forest
from tierwise.predictors.gaussian_process import GaussianProcess
from tierwise.predictors.stacking import Stacking
from tierwise.spaces.nasbench201 import NASBench201

SPACE = NASBench201()


class SmallForest(Forest):
    """A forest that is quick."""

    def __init__(self, *, seed: int = 0):
        super().__init__(trees=20, seed=seed)


class Noise(Predictor):
    """Learns nothing: a scattered number for every architecture."""

    def __init__(self, *, seed: int = 0):
        self.seed = seed

    def fit(self, archs, y):
        self.fitted_ = True
        return self

    def predict(self, archs, return_std=False):
        return np.sin(1e4 * archs.genes.astype(float) @ np.arange(1, archs.shape[1] + 1) ** 2.5)


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    for kind in (SmallForest, Noise):
        point = EntryPoint(kind.__name__, f"{__name__}:{kind.__name__}", "tierwise.predictors")
        monkeypatch.setitem(registry.installed("predictor"), kind.__name__, point)
    gp = EntryPoint("gp", "tierwise.predictors.gaussian_process:GaussianProcess", "tierwise.predictors")
    monkeypatch.setitem(registry.installed("predictor"), "gp", gp)


def stacking(*predictors, **settings):
    return Stacking(predictors=predictors or ("gp", "SmallForest"), **settings)


def test_ranks_nasbench201_from_156_validation_labels():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(len(accuracy))[:156]
    scores = stacking().fit(SPACE.at(chosen), accuracy[chosen]).predict(SPACE.enumerate())
    assert kendalltau(scores, accuracy).statistic > 0.81


def test_a_member_that_learns_nothing_gets_no_weight():
    archs = SPACE.sample(80, np.random.default_rng(0))
    fitted = stacking("gp", "Noise").fit(archs, (archs.genes == 3).sum(1) + 0.1 * (archs.genes == 2).sum(1))
    assert fitted.weights_.tolist() == [1.0, 0.0]


def test_few_labels_have_even_weights():
    archs = SPACE.at(range(0, 15_625, 2_000))
    assert stacking().fit(archs, np.arange(8)).weights_.tolist() == [0.5, 0.5]


def test_one_weight_ranks_as_that_member():
    archs = SPACE.sample(80, np.random.default_rng(0))
    y, rest = (archs.genes == 3).sum(1), SPACE.at(range(0, 15_625, 20))
    fitted = stacking("gp", "Noise").fit(archs, y)
    fitted.weights_ = np.array([1.0, 0.0])
    alone = GaussianProcess().fit(archs, y).predict(rest)
    assert kendalltau(fitted.predict(rest), alone).statistic == pytest.approx(1.0)
    assert not fitted.predict(rest, return_std=True)[1].any()


def test_bad_settings_are_refused():
    archs = SPACE.at(range(20))
    for broken in (stacking("gp"), stacking(folds=1)):
        with pytest.raises(BadSetting, match="predictors and folds"):
            broken.fit(archs, np.arange(20))
    with pytest.raises(UnknownName, match="no predictor"):
        stacking("gp", "nothing of this name").fit(archs, np.arange(20))
