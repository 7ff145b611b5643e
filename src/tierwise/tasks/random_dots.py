"""Random-dot stereo pairs: no view shows a shape by itself, only the two together do.

Julesz, "Binocular Depth Perception of Computer-Generated Patterns" (1960). The surfaces, slants and noise are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting

FINE = 4  # columns that a pixel is made of: disparities are multiples of a quarter of a pixel
SURFACES = 3  # in front of the background, at most
Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """views: (n, 2, h, w) grey values, left and right. disparity: (n, h, w) pixels: what the left view shows at column
    x, the right one shows at x - disparity. seen: (n, h, w) bool, whether the right view shows at least half of it.
    """

    views: Floats
    disparity: Floats
    seen: NDArray[np.bool_]


def random_dots(
    n: int, rng: np.random.Generator, *, height: int = 24, width: int = 48, most: int = 8, noise: float = 0.1
) -> Pairs:
    """n pairs of 0 to `most` pixels of disparity. noise: standard deviation; dots are 0 or 1. Raises BadSetting."""
    if n < 1 or height < 4 or not 1 <= most < width // 2:
        given = f"{n} pairs of {height} x {width} with disparities up to {most}"
        raise BadSetting("pairs", given, "1 or more, of 4 rows or more, disparities of 1 to less than half the width")
    if not 0 <= noise < float("inf"):
        raise BadSetting("noise", noise, "0 or more")
    shift = surfaces(n, rng, height, width, most)
    left, new = (dots(rng, (n, height, width)) for _ in range(2))
    right, seen = other_view(left, shift, new)
    views = np.stack([_pixels(left), _pixels(right)], 1)
    views = (views + noise * rng.standard_normal(views.shape)).astype(np.float32)
    return Pairs(views, _pixels(shift / FINE), _pixels(seen) >= 0.5)


def dots(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(n, h, w * FINE): every pixel a dot, black or white."""
    return np.repeat(rng.integers(0, 2, shape).astype(np.float32), FINE, axis=2)


def surfaces(n: int, rng: np.random.Generator, height: int, width: int, most: int) -> NDArray[np.int64]:
    """(n, h, w * FINE) disparities in fine columns: a slanted background, and rectangles before it, flat or slanted."""
    y, x = np.linspace(-0.5, 0.5, height)[:, None], np.linspace(-0.5, 0.5, width * FINE)
    depth = _plane(n, rng, y, x, (0, most / 2), most / 4)
    for k in range(SURFACES):
        front = _plane(n, rng, y, x, (most / 3, most), rng.choice([0, most / 4], (n, 1, 1)))
        middle, half = rng.uniform(-0.4, 0.4, (2, n, 1, 1)), rng.uniform(0.1, 0.3, (2, n, 1, 1))
        inside = (abs(y - middle[0]) < half[0]) & (abs(x - middle[1]) < half[1])
        depth = np.where(inside & (rng.random((n, 1, 1)) < 1 - k / SURFACES), np.maximum(front, depth), depth)
    return np.round(depth.clip(0, most) * FINE).astype(np.int64)


def _plane(n: int, rng: np.random.Generator, y: Any, x: Any, heights: tuple[float, float], slant: Any) -> Any:
    tilt = rng.uniform(-1, 1, (2, n, 1, 1)) * slant
    return rng.uniform(*heights, (n, 1, 1)) + tilt[0] * y + tilt[1] * x


def other_view(left: NDArray[Any], shift: Ints, new: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The view of the right eye and (n, h, w) which columns of the left one it shows.

    left: (n, h, w). shift: (n, h, w) columns by which each moves to the left; the nearest, that which moves most, hides
    the others. new: (n, h, w) what fills the gaps that open.
    """
    right, nearest = new.copy(), np.full(shift.shape, -1)
    columns = np.broadcast_to(np.arange(shift.shape[2]), shift.shape)
    for step in np.unique(shift):  # the farthest first
        image, row, column = np.nonzero((shift == step) & (columns >= step))
        right[image, row, column - step] = left[image, row, column]
        nearest[image, row, column - step] = step
    target = columns - shift
    hit = np.take_along_axis(nearest, target.clip(0), 2)
    return right, (target >= 0) & (hit == shift)


def _pixels(fine: NDArray[Any]) -> Floats:
    """The mean of every pixel's columns."""
    return fine.reshape(*fine.shape[:2], -1, FINE).mean(3).astype(np.float32)
