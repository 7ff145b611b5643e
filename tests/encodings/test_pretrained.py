"""Features learnt without labels: the same for equal networks and everywhere, and worth having."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tierwise import registry
from tierwise.encodings import pretrained
from tierwise.encodings.paths import LivePaths
from tierwise.encodings.pretrained import Pretrained
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding

SPACE = NASBench201()


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed)], ids=repr)
def test_it_conforms(space):
    check_encoding(Pretrained(), space)


def test_equal_networks_have_equal_rows():
    archs = SPACE.sample(3_000, np.random.default_rng(0))
    _, first, network = np.unique(SPACE.canonical(archs), return_index=True, return_inverse=True)
    x = Pretrained().transform(archs)
    np.testing.assert_allclose(x, x[first][network], atol=1e-4)


def test_training_again_gives_the_same_and_leaves_torch_as_it_was():
    archs = SPACE.at(range(50))
    x, random, threads = Pretrained().transform(archs), torch.random.get_rng_state(), torch.get_num_threads()
    pretrained._learnt.cache_clear()
    pretrained._foretold.cache_clear()
    np.testing.assert_array_equal(Pretrained().transform(archs), x)
    assert (torch.random.get_rng_state() == random).all()
    assert torch.get_num_threads() == threads
    assert (Pretrained(seed=1).transform(archs) != x).any()


def test_a_narrowed_space_keeps_the_features_of_the_whole():
    smaller = SPACE.narrow(SPACE.choices[0].path, ["skip_connect", "nor_conv_3x3"])
    part = smaller.at(range(20))
    np.testing.assert_array_equal(Pretrained().transform(part), Pretrained().transform(SPACE.at(SPACE.index(part))))


def test_a_line_through_them_says_more_of_accuracy_than_one_through_what_they_read():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    rows = np.random.default_rng(0).permutation(SPACE.size)[:300]
    cells, ranks = SPACE.at(rows), accuracy[rows].argsort().argsort()
    learnt, read = (
        cross_val_score(make_pipeline(each, StandardScaler(), Ridge(10.0)), cells, ranks, cv=5, scoring="r2").mean()
        for each in (Pretrained(), LivePaths())
    )
    assert learnt > read


def test_a_space_in_which_signals_are_all_alike_is_refused():
    one = tiny()
    for choice in one.choices:
        one = one.narrow(choice.path, ["skip"])
    with pytest.raises(BadSetting, match="signals of the space"):
        pretrained._foretold(0, one)


def test_reads_several_encodings():
    archs = Flat().sample(10, np.random.default_rng(0))
    assert Pretrained("onehot").transform(archs).shape == (10, 24)
    assert (Pretrained("paths+onehot").transform(SPACE.at([3, 4])) != Pretrained().transform(SPACE.at([3, 4]))).any()


def test_encodings_that_do_not_differ_are_refused():
    with pytest.raises(BadSetting, match="learn from in unordered"):
        Pretrained("paths").transform(Unordered().sample(5, np.random.default_rng(0)))
