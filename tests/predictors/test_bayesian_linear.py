"""Bayesian linear regression on arch2vec's embedding."""

import numpy as np
import pytest
from scipy.stats import kendalltau, norm

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tests.small_spaces import Costed, tiny
from tierwise import registry
from tierwise.errors import BadSetting
from tierwise.predictors.bayesian_linear import BayesianLinear
from tierwise.predictors.encoded import normal_scores
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_predictor

SPACE = NASBench201()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A data folder for this file's weights."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def data_folder(kept, monkeypatch):
    monkeypatch.setenv("TIERWISE_HOME", str(kept))


@pytest.mark.parametrize(("space", "basis"), [(SPACE, "dngo"), (SPACE, "linear"), (tiny(cls=Costed), "dngo")], ids=repr)
def test_it_conforms(space, basis):
    check_predictor(lambda: BayesianLinear(basis, pretraining_epochs=1), space, op=space.choices[0].options[3])


def test_ranks_nasbench201_from_156_validation_labels():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(len(accuracy))[:156]
    for basis, bound in (("dngo", 0.58), ("linear", 0.48)):
        predictor = BayesianLinear(basis, pretraining_epochs=3).fit(SPACE.at(chosen), accuracy[chosen])
        assert kendalltau(predictor.predict(SPACE.enumerate()), accuracy).statistic > bound


def test_intervals_of_the_linear_basis_hold_what_they_promise():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(len(accuracy))[:156]
    predictor = BayesianLinear("linear", pretraining_epochs=3).fit(SPACE.at(chosen), accuracy[chosen])
    score, std = predictor.predict(SPACE.enumerate(), return_std=True)
    inside = np.abs(score - normal_scores(accuracy)) < norm.ppf(0.95) * std
    assert 0.85 < inside.mean() < 0.95


def test_a_saved_one_brings_its_encoding(tmp_path, monkeypatch):
    archs = SPACE.sample(60, np.random.default_rng(0))
    fitted = BayesianLinear(pretraining_epochs=1).fit(archs, (archs.genes == 3).sum(1))
    fitted.save(tmp_path / "one.npz")
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path / "elsewhere"))
    score, std = BayesianLinear.load(tmp_path / "one.npz").predict(archs, return_std=True)
    expected_score, expected_std = fitted.predict(archs, return_std=True)
    assert (score == expected_score).all()
    assert (std == expected_std).all()
    assert not (tmp_path / "elsewhere").exists()


def test_only_the_order_of_the_labels_counts():
    archs = SPACE.sample(40, np.random.default_rng(0))
    y = np.random.default_rng(1).random(40)
    one, other = (BayesianLinear("linear", pretraining_epochs=1).fit(archs, labels) for labels in (y, np.exp(9 * y)))
    assert (one.predict(archs) == other.predict(archs)).all()


def test_what_is_unlike_the_labelled_is_less_sure():
    archs = SPACE.enumerate()
    convolutions = (archs.genes == 3).sum(1)
    alike, unlike = np.flatnonzero(convolutions <= 1), np.flatnonzero(convolutions >= 5)
    predictor = BayesianLinear("linear", pretraining_epochs=1).fit(archs[alike[::40]], convolutions[alike[::40]])
    stds = [predictor.predict(archs[rows], return_std=True)[1].mean() for rows in (alike, unlike)]
    assert stds[0] < stds[1]


def test_another_space_is_refused():
    archs = SPACE.sample(40, np.random.default_rng(0))
    predictor = BayesianLinear("linear", pretraining_epochs=1).fit(archs, (archs.genes == 3).sum(1))
    with pytest.raises(BadSetting, match="space"):
        predictor.predict(tiny().sample(3, np.random.default_rng(0)))


def test_another_basis_is_refused():
    with pytest.raises(BadSetting, match="dngo"):
        BayesianLinear("cubic").fit(SPACE.at(range(10)), np.arange(10))
