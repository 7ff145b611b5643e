"""Spaces of masks: blocks in layers, each on or off, at least one on in every layer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Genes
from tierwise.errors import BadArchitecture, BadSetting, TooLarge
from tierwise.space import LARGEST_LIST, Choice, Space

OFF, ON = 0, 1
Ints = NDArray[np.int64]
_KEPT = 1_000_000  # rows of a list that are remembered


class Masks(Space):
    """A choice a block, ``layer1/conv3`` with the options off and on. Moves turn one block on or off, or, where one
    alone is on in its layer, exchange it for another one.

    layers: names of the blocks of each layer, by its name. slots: the genes of each layer.
    """

    free = False  # a layer with nothing on is no architecture

    def __init__(self, name: str, layers: Sequence[tuple[str, Sequence[str]]]):
        super().__init__(name, [Choice(f"{layer}/{b}", ("off", "on")) for layer, blocks in layers for b in blocks])
        ends = np.cumsum([0, *(len(blocks) for _, blocks in layers)]).tolist()
        self.layer_names = [layer for layer, _ in layers]
        self.slots = [slice(a, b) for a, b in itertools.pairwise(ends)]

    @property
    def patterns(self) -> list[Genes]:
        """(m, blocks) what is possible in each layer that has choices, in the order of ``index``."""
        if "patterns" not in self._cache:
            self._cache["patterns"] = [_patterns(self.allowed[slot]) for slot in self.slots]
        return self._cache["patterns"]

    @property
    def size(self) -> int:
        """The exact number of masks."""
        return math.prod(len(own) for own in self.patterns)

    def enumerate(self) -> Architectures:
        """Every mask; the last layer changes fastest. Raises TooLarge above ten million."""
        if "all" in self._cache:
            return self._cache["all"]
        if self.size > LARGEST_LIST:
            raise TooLarge(self.name, self.size, LARGEST_LIST)
        every = self.at(np.arange(self.size))
        if self.size <= _KEPT:
            self._cache["all"] = every
        return every

    def at(self, index: NDArray[np.integer[Any]] | Sequence[int]) -> Architectures:
        """The masks at these rows."""
        rows = np.asarray(index, dtype=np.int64)
        genes = np.empty((len(rows), len(self.choices)), dtype=np.int16)
        for slot, own in zip(reversed(self.slots), reversed(self.patterns), strict=True):
            rows, digit = np.divmod(rows, len(own))
            genes[:, slot] = own[digit]
        return Architectures(self, genes)

    def index(self, archs: Architectures) -> Ints:
        """(n,) the row of each, -1 outside. Raises TooLarge where rows pass 64 bits."""
        if self.size >= 2**63:
            raise TooLarge(self.name, self.size, 2**63 - 1)
        digits = self._digits(archs.genes)
        row = np.zeros(len(archs), dtype=np.int64)
        for column, own in zip(digits.T, self.patterns, strict=True):
            row = row * len(own) + column
        return np.where((digits < 0).any(1), -1, row)

    def _digits(self, genes: Genes) -> Ints:
        """(n, layers) the pattern of each layer, -1 where it is none."""
        digits = np.empty((len(genes), len(self.slots)), dtype=np.int64)
        for k, (slot, own) in enumerate(zip(self.slots, self.patterns, strict=True)):
            powers = 2 ** np.arange(own.shape[1])
            place = np.full(2 ** own.shape[1], -1)
            place[own @ powers] = np.arange(len(own))
            binary = ((genes[:, slot] >= 0) & (genes[:, slot] <= 1)).all(1)
            digits[:, k] = np.where(binary, place[np.where(binary, genes[:, slot] @ powers, 0)], -1)
        return digits

    def contains(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each is in this (perhaps narrowed) space."""
        known: NDArray[np.bool_] = np.all(self._digits(archs.genes) >= 0, axis=1)
        return known

    def check(self, archs: Architectures, texts: Sequence[str] | None = None) -> None:
        """Raises BadArchitecture for the first row with a gene that is neither 0 nor 1, or a layer with nothing on."""
        super().check(archs, texts)
        for layer, slot in zip(self.layer_names, self.slots, strict=True):
            empty = np.flatnonzero(~archs.genes[:, slot].any(1))
            if len(empty):
                row = int(empty[0])
                raise BadArchitecture(texts[row] if texts else str(archs[row]), f"no block of {layer} is on")

    def narrow(self, path: str, keep: Collection[str]) -> Self:
        """A smaller space: a block that is always on, or always off. Raises UnknownName, BadSetting."""
        smaller = super().narrow(path, keep)
        if not smaller.size:
            layer = path.partition("/")[0]
            raise BadSetting(f"narrow {path}", sorted(keep), f"what leaves a block of {layer} that may be on")
        return smaller

    def _allowing(self, allowed: NDArray[np.bool_]) -> Self:
        """What follows is said too: the last block of a layer that may be on is not off."""
        kept = allowed.copy()
        for slot in self.slots:
            possible = np.flatnonzero(kept[slot, ON])
            if len(possible) == 1:
                kept[slot.start + possible[0], OFF] = False
        other = super()._allowing(kept)
        other._cache = {}
        return other

    # ---- moves -----------------------------------------------------------------------------------------------

    def sample(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` masks, uniform, with replacement."""
        genes = np.empty((n, len(self.choices)), dtype=np.int16)
        for slot, own in zip(self.slots, self.patterns, strict=True):
            genes[:, slot] = own[rng.integers(len(own), size=n)]
        return Architectures(self, genes)

    def _moves(self, genes: Genes) -> tuple[NDArray[np.bool_], Ints]:
        """(n, moves) whether each is possible, and (moves, 2) the blocks that it changes (twice the same: one)."""
        width, on = len(self.choices), genes == ON
        both = self.allowed[:, OFF] & self.allowed[:, ON]
        more = np.empty_like(on)  # whether another block of the layer is on
        for slot in self.slots:
            more[:, slot] = on[:, slot].sum(1, keepdims=True) - on[:, slot] > 0
        flips = both & (~on | more)
        pairs = [(i, j) for s in self.slots for i in range(s.start, s.stop) for j in range(s.start, s.stop) if i != j]
        change = np.array([(k, k) for k in range(width)] + pairs, dtype=np.int64)
        a, b = change[width:].T
        swaps = both[a] & both[b] & on[:, a] & ~more[:, a]
        return np.concatenate([flips, swaps], 1), change

    @staticmethod
    def _moved(genes: Genes, change: Ints) -> Genes:
        """Genes with the blocks of (n, 2) moves turned over."""
        child, rows = genes.copy(), np.arange(len(genes))
        child[rows, change[:, 0]] = 1 - child[rows, change[:, 0]]
        other = change[:, 1] != change[:, 0]
        child[rows[other], change[other, 1]] = 1 - child[rows[other], change[other, 1]]
        return child

    def neighbours(self, archs: Architectures) -> tuple[Architectures, Ints]:
        """Every mask one move away, and the row of its parent."""
        possible, change = self._moves(archs.genes)
        parent, move = np.nonzero(possible)
        return Architectures(self, self._moved(archs.genes[parent], change[move])), parent

    def mutate(self, archs: Architectures, rng: np.random.Generator, genes: int = 1) -> Architectures:
        """One child a row, `genes` moves away, each move equally likely."""
        child = archs.genes
        for _ in range(genes):
            possible, change = self._moves(child)
            drawn = (rng.random(possible.shape, dtype=np.float32) * possible).argmax(1)
            able = possible.any(1)
            after = child.copy()
            after[able] = self._moved(child[able], change[drawn[able]])
            child = after
        return Architectures(self, child)

    def cross(self, a: Architectures, b: Architectures, rng: np.random.Generator) -> Architectures:
        """One child a row pair: each block from either parent; a layer that would be empty is that of `a`."""
        child = np.where(rng.random(a.shape) < 0.5, a.genes, b.genes)
        for slot in self.slots:
            empty = ~child[:, slot].any(1)
            child[empty, slot] = a.genes[empty, slot]
        return Architectures(self, child)


def _patterns(allowed: NDArray[np.bool_]) -> Genes:
    """(m, blocks) every non-empty set of blocks (allowed (blocks, 2): off, on); the first block is the lowest bit."""
    blocks = len(allowed)
    bits = (np.arange(1, 2**blocks)[:, None] >> np.arange(blocks)) & 1
    return bits[allowed[np.arange(blocks), bits].all(1)].astype(np.int16)
