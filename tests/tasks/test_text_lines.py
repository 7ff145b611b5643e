from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from tierwise.errors import BadSetting, MissingExtra
from tierwise.networks.textline import edit_distance, read
from tierwise.tasks import text_lines as lines
from tierwise.tasks.textline import character_error_rate


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_lines_are_inked_where_a_text_stands():
    drawn = lines.text_lines(60, rng(), noise=0.0)
    assert drawn.images.shape == (60, 1, 16, 48)
    assert drawn.images.min() >= 0
    assert 0.6 < drawn.images.max() <= 1
    ink = (drawn.images[:, 0] > 0.3).any(1)
    width = np.array([np.flatnonzero(row).max() - np.flatnonzero(row).min() for row in ink])
    length = np.array([len(text) for text in drawn.texts])
    assert np.corrcoef(width, length)[0, 1] > 0.7
    assert not ink[:, [0, -1]].any()  # nothing is cut off


def test_labels_say_the_text():
    drawn = lines.text_lines(50, rng(1))
    assert {len(text) for text in drawn.texts} == {3, 4, 5}
    for text, row in zip(drawn.texts, drawn.labels.tolist(), strict=True):
        assert "".join(lines.ALPHABET[code - 1] for code in row if code) == text
        assert row == sorted(row, key=lambda code: code == 0)  # filled up behind
    np.testing.assert_array_equal(drawn.images, lines.text_lines(50, rng(1)).images)


def test_equal_texts_look_different():
    images = [lines._rendered("7A3", rng(seed), 16, 48) for seed in range(4)]
    assert len({image.tobytes() for image in images}) == 4


@pytest.mark.parametrize(("n", "height", "noise"), [(0, 16, 0.1), (3, 8, 0.1), (3, 16, -0.1)])
def test_impossible_lines_are_refused(n: int, height: int, noise: float):
    with pytest.raises(BadSetting):
        lines.text_lines(n, rng(), height=height, noise=noise)


@pytest.mark.parametrize("text", ["123456", "1b"])
def test_impossible_texts_are_refused(text: str):
    with pytest.raises(BadSetting, match=text):
        lines.codes((text,))


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    before = importlib.import_module

    def absent(name: str) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return before(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match="plots"):
        lines.text_lines(1, rng())


def test_character_error_rate_by_hand():
    """kitten and sitting are 3 apart; "" and "ab" 2; equal ones 0: 5 edits for 7 + 2 + 3 characters."""
    words = [("kitten", "sitting"), ("", "ab"), ("abc", "abc")]
    seen, truth = ([[ord(c) for c in word] for word in side] for side in zip(*words, strict=True))
    assert [edit_distance(a, b) for a, b in zip(seen, truth, strict=True)] == [3, 2, 0]
    assert character_error_rate(seen, truth) == pytest.approx(100 * 5 / 12)


def test_repetitions_are_read_once_unless_a_blank_parts_them():
    import torch

    best = torch.tensor([[0, 3, 3, 0, 3, 5, 5], [2, 2, 2, 0, 0, 0, 1]])
    assert read(torch.nn.functional.one_hot(best, 6).float()) == [[3, 3, 5], [2, 1]]
