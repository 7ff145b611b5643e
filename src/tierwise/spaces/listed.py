"""Spaces whose members are listed one by one, because not every combination of options is an architecture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Genes
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Space

_MOVED = 16_384  # rows whose neighbours are computed at a time: some hundreds of MB
_CROSSINGS = 8  # tries to mix two parents into a member


class Listed(Space):
    """A space of listed members in a fixed order; a gene of -1 is a choice that is not active.

    A gene row that is no member itself stands for the member that is the same network, if there is one. So
    ``index``, ``contains`` and every move go through ``canonical``; what moves and samples give are members.

    A new space gives ``_members`` and ``graphs``, and ``canonical`` if networks have several gene rows: equal
    non-zero keys for equal networks, 0 for rows that are no architecture.
    """

    free = False

    @abstractmethod
    def _members(self) -> Genes:
        """(N, genes) every member of the whole space, in the order of ``index``."""

    def moves(self, archs: Architectures) -> tuple[Architectures, NDArray[np.int64]]:
        """One-step changes of each row and the row of its parent; some may be no architecture, or equal."""
        return super().neighbours(archs)

    @property
    def size(self) -> int:
        """The exact number of members (of a narrowed space: those left)."""
        return len(self.enumerate())

    def enumerate(self) -> Architectures:
        """Every member, in the fixed order."""
        if "all" not in self._cache:
            genes = self._members()
            if self.narrowed:
                inactive = genes < 0
                kept = self.allowed[np.arange(len(self.choices)), np.where(inactive, 0, genes)] | inactive
                genes = genes[kept.all(1)]
            self._cache["all"] = Architectures(self, genes)
        return self._cache["all"]

    def index(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) the row of the member that each is equal to, -1 outside."""
        if "sorted" not in self._cache:
            keys = self.canonical(self.enumerate())
            order = np.argsort(keys)
            self._cache["sorted"] = keys[order], order
        members, order = self._cache["sorted"]
        if not len(members):
            return np.full(len(archs), -1)
        keys = self._checked_keys(archs)
        place = np.minimum(np.searchsorted(members, keys), len(members) - 1)
        return np.where((members[place] == keys) & (keys != 0), order[place], -1)

    def _checked_keys(self, archs: Architectures) -> NDArray[np.uint64]:
        """Canonical keys, 0 where a gene is no option of its choice."""
        counts = np.array([len(c.options) for c in self.choices])
        known = np.flatnonzero(((archs.genes >= -1) & (archs.genes < counts)).all(1))
        keys = np.zeros(len(archs), dtype=np.uint64)
        keys[known] = self.canonical(archs[known])
        return keys

    def contains(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each row is (the same network as) a member of this perhaps narrowed space."""
        return self.index(archs) >= 0

    def check(self, archs: Architectures, texts: Sequence[str] | None = None) -> None:
        """Raises BadArchitecture for the first row that is no architecture of the whole space."""
        wrong = np.flatnonzero(self._checked_keys(archs) == 0)
        if len(wrong):
            row = int(wrong[0])
            raise BadArchitecture(texts[row] if texts else str(archs[row]), f"no architecture of {self.name}")

    def narrow(self, path: str, keep: Collection[str]) -> Self:
        """A smaller space: choice `path`, where active, keeps these options. Raises UnknownName, BadSetting."""
        smaller = super().narrow(path, keep)
        if not smaller.size:
            raise BadSetting(f"narrow {path}", sorted(keep), "options that leave at least one architecture")
        return smaller

    def sample(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` members, uniform, with replacement."""
        return self.at(rng.integers(self.size, size=n))

    def neighbours(self, archs: Architectures) -> tuple[Architectures, NDArray[np.int64]]:
        """Every other member one move away, each once, and the row of its parent."""
        rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        parents: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for start in range(0, len(archs), _MOVED):
            part = archs[start : start + _MOVED]
            children, parent = self.moves(part)
            row = self.index(children)
            other = (row >= 0) & (row != self.index(part)[parent])
            pair = np.unique(parent[other] * self.size + row[other])
            rows.append(pair % self.size)
            parents.append(pair // self.size + start)
        return self.at(np.concatenate(rows)), np.concatenate(parents)

    def mutate(self, archs: Architectures, rng: np.random.Generator, genes: int = 1) -> Architectures:
        """One child a row, `genes` moves away: each neighbour equally likely; without neighbours it stays."""
        child = archs
        for _ in range(genes):
            around, parent = self.neighbours(child)
            first = np.searchsorted(parent, np.arange(len(child) + 1))
            counts = np.diff(first)
            moved = counts > 0
            after = child.genes.copy()
            after[moved] = around.genes[(first[:-1] + rng.integers(np.maximum(counts, 1)))[moved]]
            child = Architectures(self, after)
        return child

    def cross(self, a: Architectures, b: Architectures, rng: np.random.Generator) -> Architectures:
        """One child a row pair: genes of either parent where that makes a member, else one of the parents."""
        child = np.where(rng.random((len(a), 1)) < 0.5, a.genes, b.genes)
        open_rows = np.arange(len(a))
        for _ in range(_CROSSINGS):
            mixed = np.where(rng.random((len(open_rows), a.shape[1])) < 0.5, a.genes[open_rows], b.genes[open_rows])
            row = self.index(Architectures(self, mixed))
            found = row >= 0
            child[open_rows[found]] = self.at(row[found]).genes
            open_rows = open_rows[~found]
        return Architectures(self, child)
