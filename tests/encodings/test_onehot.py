from __future__ import annotations

import numpy as np
import pytest

from tests.small_spaces import Flat, tiny
from tierwise.architecture import Architectures
from tierwise.encodings.onehot import OneHot
from tierwise.errors import BadArchitecture


def test_one_column_for_each_option_in_order() -> None:
    features = OneHot().transform(Architectures(tiny(), np.array([[0, 4, 2], [1, 0, 0]])))
    assert features.tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0],
    ]


def test_choices_may_have_different_numbers_of_options() -> None:
    archs = Flat().sample(30, np.random.default_rng(0))
    features = OneHot().transform(archs)
    assert features.shape == (30, 40 * 2 + 40 * 3)
    assert (features.sum(1) == 80).all()


def test_an_inactive_choice_is_all_zero() -> None:
    features = OneHot().transform(Architectures(tiny(), np.array([[-1, 4, 2]])))
    assert features[0, :5].tolist() == [0.0] * 5
    assert features.sum() == 2.0


def test_genes_can_be_read_back() -> None:
    every = tiny().enumerate()
    back = OneHot().transform(every).reshape(-1, 3, 5).argmax(2)
    assert back.tolist() == every.genes.tolist()


def test_a_bare_list_is_refused() -> None:
    with pytest.raises(BadArchitecture, match="which space"):
        OneHot().transform([tiny().at([0])[0]])
