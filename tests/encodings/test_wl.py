"""Subtree counts: equal for equal networks, different for most others."""

import numpy as np
import pytest

from tests.small_spaces import TINY_OPS, Costed, Flat, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encodings.wl import WeisfeilerLehman
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.nodes import Nodes
from tierwise.testing import check_encoding

NONE, SKIP, CONV1, CONV3, POOL = range(5)
ON_NODES = {"zero": "none", "identity": "skip", "shared": ("pool",)}
SPACES = {
    "nasbench201": NASBench201(),
    "nasbench101": registry.make("space", "nasbench101"),
    "darts": registry.make("space", "darts"),
    "tiny of 5": tiny(5),
    "sums": Nodes("sums", 4, TINY_OPS, **ON_NODES),
    "concatenations": Nodes("concatenations", 4, TINY_OPS, **ON_NODES, concat=True, output="all"),
}


def columns(space, *genes, **settings):
    return WeisfeilerLehman(**settings).transform(Architectures(space, np.array(genes)))


@pytest.mark.parametrize("space", [NASBench201(), tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    check_encoding(WeisfeilerLehman(), space)


@pytest.mark.parametrize("name", SPACES)
def test_equal_networks_have_equal_rows(name):
    space = SPACES[name]
    archs = space.sample(5_000, np.random.default_rng(0))
    _, first, network = np.unique(space.canonical(archs), return_index=True, return_inverse=True)
    features = WeisfeilerLehman().transform(archs)
    assert (features == features[first][network]).all()
    assert len(np.unique(features, axis=0)) > 0.8 * len(first)


def test_counts_by_hand():
    # edges 0-1, 0-2, 1-2: conv1x1, then conv3x3, beside a pool, which is shared and so has no column of its own
    row = columns(tiny(), [CONV1, POOL, CONV3], columns=100_000, depth=0)[0]
    ways, own = row[:100_000], row[100_000:]
    assert sorted(ways[ways > 0].tolist()) == [1, 1, 1, 1]  # three operations and the output
    assert sorted(own[own > 0].tolist()) == [1, 1, 1]


def test_a_convolution_read_twice_counts_on_both_ways_and_once_on_its_own():
    # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3: the convolution reaches the output through two identities
    space = tiny(4)
    row = columns(space, [CONV3, NONE, SKIP, NONE, SKIP, SKIP], columns=100_000, depth=0)[0]
    assert sorted(row[row > 0].tolist()) == [1, 1, 1, 2]


def test_a_cell_without_a_live_path_is_all_zero():
    assert not columns(tiny(), [NONE, NONE, CONV3], [CONV3, NONE, NONE]).any()


def test_depth_tells_the_order_of_operations():
    cells = [CONV1, NONE, CONV3], [CONV3, NONE, CONV1]
    shallow, deep = (columns(tiny(), *cells, depth=depth) for depth in (0, 1))
    assert (shallow[0] == shallow[1]).all()
    assert (deep[0] != deep[1]).any()


def test_many_rows_are_looked_at_in_parts():
    archs = Flat().sample(10_000, np.random.default_rng(0))
    assert (WeisfeilerLehman().transform(archs)[-5:] == WeisfeilerLehman().transform(archs[-5:])).all()


@pytest.mark.parametrize("settings", [{"columns": 0}, {"depth": -1}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(BadSetting, match="columns and depth"):
        WeisfeilerLehman(**settings).transform(tiny().sample(1, np.random.default_rng(0)))
