"""A part of a space: some of its architectures, recorded or left by a shrinkage, as a space of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Genes, Graphs
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Shape, Space, mix
from tierwise.spaces.listed import Listed

if TYPE_CHECKING:
    from torch import nn

_DISTANCES = 2**24  # gene comparisons at a time: some dozens of MB


class Subset(Listed):
    """Some architectures of `whole`, in the order of `members`, so that a search stays inside: what a table records,
    or what is left of a space that was shrunk.

    A gene row that is no member stands for the first member that is the same network, as in every listed space;
    here two members may be the same network, for instance because both were trained. Name, choices, graphs, costs,
    networks and text are those of the whole space.

    Raises BadSetting for no members or one that comes twice, BadArchitecture for one outside `whole`.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> cells = NASBench201()
    >>> Subset(cells, cells.at([7, 3, 6111])).size
    3
    """

    def __init__(self, whole: Space, members: Architectures):
        outside = np.flatnonzero(~whole.contains(members))
        if len(outside):
            raise BadArchitecture(str(members[int(outside[0])]), f"not in {whole!r}")
        super().__init__(whole.name, whole.choices)
        self.whole, self.allowed = whole, whole.allowed.copy()
        self.identity_op, self.shared = whole.identity_op, whole.shared
        self._listed: Genes = (members if whole.free else whole.at(whole.index(members))).genes
        if not len(members) or len(np.unique(self._row_keys(self._listed))) < len(members):
            raise BadSetting("members of a subset", repr(members), "one architecture or more, each once")

    @property
    def origin(self) -> Space:
        """The space that this is a part of, or a part of a part of, not narrowed."""
        return self.whole.origin

    def _members(self) -> Genes:
        return self._listed

    def _row_keys(self, genes: Genes) -> NDArray[np.uint64]:
        """(n,) one key a gene row, whatever network it is and whether or not its genes are in range."""
        place = np.arange(genes.shape[1], dtype=np.uint64) * np.uint64(2**17)
        return mix(genes.astype(np.uint64) + place).sum(1, dtype=np.uint64)

    def _in_whole(self, archs: Architectures) -> Architectures:
        return Architectures(self.whole, archs.genes)

    def index(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) the row of the member with the same genes, else of the first that is the same network, else -1."""
        found = self._place("rows", self._row_keys, archs)
        rest = np.flatnonzero(found < 0)
        rest = rest[self.whole.contains(self._in_whole(archs[rest]))]
        found[rest] = self._place("networks", lambda genes: self.canonical(Architectures(self, genes)), archs[rest])
        return found

    def _place(self, what: str, keys: Callable[[Genes], NDArray[np.uint64]], archs: Architectures) -> NDArray[np.int64]:
        """(n,) the first member with the key of each, -1 where there is none."""
        if what not in self._cache:
            members = keys(self.enumerate().genes)
            order = np.argsort(members, kind="stable")
            self._cache[what] = members[order], order
        ordered, order = self._cache[what]
        if not len(ordered):
            return np.full(len(archs), -1)
        wanted = keys(archs.genes)
        place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        return np.where(ordered[place] == wanted, order[place], -1)

    def moves(self, archs: Architectures) -> tuple[Architectures, NDArray[np.int64]]:
        """One-step changes in the whole space, recorded or not, and the row of the parent of each."""
        whole = self.whole
        return (
            whole.moves(self._in_whole(archs)) if isinstance(whole, Listed) else whole.neighbours(self._in_whole(archs))
        )

    def mutate(self, archs: Architectures, rng: np.random.Generator, genes: int = 1) -> Architectures:
        """One child a row, `genes` moves away; where no recorded one is, one of the nearest in genes changed."""
        child = super().mutate(archs, rng, genes).genes
        alone = np.flatnonzero((child == archs.genes).all(1))
        step = max(1, _DISTANCES // (self.size * len(self.choices)))
        members = self.enumerate().genes
        for start in range(0, len(alone) if self.size > 1 else 0, step):
            rows = alone[start : start + step]
            distance = (archs.genes[rows, None] != members).sum(2)
            distance[distance == 0] = len(self.choices) + 1  # never the parent itself
            nearest = rng.random(distance.shape) * (distance == distance.min(1)[:, None])
            child[rows] = members[nearest.argmax(1)]
        return Architectures(self, child)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) the keys of the whole space."""
        return self.whole.canonical(self._in_whole(archs))

    def graphs(self, archs: Architectures) -> Graphs:
        """As in the whole space."""
        return self.whole.graphs(self._in_whole(archs))

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """As in the whole space."""
        return self.whole.costs(self._in_whole(archs), classes=classes, shape=shape)

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """As in the whole space."""
        return self.whole.totals(self._in_whole(archs), classes=classes, shape=shape)

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """As in the whole space."""
        return self.whole.build(arch, classes=classes, shape=shape)

    def format(self, archs: Architectures) -> list[str]:
        """As in the whole space."""
        return self.whole.format(self._in_whole(archs))

    def parse(self, text: str) -> Architecture:
        """As in the whole space: an architecture that is not recorded is one all the same. Raises BadArchitecture."""
        return self.whole.parse(text)

    def check(self, archs: Architectures, texts: Any = None) -> None:
        """Raises BadArchitecture for the first row that is no architecture of the whole space."""
        self.whole.check(self._in_whole(archs), texts)

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.whole, self._listed.tobytes()


def part(space: Space, members: Architectures) -> Subset:
    """These members of `space` as a space of their own, with the options that `space` allows.

    It is a part of the origin itself, also where `space` is a part already, so that parts made in different ways are
    equal if they have the same members. Raises as `Subset` does.
    """
    whole = space.origin
    for choice, kept in zip(space.choices, space.allowed, strict=True):
        if not kept[: len(choice.options)].all():
            whole = whole.narrow(choice.path, [o for o, k in zip(choice.options, kept, strict=False) if k])
    return Subset(whole, Architectures(whole, members.genes))


def plain(space: Space) -> Space:
    """The same space in the form that is equal however it was made."""
    return part(space, space.enumerate()) if isinstance(space, Subset) else space
