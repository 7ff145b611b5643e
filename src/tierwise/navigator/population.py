"""The architectures on the map: the whole space where it can be listed, else a sample and all that were evaluated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, concatenate
from tierwise.history import LARGEST_SWEEP
from tierwise.space import Space

SAMPLE = 20_000  # architectures that stand for a space too large to be listed
LARGEST_SAMPLE = 4_000_000  # genes of them all


@dataclass(frozen=True, slots=True)
class PopulationFacts:
    """rows: on the map. whole: whether they are every architecture of the space. genes: hash of their genes."""

    rows: int
    whole: bool
    genes: str


class Population:
    """Rows 0 .. n - 1 of the map. A row keeps its number while the study is open; new ones come behind."""

    def __init__(self, space: Space, seed: int = 0):
        self.space = space
        self.whole = space.size <= LARGEST_SWEEP
        self._place: dict[Any, int] = {}
        if self.whole:
            self.archs = space.enumerate()
        else:
            n = min(SAMPLE, LARGEST_SAMPLE // len(space.choices))
            self.archs = space.sample(n, np.random.default_rng([seed, n])).unique()
            self._place = {key: row for row, key in enumerate(self.archs.keys().tolist())}
        self._settle()

    def __len__(self) -> int:
        return len(self.archs)

    @property
    def facts(self) -> PopulationFacts:
        """What a page is told before it loads anything."""
        return PopulationFacts(len(self), self.whole, self.hash)

    def rows(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) the row of each, -1 for one that is not on the map."""
        if self.whole:
            return self.space.index(archs)
        return np.array([self._place.get(key, -1) for key in archs.keys().tolist()], dtype=np.int64)

    def row(self, arch: Architecture) -> int | None:
        """The row of one, None for one that is not on the map."""
        row = int(self.rows(Architectures.of([arch], self.space))[0])
        return None if row < 0 else row

    def add(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) the row of each; those of a sampled space that are not on the map yet are put behind the others."""
        rows = self.rows(archs)
        if self.whole or (rows >= 0).all():
            return rows
        fresh = archs[np.flatnonzero(rows < 0)].unique()
        self._place |= {key: len(self) + k for k, key in enumerate(fresh.keys().tolist())}
        self.archs = concatenate([self.archs, fresh])
        self._settle()
        return self.rows(archs)

    def _settle(self) -> None:
        self.columns = np.ascontiguousarray(self.archs.genes.T)  # (choices, n): one choice of all rows at a time
        self.hash = digest(self.archs.genes)


def digest(values: NDArray[Any]) -> str:
    """A short hash of the bytes of an array."""
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=8).hexdigest()
