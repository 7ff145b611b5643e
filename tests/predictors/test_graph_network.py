"""Cells in node form, and the graph convolution network that scores them."""

import numpy as np
import pytest
from scipy.stats import kendalltau

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tests.small_spaces import Flat, Unordered, tiny  # noqa: E402
from tierwise import registry  # noqa: E402
from tierwise.architecture import Architectures, Graphs  # noqa: E402
from tierwise.errors import BadSetting, UnknownName  # noqa: E402
from tierwise.node_form import node_form  # noqa: E402
from tierwise.predictors.graph_layers import GraphEncoder  # noqa: E402
from tierwise.predictors.graph_network import GraphNetwork  # noqa: E402
from tierwise.predictors.ranking_losses import LOSSES  # noqa: E402
from tierwise.spaces.nasbench101 import NASBench101  # noqa: E402
from tierwise.spaces.nasbench201 import NASBench201  # noqa: E402

SPACE = NASBench201()


def links_of(ops, links, names, row=0):
    """The links of a row as pairs of operation names, with how often."""
    named = [names[code - 1] if code else None for code in ops[row]]
    return sorted((named[i], named[j], int(links[row, i, j])) for i, j in np.argwhere(links[row]))


def test_operations_on_edges_become_nodes():
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
    graphs = SPACE.graphs(Architectures.of([SPACE.parse(text)], SPACE))
    chain = [("input", "nor_conv_3x3"), ("nor_conv_3x3", "nor_conv_1x1")]
    kept = [*chain, ("nor_conv_1x1", "skip_connect"), ("skip_connect", "output")]
    assert links_of(*node_form(graphs), graphs.ops) == sorted((*pair, 1) for pair in kept)
    merged = [*chain, ("nor_conv_1x1", "output")]
    assert links_of(*node_form(graphs, "skip_connect"), graphs.ops) == sorted((*pair, 1) for pair in merged)


def test_a_link_says_how_often_a_value_is_read():
    """Four identities on the way 0-1-3 and 0-2-3, one directly, and 1-2: the output sums the input up four times."""
    skips = SPACE.parse("nasbench201/1-1-1-1-1-1")
    graphs = SPACE.graphs(Architectures.of([skips], SPACE))
    assert links_of(*node_form(graphs, "skip_connect"), graphs.ops) == [("input", "output", 4)]


def test_what_is_on_no_way_through_the_cell_is_left_out():
    dead = SPACE.parse("nasbench201/3-0-0-2-0-0")  # nothing arrives at the output
    useless = SPACE.parse("nasbench201/3-3-0-2-0-0")
    arch = SPACE.parse("nasbench201/0-0-3-2-0-0")  # the convolution on the way to the output has no input
    ops, links = node_form(SPACE.graphs(Architectures.of([dead, useless, arch], SPACE)))
    names = SPACE.graphs(Architectures.of([dead], SPACE)).ops
    assert [links_of(ops, links, names, row) for row in (0, 1)] == [
        [("input", "nor_conv_1x1", 1), ("nor_conv_1x1", "output", 1)],
        [("input", "nor_conv_1x1", 1), ("nor_conv_1x1", "output", 1)],
    ]


def test_operations_on_nodes_stay():
    space = NASBench101()
    graphs = space.graphs(space.sample(200, np.random.default_rng(0)))
    ops, links = node_form(graphs)
    assert (ops == graphs.node_op).all()
    assert (links == (graphs.edge_op > 0)).all()


def test_operations_on_nodes_and_on_edges():
    node_op, edge_op = np.array([[4, 2, 5]], np.uint8), np.zeros((1, 3, 3), np.uint8)
    edge_op[0, 0, 1], edge_op[0, 1, 2], edge_op[0, 0, 2] = 1, 3, 2
    names = ("pool", "conv", "", "input", "output")
    found = links_of(*node_form(Graphs(node_op, edge_op, names)), names)
    assert found == [
        ("conv", "output", 1),
        ("conv", "output", 1),
        ("input", "conv", 1),
        ("input", "pool", 1),
        ("pool", "conv", 1),
    ]


@pytest.mark.parametrize("space", [SPACE, tiny(), tiny(5), Flat(), Unordered(), NASBench101()], ids=repr)
def test_links_go_forward_between_nodes_that_are_there(space):
    ops, links = node_form(space.graphs(space.sample(300, np.random.default_rng(0))), space.identity_op)
    assert not np.tril(links).any()
    assert not (links.any(2) & (ops == 0)).any()
    assert not (links.any(1) & (ops == 0)).any()
    assert ops.any()


def test_the_encoder_does_not_see_the_order_of_nodes():
    ops, links = map(torch.from_numpy, node_form(SPACE.graphs(SPACE.at(range(50)))))
    encoder = GraphEncoder(2, 9, 8, 2, torch.Generator().manual_seed(0))
    order = torch.randperm(ops.shape[1], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(encoder(ops[:, order], links[:, order[:, None], order]), encoder(ops, links))


def test_isomorphic_cells_have_equal_scores():
    archs = SPACE.enumerate()
    predictor = GraphNetwork(steps=20, members=2).fit(archs[:50], np.random.default_rng(0).random(50))
    mirrored = Architectures(SPACE, archs.genes[:, [1, 0, 2, 3, 5, 4]])  # nodes 1 and 2 exchanged
    both = archs.genes[:, 2] == 0  # where no edge joins them
    np.testing.assert_allclose(predictor.predict(mirrored[both]), predictor.predict(archs[both]), atol=1e-4)
    assert predictor.predict(archs[both]).std() > 0.1


def test_ranks_nasbench201_from_156_labels():
    benchmark = registry.make("benchmark", "nasbench201")
    truth = benchmark.expected("accuracy")
    chosen = np.random.default_rng(0).permutation(15_625)[:156]
    scores, std = GraphNetwork().fit(SPACE.at(chosen), truth[chosen]).predict(SPACE.enumerate(), return_std=True)
    assert kendalltau(scores, truth).statistic > 0.82
    assert (std > 0).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_ranking_loss_trains_it(loss):
    archs = SPACE.sample(500, np.random.default_rng(0))
    y = (archs.genes == 3).sum(1)
    scores = GraphNetwork(loss=loss, steps=60, members=1, width=24).fit(archs[:80], y[:80]).predict(archs[80:])
    assert kendalltau(scores, y[80:]).statistic > 0.5


def test_more_labels_than_a_batch():
    archs = SPACE.at(range(90))
    y = (archs.genes == 3).sum(1)
    scores = GraphNetwork(steps=60, batch=32, members=1).fit(archs, y).predict(archs)
    assert kendalltau(scores, y).statistic > 0.5


@pytest.mark.parametrize("name", ["members", "width", "layers", "steps", "batch"])
def test_bad_settings_are_refused(name):
    with pytest.raises(BadSetting, match=name):
        GraphNetwork(**{name: 0}).fit(SPACE.at(range(10)), np.arange(10))


def test_an_unknown_loss_and_a_foreign_space_are_refused():
    with pytest.raises(UnknownName, match="lambdarank"):
        GraphNetwork(loss="lambda").fit(SPACE.at(range(10)), np.arange(10))
    predictor = GraphNetwork(steps=1, members=1).fit(SPACE.at(range(10)), np.arange(10))
    with pytest.raises(BadSetting, match="nasbench201, which this GraphNetwork"):
        predictor.predict(tiny().enumerate())
