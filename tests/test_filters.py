"""Conditions in words: what they mean, one architecture after the other, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import make
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.filters import LONGEST, Filter

SPACE = make("space", "nasbench201")
EVERY = SPACE.enumerate()[::37]
COLUMNS = {"params": lambda archs: SPACE.totals(archs)[:, 1].astype(float), "partly": lambda archs: _partly(archs)}
MEANT = {
    "count(none) >= 2": lambda ops, params: ops.count("none") >= 2,
    'count("nor_conv_3x3") == 0 or count(none) > 4': lambda ops, params: (
        "nor_conv_3x3" not in ops or ops.count("none") > 4
    ),
    'pick("cell/0-3") != "none" and not count(none) == 1': lambda ops, params: (
        ops[3] != "none" and ops.count("none") != 1
    ),
    "params < 5e5": lambda ops, params: params < 5e5,
    "1 <= count(none) < 3 and params / 1000 - 100 > 200 * 2": lambda ops, params: (
        1 <= ops.count("none") < 3 and params / 1000 - 100 > 400
    ),
    "-count(none) > -1": lambda ops, params: ops.count("none") < 1,
}


def _partly(archs: Architectures) -> np.ndarray:
    return np.where(archs.genes[:, 0] == 0, np.nan, 1.0)


@pytest.mark.parametrize("text", MEANT)
def test_a_filter_is_its_meaning_row_by_row(text: str) -> None:
    mask, params = Filter(text, SPACE, COLUMNS).mask(EVERY), SPACE.totals(EVERY)[:, 1]
    options = SPACE.choices[0].options
    expected = [MEANT[text]([options[g] for g in arch.genes], p) for arch, p in zip(EVERY, params, strict=True)]
    assert mask.tolist() == expected
    assert 0 < mask.sum() < len(mask)


def test_what_is_not_known_fulfils_nothing() -> None:
    unknown = EVERY.genes[:, 0] == 0
    assert unknown.any()
    for text in ("partly == 1", "partly > 0", "partly < 2"):
        assert (Filter(text, SPACE, COLUMNS).mask(EVERY) == ~unknown).all()
    assert not Filter("partly != 1", SPACE, COLUMNS).mask(EVERY).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("count(none)", "a condition"), ("params", "a condition"), ("params <", "comparisons"),
        ("flops < 1", "flops"), ("count(conv) > 1", "conv"), ('pick("cell/9-9") == "none"', "cell/9-9"),
        ('pick("cell/0-1") == "conv"', "option of cell/0-1"), ('pick("cell/0-1") > "none"', "== or !="),
        ("__import__('os').system('true') == 0", "comparisons"), ("count(none) in [1]", "comparisons"),
        ("(lambda: 1)() == 1", "comparisons"), ("not params", "a condition"), ("(params > 1) + 1 > 1", "a number"),
        ("count(none) > 1 and " * 100 + "params > 1", str(LONGEST)), ("True", "comparisons"),
        ("params ** 9e9 > 1", "comparisons"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises((BadSetting, UnknownName), match=said):
        Filter(text, SPACE, COLUMNS)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_raise(text: str) -> None:
    try:
        mask = Filter(text, SPACE, COLUMNS).mask(EVERY[:3])
    except (BadSetting, UnknownName):
        return
    assert mask.dtype == np.bool_
