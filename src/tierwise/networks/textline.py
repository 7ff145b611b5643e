"""Lines of text to characters: convolutions that shrink the image to a row of columns, layers that mix the columns, and
scores of every character and of the blank for each.

The two parts are those of Zhang, Yao, Kwok and Bai, "Searching a High Performance Feature Extractor for Text
Recognition Network" (TREFE, 2023); the blank is that of Graves et al., "Connectionist Temporal Classification" (2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tierwise.networks.operations import Place, convolution, layer


def stem(entering: int, channels: int) -> nn.Module:
    """A convolution of 3x3, batch norm, and a rectifier."""
    place = Place(entering, channels)
    return layer(place, convolution(place, 3))


class Shrink(nn.Module):
    """The largest of every block of `down` rows and `across` columns."""

    def __init__(self, down: int, across: int):
        super().__init__()
        self.block = down, across

    def forward(self, maps: Tensor) -> Tensor:
        """(b, c, h / down, w / across)"""
        return maps if self.block == (1, 1) else nn.functional.max_pool2d(maps, self.block)


class Columns(nn.Module):
    """Maps (b, c, h, w) to w columns (b, w, width): means of bands of rows, a linear layer, and where the column is, as
    in Vaswani et al., "Attention Is All You Need" (2017). bands: h, or less where maps are higher.
    """

    def __init__(self, channels: int, bands: int, width: int):
        super().__init__()
        self.linear, self.bands, self.width = nn.Linear(bands * channels, width), bands, width

    def forward(self, maps: Tensor) -> Tensor:
        """(b, w, width)"""
        banded = maps if maps.shape[2] == self.bands else nn.functional.adaptive_avg_pool2d(maps, (self.bands, None))
        columns = self.linear(banded.flatten(1, 2).transpose(1, 2))
        place = torch.arange(columns.shape[1], device=maps.device, dtype=columns.dtype)[:, None]
        rate = torch.exp(torch.arange(0, self.width, 2, device=maps.device) * (-math.log(1e4) / self.width))
        return columns + torch.cat([(place * rate).sin(), (place * rate).cos()], 1)


class Attention(nn.Module):
    """Layer norm and attention of every column to all (Vaswani et al., 2017), added to what enters."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, columns: Tensor) -> Tensor:
        """(b, w, width)"""
        b, w, width = columns.shape
        parts = self.inward(self.norm(columns)).view(b, w, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.unbind(0)
        looks = (queries @ keys.transpose(2, 3) / math.sqrt(width // self.heads)).softmax(3)
        return columns + self.outward((looks @ values).transpose(1, 2).reshape(b, w, width))


class Recurrent(nn.Module):
    """Layer norm and gated recurrent units in both directions (Cho et al., 2014), added to what enters."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.units = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)

    def forward(self, columns: Tensor) -> Tensor:
        """(b, w, width)"""
        return columns + self.units(self.norm(columns))[0]


class FeedForward(nn.Module):
    """Layer norm and two linear layers, `times` as wide between, added to what enters."""

    def __init__(self, width: int, times: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, times * width), nn.ReLU(), nn.Linear(times * width, width)
        )

    def forward(self, columns: Tensor) -> Tensor:
        """(b, w, width)"""
        return columns + self.layers(columns)


def mixing(name: str, width: int) -> nn.Module:
    """``attention2``, ``attention4``: so many heads; ``recurrent``."""
    return Recurrent(width) if name == "recurrent" else Attention(width, int(name.removeprefix("attention")))


def head(width: int, classes: int) -> nn.Module:
    """Scores of the blank, 0, and of so many characters."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes + 1))


def in_a_row(layers: Sequence[nn.Module]) -> nn.Sequential:
    """A network of these."""
    return nn.Sequential(*layers)


def ctc_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over lines of the negative log likelihood, by character. scores: (b, w, classes + 1). labels: (b, longest)
    characters from 1, filled up with 0. Lines that do not fit into w columns have no part.
    """
    sizes = torch.full((len(scores),), scores.shape[1], dtype=torch.long)
    known = scores.log_softmax(2).transpose(0, 1)
    return nn.functional.ctc_loss(known, labels, sizes, (labels > 0).sum(1).cpu(), zero_infinity=True)


def read(scores: Tensor) -> list[list[int]]:
    """The likeliest code of every column, repetitions and blanks left out."""
    found: list[list[int]] = []
    for row in scores.argmax(2).tolist():
        found.append([code for code, before in zip(row, [0, *row[:-1]], strict=True) if code and code != before])
    return found


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """The fewest insertions, deletions and substitutions that make one of the other (Levenshtein, 1966)."""
    before = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
        before = row
    return before[-1]
