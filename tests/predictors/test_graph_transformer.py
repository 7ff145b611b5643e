"""The transformer whose heads look along the links of a cell."""

import numpy as np
import pytest
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tierwise import registry  # noqa: E402
from tierwise.architecture import Architectures  # noqa: E402
from tierwise.errors import BadSetting, UnknownName  # noqa: E402
from tierwise.node_form import node_form  # noqa: E402
from tierwise.predictors.graph_transformer import GraphTransformer, Transformers, neighbour_bias  # noqa: E402
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()


def test_heads_see_inputs_readers_and_siblings():
    """0 is read by 1 and twice by 2, both are read by 3."""
    links = torch.zeros(1, 4, 4)
    links[0, 0, 1], links[0, 0, 2], links[0, 1, 3], links[0, 2, 3] = 1, 2, 1, 1
    reads, is_read, same_source, same_reader = (neighbour_bias(links)[0].exp() - torch.eye(4)).round().tolist()
    assert reads == [[0, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0], [0, 1, 1, 0]]
    assert is_read == [[0, 1, 2, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert same_source == [[0, 0, 0, 0], [0, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    assert same_reader == [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_the_order_of_nodes_is_not_seen():
    ops, links = map(torch.from_numpy, node_form(SPACE.graphs(SPACE.at(range(50)))))
    network = Transformers(2, 9, 8, 2, torch.Generator().manual_seed(0))
    order = torch.randperm(ops.shape[1], generator=torch.Generator().manual_seed(1))
    shuffled = network((ops[:, order], links[:, order[:, None], order]))
    torch.testing.assert_close(shuffled, network((ops, links)))
    assert shuffled.std() > 0.01


def test_isomorphic_cells_have_equal_scores():
    archs = SPACE.enumerate()
    predictor = GraphTransformer(steps=20, members=2).fit(archs[:50], np.random.default_rng(0).random(50))
    mirrored = Architectures(SPACE, archs.genes[:, [1, 0, 2, 3, 5, 4]])  # nodes 1 and 2 exchanged
    both = archs.genes[:, 2] == 0  # where no edge joins them
    np.testing.assert_allclose(predictor.predict(mirrored[both]), predictor.predict(archs[both]), atol=1e-4)
    assert predictor.predict(archs[both]).std() > 0.1


def test_ranks_nasbench201_from_156_labels():
    truth = registry.make("benchmark", "nasbench201").expected("accuracy")
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    scores, std = (
        GraphTransformer(members=2).fit(SPACE.at(chosen), truth[chosen]).predict(SPACE.enumerate(), return_std=True)
    )
    assert kendalltau(scores, truth).statistic > 0.79
    assert (std > 0).any()


@pytest.mark.parametrize(("name", "value"), [("members", 0), ("width", 10), ("layers", 0), ("steps", 0), ("batch", 1)])
def test_bad_settings_are_refused(name, value):
    with pytest.raises(BadSetting, match=name):
        GraphTransformer(**{name: value}).fit(SPACE.at(range(10)), np.arange(10))


def test_an_unknown_loss_is_refused():
    with pytest.raises(UnknownName, match="listmle"):
        GraphTransformer(loss="list").fit(SPACE.at(range(10)), np.arange(10))
