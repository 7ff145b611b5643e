"""Draft for tests/predictors/test_tier.py."""

import numpy as np
import pytest
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tierwise.errors import BadSetting  # noqa: E402
from tierwise.predictors.tier import Tier, one_cycle  # noqa: E402
from tierwise.predictors.tier_network import (  # noqa: E402
    TierNetwork,
    TierSizes,
    ranking_loss,
    tier_means,
)
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402
from tierwise.tier_statistics import tier_blocks  # noqa: E402

SPACE = NASBench201()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network(members=2, inputs=3, tiers=4):
    return TierNetwork(TierSizes(members, inputs, tiers, width=6, layers=2), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("dataset", "least"), [("c10", 0.82), ("c100", 0.83), ("in16", 0.82)])
def test_ranks_nasbench201_from_156_validation_labels(nb201, dataset, least):
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    labels = np.nanmean(nb201[f"{dataset}_val200"], axis=1)[chosen]
    scores = Tier().fit(SPACE.at(chosen), labels).predict(SPACE.enumerate())
    assert kendalltau(scores, nb201[f"{dataset}_test200_mean"]).statistic > least


def test_equal_networks_have_equal_scores_and_tiers():
    archs = SPACE.enumerate()
    predictor = Tier(steps=30).fit(archs[:100], (archs[:100].genes == 3).sum(1))
    _, first, same = np.unique(SPACE.canonical(archs), return_index=True, return_inverse=True)
    scores = predictor.predict(archs)
    assert np.abs(scores - scores[first][same]).max() < 1e-4
    chances = predictor.predict_tier_proba(archs)
    assert np.abs(chances - chances[first][same]).max() < 1e-4


def test_only_the_order_of_labels_counts():
    archs = SPACE.at(range(60))
    y = np.random.default_rng(0).random(60)
    a, b = (Tier(steps=20).fit(archs, labels).predict(archs) for labels in (y, np.exp(5 * y) - 3))
    assert (a == b).all()


@pytest.mark.parametrize(("n", "tiers"), [(4, 2), (7, 3), (9, 4), (10, 5), (50, 5)])
def test_few_labels_make_few_tiers(n, tiers):
    archs = SPACE.at(range(n))
    predictor = Tier(steps=10).fit(archs, np.arange(n))
    assert predictor.embeddings_.shape[:2] == (8, tiers)
    assert predictor.predict_tier_proba(archs).shape == (n, tiers)
    assert len(predictor.tiers_) == tiers - 1


def test_embeddings_are_the_means_of_the_labelled_members():
    archs, y = SPACE.at(range(40)), np.random.default_rng(0).random(40)
    predictor = Tier(steps=20).fit(archs, y)
    features = predictor.network_.encode(predictor._inputs(archs)).detach().numpy()
    for tier in range(5):
        expected = features[:, tier_blocks(y) == tier].mean(1)
        np.testing.assert_allclose(predictor.embeddings_[:, tier], expected, rtol=1e-4, atol=1e-5)


def test_tier_knows_its_embedding():
    """Exchanging two embeddings exchanges their logits, apart from the bias of each tier."""
    net = network()
    features, embeddings = torch.randn(2, 5, 6), torch.randn(2, 4, 6)
    before, after = (net.tier_logits(features, e) for e in (embeddings, embeddings[:, [1, 0, 2, 3]]))
    torch.testing.assert_close(after, before[:, :, [1, 0, 2, 3]])


def test_members_do_not_touch_each_other():
    net = network()
    x = torch.randn(2, 5, 3)
    changed = x.clone()
    changed[1] += 1
    before, after = (net.score(net.encode(z)) for z in (x, changed))
    assert (before[0] == after[0]).all()
    assert (before[1] != after[1]).all()


def test_ranking_loss_of_three_by_hand():
    scores = torch.tensor([[2.0, 0.0, 1.0]])
    labels = torch.tensor([[3.0, 1.0, 1.0]])  # the last two are tied
    expected = 2 * (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-1.0))) / 9
    assert ranking_loss(scores, labels).item() == pytest.approx(expected, rel=1e-6)


def test_the_mean_of_an_empty_tier_is_zero():
    means = tier_means(torch.tensor([[[2.0], [4.0]]]), torch.tensor([[0, 0]]), 2)
    assert means.tolist() == [[[3.0], [0.0]]]


def test_more_labels_than_a_batch():
    archs = SPACE.at(range(90))
    y = (archs.genes == 3).sum(1)
    scores = Tier(steps=60, batch=32).fit(archs, y).predict(archs)
    assert kendalltau(scores, y).statistic > 0.5


def test_several_encodings_side_by_side():
    archs = SPACE.at(range(40))
    predictor = Tier(steps=10, encodings=("paths", "flops", "cost_tensor")).fit(archs, np.arange(40))
    assert np.isfinite(predictor.predict(archs)).all()
    assert len(predictor.centre_) == 66 + 1 + 31 * 16


@pytest.mark.parametrize("name", ["n_tiers", "members", "width", "layers", "steps", "batch"])
def test_bad_settings_are_refused(name):
    with pytest.raises(BadSetting, match=name):
        Tier(**{name: 0}).fit(SPACE.at(range(10)), np.arange(10))


def test_the_learning_rate_rises_and_falls():
    assert one_cycle(0.0) == 0.0
    assert one_cycle(0.2) == pytest.approx(1.0)
    assert one_cycle(0.6) == pytest.approx(0.5)
    assert one_cycle(1.0) == pytest.approx(0.0)
