"""Graph convolutions over a graph of labelled and unlabelled architectures."""

import numpy as np
import pytest
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tierwise import registry  # noqa: E402
from tierwise.errors import BadSetting  # noqa: E402
from tierwise.predictors.assessor import Assessor, AssessorNetwork  # noqa: E402
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()
QUICK = {"steps": 40, "members": 2, "width": 32, "unlabelled": 64}


def test_a_query_is_the_last_node_of_a_graph_that_it_does_not_change():
    network = AssessorNetwork(1, 5, 8, 3, 0.8, 0.3, torch.Generator().manual_seed(0))
    x = torch.rand(12, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        known = network.nodes(x[:11])
        at = (network.embed(x) - known.shift) / known.spread
        weights = network.similarity(at, at)[0].fill_diagonal_(1)
        degree = weights.sum(1)
        degree[:11] -= weights[:11, 11]  # the known nodes do not see the query
        row = weights[11] / (degree * degree[11]).sqrt()
        hidden = torch.relu(network.first((row @ at[0])[None, None]))[0, 0]
        expected = network.second((row[:11] @ known.hidden[0] + row[11] * hidden)[None, None])[0, 0, 0]
        assert network.score(x[11:], known)[0, 0].item() == pytest.approx(expected.item(), rel=1e-4)
        assert 1 < (weights[11] > 0).sum() < 12  # the threshold keeps some edges and drops others


def test_unlabelled_architectures_change_what_is_learnt():
    archs = SPACE.at(range(60))
    y = (archs.genes == 3).sum(1)
    without = Assessor(**QUICK | {"unlabelled": 0}).fit(archs, y)
    assert len(without.known_) == 60
    assert np.ptp(without.predict(archs) - Assessor(**QUICK).fit(archs, y).predict(archs)) > 0.01


def test_of_many_labelled_architectures_some_make_the_graph():
    archs = SPACE.at(range(2_500))
    predictor = Assessor(**QUICK | {"steps": 10}).fit(archs, (archs.genes == 3).sum(1))
    assert len(predictor.known_) == 2_048 + 64
    assert kendalltau(predictor.predict(archs), (archs.genes == 3).sum(1)).statistic > 0.3


@pytest.mark.parametrize(("encoding", "least"), [("adjacency", 0.52), ("paths", 0.79)])
def test_ranks_nasbench201_from_156_labels(encoding, least):
    truth = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    predictor = Assessor(encodings=(encoding,), members=2).fit(SPACE.at(chosen), truth[chosen])
    scores, std = predictor.predict(SPACE.enumerate(), return_std=True)
    assert kendalltau(scores, truth).statistic > least
    assert (std > 0).any()


@pytest.mark.parametrize(
    "name", ["unlabelled", "members", "width", "embedding", "bandwidth", "reconstruction", "steps", "batch"]
)
def test_bad_settings_are_refused(name):
    with pytest.raises(BadSetting, match=name):
        Assessor(**{name: -1}).fit(SPACE.at(range(10)), np.arange(10))
