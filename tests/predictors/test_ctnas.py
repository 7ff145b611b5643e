"""The comparator of two cells."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tierwise import registry  # noqa: E402
from tierwise.architecture import Architectures  # noqa: E402
from tierwise.errors import BadSetting  # noqa: E402
from tierwise.predictors.ctnas import CTNAS, comparison_loss  # noqa: E402
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()


def test_the_loss_of_three_by_hand():
    first, second = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[-1.0, 0.5, -2.0]])
    labels = torch.tensor([3.0, 1.0, 1.0])  # the last two are tied
    won = {(0, 1): 1.0, (0, 2): 1.0, (1, 0): 0.0, (2, 0): 0.0, (1, 2): 0.5, (2, 1): 0.5}
    losses = []
    for (i, j), target in won.items():
        chance = expit(first[0, i].item() + second[0, j].item())
        losses.append(-target * np.log(chance) - (1 - target) * np.log(1 - chance))
    assert comparison_loss(first, second, labels).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_score_is_the_mean_chance_to_win_against_the_labelled_cells():
    archs = SPACE.at(range(60))
    predictor = CTNAS(steps=20, members=1).fit(archs[:40], (archs[:40].genes == 3).sum(1))
    with torch.no_grad():
        brought = predictor.network_(predictor._cells(archs))[0].double().numpy()
    chances = expit(brought[:, None, 0] + brought[None, :40, 1])
    np.testing.assert_allclose(predictor.predict(archs), chances.mean(1), atol=1e-5)


def test_isomorphic_cells_have_equal_scores():
    archs = SPACE.enumerate()
    predictor = CTNAS(steps=20, members=2).fit(archs[:50], np.random.default_rng(0).random(50))
    mirrored = Architectures(SPACE, archs.genes[:, [1, 0, 2, 3, 5, 4]])  # nodes 1 and 2 exchanged
    both = archs.genes[:, 2] == 0  # where no edge joins them
    np.testing.assert_allclose(predictor.predict(mirrored[both]), predictor.predict(archs[both]), atol=1e-5)
    assert predictor.predict(archs[both]).std() > 0.01


def test_ranks_nasbench201_from_156_labels():
    truth = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    scores, std = CTNAS().fit(SPACE.at(chosen), truth[chosen]).predict(SPACE.enumerate(), return_std=True)
    assert kendalltau(scores, truth).statistic > 0.8
    assert ((scores > 0) & (scores < 1)).all()
    assert (std > 0).any()


def test_more_labels_than_a_batch():
    archs = SPACE.at(range(90))
    y = (archs.genes == 3).sum(1)
    scores = CTNAS(steps=60, batch=32, members=1).fit(archs, y).predict(archs)
    assert kendalltau(scores, y).statistic > 0.5


@pytest.mark.parametrize("name", ["members", "width", "layers", "steps", "batch"])
def test_bad_settings_are_refused(name):
    with pytest.raises(BadSetting, match=name):
        CTNAS(**{name: 0}).fit(SPACE.at(range(10)), np.arange(10))
