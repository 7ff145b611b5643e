"""Rendered lines of text: one word of digits and capitals an image, of uneven place, size, slant and noise."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.extras import needed

ALPHABET = "0123456789ACEHKLNPRT"
SHORTEST, LONGEST = 3, 5  # characters of a line
FONT = "fonts/ttf/DejaVuSans.ttf"  # among the files of matplotlib: the same one on every machine
_MATPLOTLIB = "rendering text", "matplotlib, which brings Pillow", "plots"


@dataclass(frozen=True)
class Lines:
    """images: (n, 1, h, w), ink 1 on paper 0. labels: (n, LONGEST) codes of ALPHABET from 1, then 0. texts:
    the same.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    texts: tuple[str, ...]


def text_lines(n: int, rng: np.random.Generator, *, height: int = 16, width: int = 48, noise: float = 0.15) -> Lines:
    """n lines of 3 to 5 characters. noise: standard deviation of the grey values. Raises BadSetting, MissingExtra."""
    if n < 1 or height < 12 or width < 40:
        raise BadSetting("lines", f"{n} of {height} x {width} pixels", "1 or more, of 12 x 40 pixels or more")
    if not 0 <= noise < float("inf"):
        raise BadSetting("noise", noise, "0 or more")
    lengths = rng.integers(SHORTEST, LONGEST + 1, n)
    texts = tuple("".join(rng.choice(list(ALPHABET), length)) for length in lengths)
    images = np.stack([_rendered(text, rng, height, width) for text in texts])[:, None]
    images = images + noise * rng.standard_normal(images.shape)
    return Lines(images.astype(np.float32), codes(texts), texts)


def codes(texts: tuple[str, ...]) -> NDArray[np.int64]:
    """(n, LONGEST) the characters from 1, filled up with 0. Raises BadSetting."""
    found = np.zeros((len(texts), LONGEST), dtype=np.int64)
    for row, text in enumerate(texts):
        if len(text) > LONGEST or not set(text) <= set(ALPHABET):
            raise BadSetting("text", text, f"at most {LONGEST} of {ALPHABET}")
        found[row, : len(text)] = [ALPHABET.index(character) + 1 for character in text]
    return found


def _rendered(text: str, rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """(h, w) the text, each character at its own height, the whole slanted and scaled to fit."""
    image, drawing = needed("PIL.Image", *_MATPLOTLIB), needed("PIL.ImageDraw", *_MATPLOTLIB)
    font = _font(int(rng.integers(round(0.65 * height), round(0.8 * height) + 1)))
    page = image.new("L", (4 * width, height))
    pen, x = drawing.Draw(page), width + rng.uniform(0, 1)
    for character in text:
        pen.text((x, height / 2 + rng.uniform(-1, 1)), character, fill=255, font=font, anchor="lm")
        x += font.getlength(character) * rng.uniform(0.95, 1.1)
    slant, long = rng.uniform(-0.25, 0.25), x - width
    room = min(1.0, (width - 4) / (long + abs(slant) * height))
    start = rng.uniform(1, max(1.5, width - 3 - room * long))
    across = (1 / room, slant / room, width - start / room - slant / room * height / 2)  # where a pixel comes from
    moved = page.transform((width, height), image.Transform.AFFINE, (*across, 0, 1, 0), image.Resampling.BILINEAR)
    return np.asarray(moved, dtype=np.float32) / np.float32(255)


@functools.cache
def _font(size: int) -> Any:
    """DejaVu Sans, which comes with matplotlib. Raises MissingExtra."""
    fonts = needed("PIL.ImageFont", *_MATPLOTLIB)
    return fonts.truetype(str(Path(needed("matplotlib", *_MATPLOTLIB).get_data_path()) / FONT), size)
