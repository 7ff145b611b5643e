from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.errors import BadSetting
from tierwise.tasks.random_dots import FINE, other_view, random_dots, surfaces


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_other_view_is_that_of_the_nearest_surface(seed: int):
    """Of all columns that come to lie in one place, the one that moves most is seen; new dots fill the rest."""
    drawn = rng(seed)
    left, new = drawn.random((2, 3, 12)), 10 + drawn.random((2, 3, 12))
    shift = drawn.integers(0, 6, (2, 3, 12))
    right, seen = other_view(left, shift, new)
    for image, row in np.ndindex(2, 3):
        for place in range(12):
            here = [x for x in range(12) if x - shift[image, row, x] == place]
            front = max(here, key=lambda x: shift[image, row, x], default=None)
            expected = new[image, row, place] if front is None else left[image, row, front]
            assert right[image, row, place] == expected
            assert [x for x in here if seen[image, row, x]] == ([] if front is None else [front])
        assert not seen[image, row][np.arange(12) - shift[image, row] < 0].any()


def test_the_right_view_moved_by_the_disparity_is_the_left_one():
    """Where the right view shows it; whole pixels, because grey values between dots are no dots."""
    pairs = random_dots(40, rng(), noise=0.0)
    checked = 0
    for image, row, x in zip(*np.nonzero(pairs.seen), strict=True):
        near = pairs.disparity[image, row, max(x - 9, 0) : x + 9]
        d = pairs.disparity[image, row, x]
        if (near == d).all() and d == round(d):  # one flat surface around
            assert pairs.views[image, 0, row, x] == pairs.views[image, 1, row, x - int(d)]
            checked += 1
    assert checked > 200


def test_occlusions_are_new_dots():
    pairs = random_dots(40, rng(1), noise=0.0)
    hidden = ~pairs.seen & (np.arange(48) >= pairs.disparity + 1)
    assert 0.002 < hidden.mean() < 0.2
    beyond = np.arange(48) < np.floor(pairs.disparity)
    assert not pairs.seen[beyond].any()


def test_disparities_are_quarters_of_pixels_in_their_range_slanted_and_stepped():
    deep = surfaces(60, rng(2), 24, 48, 8)
    assert deep.min() >= 0
    assert deep.max() <= 8 * FINE
    jumps = abs(np.diff(deep, axis=2))
    assert (jumps == 1).any()  # a slant
    assert (jumps >= FINE).any()  # a step
    assert len(np.unique(deep)) > 20


def test_noise_and_seeds():
    clean, noisy = random_dots(8, rng(3), noise=0.0), random_dots(8, rng(3), noise=0.2)
    assert abs((noisy.views - clean.views).std() - 0.2) < 0.01
    np.testing.assert_array_equal(noisy.views, random_dots(8, rng(3), noise=0.2).views)
    assert (random_dots(8, rng(4), noise=0.0).views != clean.views).any()


@pytest.mark.parametrize(
    "given", [{"n": 0}, {"height": 3}, {"most": 0}, {"most": 24}, {"noise": -1.0}, {"noise": float("nan")}], ids=str
)
def test_impossible_pairs_are_refused(given: dict[str, float]):
    with pytest.raises(BadSetting):
        random_dots(**{"n": 2, "rng": rng(), **given})
