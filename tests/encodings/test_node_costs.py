"""Costs by kind and by cell add up to what the space says."""

import numpy as np
import pytest

from tests.small_spaces import Costed, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encodings.node_costs import NodeCosts
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding


@pytest.mark.parametrize("space", [NASBench201(), tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    check_encoding(NodeCosts(), space)


def test_costs_by_hand():
    # a 1x1 and two 3x3 convolutions in each of two cells, three channels: see Costed.PER_OP
    cell = Architectures(tiny(cls=Costed), np.array([[2, 3, 3]]))
    row = np.expm1(NodeCosts().transform(cell)[0])
    kinds = [[0, 0], [240_000, 6_000], [3_600_000, 96_000], [0, 0]]
    cells = [[1_920_000, 51_000]] * 2
    np.testing.assert_allclose(row, np.ravel([*kinds, *cells, [3_840_010, 102_010]]), rtol=1e-5)


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts"])
def test_kinds_and_cells_have_equal_sums_below_the_total(name):
    space = registry.make("space", name)
    archs = space.sample(200, np.random.default_rng(0))
    found = np.expm1(NodeCosts().transform(archs).astype(np.float64)).reshape(200, -1, 2)
    cells = space.costs(archs).shape[1]
    kinds, each_cell, total = np.split(found, [-1 - cells, -1], axis=1)
    np.testing.assert_allclose(kinds.sum(1), each_cell.sum(1), rtol=1e-4)
    assert (each_cell.sum(1) <= total[:, 0] * 1.0001).all()


def test_a_space_without_cost_formulas_is_refused():
    with pytest.raises(BadSetting, match="costs of the space"):
        NodeCosts().transform(tiny().sample(3, np.random.default_rng(0)))
