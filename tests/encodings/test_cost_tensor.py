import numpy as np
import pytest

from tierwise.architecture import Architectures, Graphs
from tierwise.encodings.cost_tensor import CostTensor, type_codes
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201

SPACE = NASBench201()


@pytest.mark.parametrize(
    ("classes", "shape", "flops", "params"),
    [
        (10, (3, 32, 32), 16_315_008, 129_306),
        (100, (3, 32, 32), 16_320_768, 135_156),
        (120, (3, 16, 16), 4_086_272, 136_456),
    ],
)
def test_totals_of_the_published_example(classes, shape, flops, params):
    assert SPACE.totals(SPACE.at([0]), classes=classes, shape=shape).tolist() == [[flops, params]]


def test_layout_is_that_of_the_paper():
    archs = SPACE.at([0, 6111, 9930])
    tensor = CostTensor().transform(archs)
    assert tensor.shape == (3, 31, 4, 4)
    assert tensor.dtype == np.float32
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    for gene, (i, j) in enumerate(edges):
        assert (tensor[:, 0, i, j] == archs.genes[:, gene]).all()  # none 0, skip 1, conv 2 and 3, pool 4
    assert not np.tril(tensor).any()
    costs = SPACE.costs(archs)
    assert (tensor[:, 1::2] == costs[..., 0]).all()
    assert (tensor[:, 2::2] == costs[..., 1]).all()


def test_costs_of_a_convolution_in_each_stage():
    first = CostTensor().transform(Architectures(SPACE, np.array([[3, 2, 1, 4, 0, 0]])))[0]
    for stage, (width, side) in enumerate([(16, 32), (32, 16), (64, 8)]):
        flops, params = first[1 + 10 * stage], first[2 + 10 * stage]
        assert flops[0, 1] == (9 * width + 2) * width * side**2
        assert flops[0, 2] == (width + 2) * width * side**2
        assert params[0, 1] == 9 * width**2 + 2 * width
        assert np.count_nonzero(flops) == np.count_nonzero(params) == 2


def test_seven_of_the_31_matrices_are_distinct():
    tensor = CostTensor().transform(Architectures(SPACE, np.array([[3, 2, 1, 4, 3, 2]])))[0]
    assert len(np.unique(tensor.reshape(31, -1), axis=0)) == 7


def test_data_sets_differ_as_published():
    archs = SPACE.sample(20, np.random.default_rng(0))
    cifar10 = CostTensor().transform(archs)
    cifar100 = CostTensor(classes=100).transform(archs)
    small = CostTensor(classes=120, shape=(3, 16, 16)).transform(archs)
    assert (cifar10 == cifar100).all()
    assert (small[:, 1::2] * 4 == cifar10[:, 1::2]).all()
    assert (small[:, 2::2] == cifar10[:, 2::2]).all()


def test_scales_divide_and_must_be_positive():
    archs = SPACE.at([0])
    raw = CostTensor().transform(archs)
    scaled = CostTensor(flops_scale=1e7, params_scale=1e5).transform(archs)
    assert (scaled[:, 0] == raw[:, 0]).all()
    np.testing.assert_allclose(scaled[:, 1::2], raw[:, 1::2] / 1e7, rtol=1e-6)
    np.testing.assert_allclose(scaled[:, 2::2], raw[:, 2::2] / 1e5, rtol=1e-6)
    with pytest.raises(BadSetting):
        CostTensor(flops_scale=0).transform(archs)


def test_chunks_agree_with_single_rows():
    archs = SPACE.enumerate()[:9_000]
    full = CostTensor().transform(archs)
    for row in (0, 4_095, 4_096, 8_999):
        assert (full[row] == CostTensor().transform(archs[row : row + 1])[0]).all()


def test_operations_on_nodes_are_carried_by_every_incoming_edge():
    # input -> conv -> output and input -> output; plain edges have the code of ""
    ops = ("input", "conv", "output", "")
    edge_op = np.zeros((1, 3, 3), np.uint8)
    edge_op[0, [0, 0, 1], [1, 2, 2]] = 4
    codes = type_codes(Graphs(np.array([[1, 2, 3]], np.uint8), edge_op, ops))
    assert codes[0].tolist() == [[0, 2, 3], [0, 0, 3], [0, 0, 0]]
