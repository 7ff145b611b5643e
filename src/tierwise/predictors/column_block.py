"""The columns of one encoding, scaled by groups: rare counts stay small, and no encoding drowns another."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.predictors.encoded import made, texts

Columns = NDArray[np.float32]


class Remembered(Encoding):
    """An encoding that keeps its last answer in each thread, for several readers of one and the same batch."""

    def __init__(self, encoding: str | Encoding):
        self.encoding = encoding
        self._made = made(encoding)
        self._seen = threading.local()

    @property
    def text(self) -> str | None:
        """As which a predictor with it is saved, if it can be."""
        return self.encoding if isinstance(self.encoding, str) else getattr(self.encoding, "text", None)

    def transform(self, archs: Archs) -> Columns:
        """(n, d) its columns."""
        rows = batch(archs)
        seen: tuple[NDArray[np.int16], Columns] | None = getattr(self._seen, "batch", None)
        if seen and not len(rows):
            return seen[1][:0]
        if not seen or not np.array_equal(rows.genes, seen[0]):
            found = self._made.transform(rows)
            seen = rows.genes, found.reshape(len(rows), int(np.prod(found.shape[1:])))
            self._seen.batch = seen
        return seen[1]


@dataclass(frozen=True)
class ColumnBlock:
    """The columns of an encoding in groups, each group with a mean of 0 and a mean squared norm of 1 over the space.

    Encodings with a method ``groups(space)``, (d,) numbers from 0 on, say which columns are of one kind; those of
    others are one group. What counts and costs say is in their ratios: the logarithm of 1 + x is taken of each.
    """

    raw: Remembered
    groups: NDArray[np.int64]
    centre: Columns
    scale: Columns

    @classmethod
    def of(cls, encoding: str | Encoding, reference: Architectures) -> Self:
        """Scaled on the architectures of `reference`."""
        raw = Remembered(encoding)
        x = _logarithm(raw.transform(reference))
        own = getattr(made(encoding), "groups", None)
        groups = own(reference.space) if own else np.zeros(x.shape[1], dtype=np.int64)
        variance = np.bincount(groups, x.var(0), minlength=groups.max() + 1)[groups]
        return cls(raw, groups, x.mean(0), np.sqrt(np.where(variance > 0, variance, 1.0)).astype(np.float32))

    @property
    def encoding(self) -> str | Encoding:
        """What it was made of."""
        return self.raw.encoding

    def columns(self, rows: Architectures) -> list[Columns]:
        """(n, d) of each group."""
        x = (_logarithm(self.raw.transform(rows)) - self.centre) / self.scale
        return [x[:, self.groups == group] for group in range(self.groups.max() + 1)]

    def varies(self, rows: Architectures) -> bool:
        """Whether it tells any of these architectures apart."""
        return bool((self.raw.transform(rows) != self.raw.transform(rows[:1])).any())

    def state(self) -> dict[str, NDArray[Any]]:
        """The encoding as text, and its scales."""
        text = np.array(texts((self.encoding,))[0])
        return {"encoding": text, "groups": self.groups, "centre": self.centre, "scale": self.scale}

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of ``state``."""
        return cls(Remembered(str(state["encoding"])), state["groups"], state["centre"], state["scale"])


def _logarithm(x: Columns) -> Columns:
    return np.sign(x) * np.log1p(np.abs(x))
