from __future__ import annotations

import numpy as np
import pytest

from tests.small_spaces import Costed, tiny
from tierwise.encodings.costs import FLOPs, Params
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201

SPACE = NASBench201()


@pytest.mark.parametrize(
    ("settings", "flops", "params"),
    [
        ({}, 16_315_008, 129_306),
        ({"classes": 100}, 16_320_768, 135_156),
        ({"classes": 120, "shape": (3, 16, 16)}, 4_086_272, 136_456),
    ],
)
def test_the_published_example(settings: dict[str, object], flops: int, params: int) -> None:
    first = SPACE.at([0])
    assert FLOPs(**settings).transform(first).tolist() == [[flops]]  # type: ignore[arg-type]
    assert Params(**settings).transform(first).tolist() == [[params]]  # type: ignore[arg-type]


def test_a_column_is_the_total_of_the_space() -> None:
    every = tiny(cls=Costed).enumerate()
    totals = every.space.totals(every, classes=7, shape=(1, 8, 8))
    assert FLOPs(classes=7, shape=(1, 8, 8)).transform(every)[:, 0].tolist() == totals[:, 0].tolist()
    assert Params(classes=7, shape=(1, 8, 8)).transform(every)[:, 0].tolist() == totals[:, 1].tolist()
    assert len(np.unique(totals[:, 0])) > 10


def test_more_convolutions_cost_more() -> None:
    params = Params().transform(SPACE.enumerate())[:, 0]
    heavy = SPACE.enumerate().genes == 3
    assert params[heavy.all(1)] == params.max()
    assert params[~heavy.any(1) & ~(SPACE.enumerate().genes == 2).any(1)].max() == params.min()


@pytest.mark.parametrize("encoding", [FLOPs(), Params()], ids=repr)
def test_a_space_without_costs_is_named(encoding: FLOPs | Params) -> None:
    with pytest.raises(BadSetting, match="costs of the space = 'tiny'"):
        encoding.transform(tiny().at([0]))
