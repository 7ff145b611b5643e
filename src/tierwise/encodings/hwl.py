"""Weisfeiler-Lehman counts on every level of a hierarchy."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.wl import WeisfeilerLehman
from tierwise.errors import BadSetting
from tierwise.space import Space, mix

_PLACES = 2**21  # of all rows, looked at together


@runtime_checkable
class _Hierarchy(Protocol):
    """What spaces of nested terms have."""

    def term_labels(self, archs: Architectures, depth: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]: ...


class HierarchicalWL(Encoding):
    """Counts of sub-terms, level by level, hashed into a fixed number of columns; for cells, those of ``wl``.

    Of a hierarchical space each level has `columns` columns, level 0 being the whole. The label of a sub-term is, at
    depth 0, the production that it begins with; at depth k, that and the labels of depth k - 1 of the terms in it, in
    order. Each label of depth 0 to `depth` counts in the column that its hash picks. All levels below the last of
    `levels` count as one with it. Rows of a level are divided by the root of their sum of squares, so that a kernel of
    the columns is a sum over levels in which each weighs as much.
    A space without a hierarchy has one level, and the columns of ``wl``.

    columns: of each level. depth: the largest depth of a label. levels: the most. Raises BadSetting.

    From: Schrodi et al., "Construction of Hierarchical Neural Architecture Search Spaces based on Context-free
    Grammars" (2023), whose kernel is a weighted sum over levels of Weisfeiler-Lehman kernels. Theirs are of graphs that
    are folded at each level; labels of sub-terms in their place, even weights and hashing into columns are ours.

    >>> from tierwise.spaces.grammar import Grammar
    >>> nets = Grammar("nets", "NET", {"NET": "series(OP, OP)", "OP": "conv3x3 | id"})
    >>> HierarchicalWL(columns=8).transform(nets.at([0, 3])).shape
    (2, 16)
    """

    def __init__(self, columns: int = 128, depth: int = 2, levels: int = 8):
        self.columns = columns
        self.depth = depth
        self.levels = levels

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, (n, levels * columns)."""
        rows = batch(archs)
        if self.columns < 1 or self.depth < 0 or self.levels < 1:
            given = (self.columns, self.depth, self.levels)
            raise BadSetting("columns, depth and levels", given, "at least 1, 0 and 1")
        if not isinstance(rows.space, _Hierarchy):
            return WeisfeilerLehman(self.columns, self.depth).transform(rows)
        step = max(1, _PLACES // len(rows.space.choices))
        return np.concatenate([self._columns(rows.space, part) for part in rows.chunks(step)])

    def feature_names(self, space: Space) -> list[str]:
        """Hashes say little: the level, and the number of the column in it."""
        if not isinstance(space, _Hierarchy):
            return WeisfeilerLehman(self.columns, self.depth).feature_names(space)
        some = space.sample(1, np.random.default_rng(0))
        levels = self._count(space.term_labels(some, 0)[1])
        return [f"sub-terms of level {level}, hash {k}" for level in range(levels) for k in range(1, self.columns + 1)]

    def _count(self, level: NDArray[np.int64]) -> int:
        return min(int(level.max()) + 1, self.levels)

    def _columns(self, space: Any, rows: Architectures) -> NDArray[np.float32]:
        each = [space.term_labels(rows, depth) for depth in range(self.depth + 1)]
        levels = self._count(each[0][1])
        counts = np.zeros(len(rows) * levels * self.columns)
        for depth, (label, level) in enumerate(each):
            column = (mix(label + np.uint64(depth)) % np.uint64(self.columns)).astype(np.int64)
            column += (np.minimum(level, levels - 1) + np.arange(len(rows))[:, None] * levels) * self.columns
            counts += np.bincount(column.ravel(), (label > 0).ravel(), minlength=len(counts))
        parts = counts.reshape(len(rows), levels, self.columns)
        length = np.sqrt((parts**2).sum(2, keepdims=True))
        return (parts / np.maximum(length, 1.0)).reshape(len(rows), levels * self.columns).astype(np.float32)
