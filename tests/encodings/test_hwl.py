"""Counts of sub-terms on every level."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.architecture import Architectures
from tierwise.encodings.hwl import HierarchicalWL
from tierwise.encodings.wl import WeisfeilerLehman
from tierwise.errors import BadSetting
from tierwise.spaces.grammar import Grammar
from tierwise.spaces.hnasbench201 import HNASBench201
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_encoding

RULES = {
    "NET": "series(CELL, CELL) | series(CELL, CELL, CELL)",
    "CELL": "branch(OP, OP)",
    "OP": "conv3x3 | conv1x1 | id",
}


def space() -> Grammar:
    return Grammar("levels", "NET", RULES)


def rows(*texts: str) -> Architectures:
    return Architectures.of([space().parse(text) for text in texts], space())


def test_it_is_an_encoding_of_hierarchies() -> None:
    check_encoding(HierarchicalWL(columns=16), space())


def test_each_level_counts_its_sub_terms() -> None:
    archs = rows(
        "series(branch(conv3x3, id), branch(conv3x3, id))",
        "series(branch(conv3x3, id), branch(id, conv3x3))",
        "series(branch(conv3x3, id), branch(conv3x3, id), branch(conv3x3, id))",
    )
    one, other, longer = HierarchicalWL(columns=512, depth=2).transform(archs).reshape(3, 3, 512).astype(float)

    def alike(a: object, b: object, level: int) -> float:
        return float(a[level] @ b[level])  # type: ignore[index]

    assert np.allclose([alike(one, one, level) for level in range(3)], 1.0)
    # level 2: the same operations as often. level 1, by hand: two cells, labels (cell, cell with operations, the same)
    assert np.isclose(alike(one, other, 2), 1.0)
    assert np.isclose(alike(one, other, 1), (2 * 2 + 2 * 1 + 2 * 1) / np.sqrt(12 * (4 + 4 * 1)))
    # level 0: the production alone is the same, not what is in it
    assert np.isclose(alike(one, other, 0), 2 / 3)
    # as many cells more change no direction on the lower levels, and the whole of level 0
    assert np.isclose(alike(one, longer, 1), 1.0)
    assert alike(one, longer, 0) == 0.0


def test_cells_have_the_columns_of_wl() -> None:
    cells = NASBench201().at(range(0, 15_000, 500))
    assert np.array_equal(HierarchicalWL(64, 2).transform(cells), WeisfeilerLehman(64, 2).transform(cells))


def test_hundreds_of_genes_need_few_columns() -> None:
    large = HNASBench201()
    found = HierarchicalWL(columns=32).transform(large.sample(40, np.random.default_rng(0)))
    assert found.shape[0] == 40
    assert found.shape[1] <= 8 * 32
    assert len(np.unique(found, axis=0)) == 40


def test_settings_are_checked() -> None:
    with pytest.raises(BadSetting, match="columns, depth and levels"):
        HierarchicalWL(columns=0).transform(rows())
