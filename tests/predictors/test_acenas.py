"""The graph network that learns costs first."""

import numpy as np
import pytest
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tests.small_spaces import tiny  # noqa: E402
from tierwise import registry  # noqa: E402
from tierwise.architecture import Architectures  # noqa: E402
from tierwise.errors import BadSetting  # noqa: E402
from tierwise.predictors.acenas import AceNAS, standard_costs  # noqa: E402
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()


def test_weak_labels_are_standardised_costs():
    archs = SPACE.sample(200, np.random.default_rng(0))
    costs = standard_costs(archs)
    np.testing.assert_allclose(costs.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(costs.std(0), 1, atol=1e-5)
    for column, known in zip(costs.T, SPACE.totals(archs).T, strict=True):
        assert np.corrcoef(column, known)[0, 1] > 0.999
    assert standard_costs(tiny().enumerate()) is None


def test_pretraining_learns_the_costs():
    archs = SPACE.sample(500, np.random.default_rng(7))
    predictor = AceNAS(members=1)
    predictor._start(archs, torch.Generator())
    generator = torch.Generator().manual_seed(0)
    network = predictor._make_network(len(predictor.names_) + 1, generator)
    predictor._pretrain(network, archs, generator)
    with torch.no_grad():
        guessed = network(predictor._cells(archs))[0, :, 1:].numpy()
    for k, known in enumerate(standard_costs(archs).T):
        assert np.corrcoef(guessed[:, k], known)[0, 1] > 0.9


def test_a_space_without_costs_is_learnt_all_the_same():
    archs = tiny().enumerate()
    y = (archs.genes == 3).sum(1)
    assert kendalltau(AceNAS(steps=60, members=1).fit(archs[::2], y[::2]).predict(archs), y).statistic > 0.5


def test_isomorphic_cells_have_equal_scores():
    archs = SPACE.enumerate()
    quick = AceNAS(pretraining_steps=5, steps=20, members=2)
    predictor = quick.fit(archs[:50], np.random.default_rng(0).random(50))
    mirrored = Architectures(SPACE, archs.genes[:, [1, 0, 2, 3, 5, 4]])  # nodes 1 and 2 exchanged
    both = archs.genes[:, 2] == 0  # where no edge joins them
    np.testing.assert_allclose(predictor.predict(mirrored[both]), predictor.predict(archs[both]), atol=1e-4)
    assert predictor.predict(archs[both]).std() > 0.1


def test_ranks_nasbench201_from_156_labels():
    truth = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    scores = AceNAS().fit(SPACE.at(chosen), truth[chosen]).predict(SPACE.enumerate())
    assert kendalltau(scores, truth).statistic > 0.62
    assert (-truth).argsort().argsort()[scores.argsort()[-10:]].min() < 50  # what it is for: the top


@pytest.mark.parametrize("name", ["members", "width", "layers", "cells", "pretraining_steps", "steps", "batch"])
def test_bad_settings_are_refused(name):
    with pytest.raises(BadSetting, match=name):
        AceNAS(**{name: 0}).fit(SPACE.at(range(10)), np.arange(10))
