"""Draft for tests/encodings/test_paths.py."""

import numpy as np
import pytest

from tests.small_spaces import tiny
from tierwise.architecture import Architectures
from tierwise.encodings.paths import LivePaths
from tierwise.errors import BadSetting
from tierwise.spaces.chain import Chain, Layer
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench201 import NASBench201

NONE, SKIP, CONV1, CONV3, POOL = range(5)


def columns(*genes: list[int]) -> np.ndarray:
    return LivePaths().transform(Architectures(tiny(), np.array(genes)))


@pytest.mark.parametrize("space", [NASBench201(), tiny(), tiny(5)], ids=repr)
def test_equal_networks_have_equal_rows(space: Edges) -> None:
    archs = space.enumerate() if space.size < 20_000 else space.sample(20_000, np.random.default_rng(0))
    _, first, network = np.unique(space.canonical(archs), return_index=True, return_inverse=True)
    features = LivePaths().transform(archs)
    assert (features == features[first][network]).all()


def test_nasbench201_has_4802_distinct_rows() -> None:
    features = LivePaths().transform(NASBench201().enumerate())
    assert features.shape == (15_625, 66)
    assert len(np.unique(features, axis=0)) == 4_802


def test_a_cell_without_a_live_path_is_all_zero() -> None:
    assert not columns([NONE, NONE, CONV3], [CONV3, NONE, NONE]).any()


def test_counts_by_hand() -> None:
    # edges 0-1, 0-2, 1-2: one path "conv1x1 conv3x3", one path "pool"; H = 2, A = 3
    row = columns([CONV1, POOL, CONV3])[0].astype(int).tolist()
    expected = [
        [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1],  # paths with 0, 1, 2 of conv1x1, conv3x3, pool, letters
        [1, 0, 1], [0, 1, 1], [1, 1, 1],  # first letters, last letters, letters
        [0, 1, 0, 0, 0, 0, 0, 0, 0],  # the pair conv1x1 conv3x3
        [0, 0, 0, 0, 1, 0, 1, 0, 0, 0],  # bags: {conv1x1, conv3x3} and {pool}
        [2], [1, 1, 1, 2], [0, 0, 0, 1],  # paths, largest and smallest counts
        [1, 1, 0],  # operations with weights of their own
    ]  # fmt: skip
    assert row == [count for part in expected for count in part]


def test_a_shared_convolution_is_one_and_two_are_two() -> None:
    space = tiny(4)  # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
    shared = [CONV3, NONE, SKIP, NONE, SKIP, SKIP]
    separate = [CONV3, CONV3, NONE, NONE, SKIP, SKIP]
    one, two = LivePaths().transform(Architectures(space, np.array([shared, separate])))
    assert (one[:-3] == two[:-3]).all()
    assert (one[-2], two[-2]) == (1, 2)


def test_too_many_paths_are_refused_and_a_long_chain_is_not() -> None:
    with pytest.raises(BadSetting, match="at most 256"):
        LivePaths().transform(tiny(15).sample(50, np.random.default_rng(0)))
    space = Chain("chain", [Layer(f"layer{k}", {"op": ["a", "b", "c"]}) for k in range(40)])
    chain = LivePaths().transform(space.sample(20, np.random.default_rng(0)))
    assert (chain.sum(1) > 0).all()
    assert len(np.unique(chain, axis=0)) == 20
