"""The plain graph as columns."""

import numpy as np
import pytest

from tests.small_spaces import Costed, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encodings.adjacency import Adjacency
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding


@pytest.mark.parametrize("space", [NASBench201(), tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    check_encoding(Adjacency(), space)


def test_operations_on_edges_by_hand():
    # edges 0-1, 0-2, 1-2: "conv1x1", "none", "pool"; the operations of tiny are none, skip, conv1x1, conv3x3, pool
    row = Adjacency().transform(Architectures(tiny(), np.array([[2, 0, 4]])))[0].astype(int).tolist()
    assert row == [*(0, 1, 0, 0), *(0, 0, 0, 0), *(0, 0, 0, 1)]


def test_operations_on_nodes_by_hand():
    space = registry.make("space", "nats-bench-size")
    row = Adjacency().transform(space.at([0]))[0]
    edges, nodes = row[:21].reshape(21), row[21:].reshape(7, -1)
    assert edges.sum() == 6  # a path of seven nodes
    assert nodes.sum(1).tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert (nodes[1:-1, 0] == 1).all()


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts", "nasbench-graph"])
def test_different_graphs_have_different_rows(name):
    space = registry.make("space", name)
    archs = space.sample(500, np.random.default_rng(0))
    graphs = space.graphs(archs)
    plain = np.concatenate([graphs.node_op, graphs.edge_op.reshape(500, -1)], 1)
    assert len(np.unique(Adjacency().transform(archs), axis=0)) == len(np.unique(plain, axis=0))
