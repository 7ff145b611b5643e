"""Cells as graphs of primitive operations."""

import numpy as np
import pytest

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encodings.computation_graph import KINDS, ComputationGraph, Primitive, primitives
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding

NONE, SKIP, CONV1, CONV3, POOL = range(5)
SPACES = [registry.make("space", name) for name in ("darts", "nasbench-graph", "nasbench101", "nats-bench-size")]
SMALL = [tiny(), tiny(5), tiny(cls=Costed), Flat(), Unordered()]


def graphs(*genes):
    space = NASBench201()
    return ComputationGraph().graphs(Architectures(space, np.array(genes)))


def names(made, row=0):
    """The kinds of the nodes of a row, in order."""
    return [KINDS[kind] for kind in made.nodes[row, made.there[row], : len(KINDS)].argmax(1)]


@pytest.mark.parametrize("space", [NASBench201(), *SMALL], ids=repr)
def test_it_conforms(space):
    check_encoding(ComputationGraph(), space)


@pytest.mark.parametrize("space", [*SPACES, *SMALL], ids=repr)
def test_columns_are_as_many_in_every_space_and_tell_most_networks_apart(space):
    archs = space.sample(500, np.random.default_rng(0))
    columns = ComputationGraph().transform(archs)
    assert columns.shape == (500, 48)
    assert np.isfinite(columns).all()
    assert len(np.unique(columns, axis=0)) > 1


@pytest.mark.parametrize("space", [NASBench201(), *SPACES], ids=repr)
def test_graphs_stay_small_run_forward_and_hold_nothing_in_their_padding(space):
    made = ComputationGraph().graphs(space.sample(300, np.random.default_rng(0)))
    slots = made.nodes.shape[1]
    assert slots <= 80
    assert (made.there == (np.arange(slots) < made.there.sum(1)[:, None])).all()
    assert not np.tril(made.links).any()
    assert not made.nodes[~made.there].any()
    assert not made.links[~made.there].any()
    assert (made.nodes[made.there][:, :26].sum(1) == 1).all()


def test_one_convolution_by_hand():
    # edge 0-3 alone leads to the output; what hangs on node 1 is dead
    made = graphs([CONV3, NONE, NONE, CONV3, NONE, NONE])
    assert names(made) == ["input", "relu", "conv", "batch_norm", "output"]
    np.testing.assert_array_equal(made.links[0], np.eye(5, k=1))
    assert made.nodes[0, 2, 26] == pytest.approx(np.log2(3))
    assert made.nodes[0, 2, 31] == 1  # all the FLOPs


def test_a_sum_of_two_is_a_node_and_identities_are_none():
    # node 1 = pool(input) handed on to node 2, which adds the input; a convolution of that is the output
    made = graphs([POOL, SKIP, SKIP, NONE, NONE, CONV1])
    assert names(made) == ["input", "avg_pool", "add", "relu", "conv", "batch_norm", "output"]
    assert {(int(i), int(j)) for i, j in np.argwhere(made.links[0])} == {
        (0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6),
    }  # fmt: skip


def test_a_cell_without_a_way_keeps_its_ends():
    made = graphs([CONV3, CONV3, NONE, NONE, NONE, NONE])
    assert names(made) == ["input", "output"]
    assert not made.links.any()


def test_isomorphic_cells_have_equal_columns():
    space = NASBench201()
    archs = space.enumerate()
    both = archs.genes[:, 2] == NONE  # where no edge joins nodes 1 and 2, which are exchanged
    mirrored = Architectures(space, archs.genes[:, [1, 0, 2, 3, 5, 4]])
    columns = ComputationGraph().transform(archs[both])
    np.testing.assert_allclose(ComputationGraph().transform(mirrored[both]), columns, atol=1e-5)
    assert len(np.unique(columns.round(4), axis=0)) > 150


def test_eigenvalues_of_a_path():
    made = graphs([NONE, NONE, NONE, CONV3, NONE, NONE])
    np.testing.assert_allclose(made.spectrum(6)[0], [*(1 - np.cos(np.pi * np.arange(5) / 4)), 2.0], atol=1e-6)


def test_names_by_the_words_in_them():
    conv, norm, relu = Primitive("conv", 3, main=True), Primitive("batch_norm"), Primitive("relu")
    assert primitives("nor_conv_3x3") == (relu, conv, norm)
    assert primitives("conv3x3-bn-relu") == (conv, norm, relu)
    assert primitives("conv/kernel 3") == (conv,)
    assert primitives("skip_connect") == primitives("") == ()
    assert [p.kind for p in primitives("r:skip_connect")] == ["relu", "conv", "batch_norm"]
    assert primitives("r:max_pool_3x3") == (Primitive("max_pool", 3, main=True),)
    assert [p.kernel for p in primitives("dil_conv_5x5")] == [1, 5, 1, 1]
    assert primitives("32") == primitives("width 32") == (Primitive("layer", width=32, main=True),)
    assert primitives("gat") == (Primitive("gat", main=True),)
