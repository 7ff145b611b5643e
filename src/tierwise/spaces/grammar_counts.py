"""How many terms there are below each place: exact sizes, uniform draws, ranks and the term of a rank."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.spaces.grammar_places import Bools, Group, Ints, Picks, Places


@dataclass(frozen=True)
class Counts:
    """Counts under the options that are allowed.

    allowed: (p, options) at each place. weighted: whether a production that is written twice counts twice.
    """

    places: Places
    allowed: Bools
    weighted: bool = False

    @functools.cached_property
    def _of(self) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Terms below each place, and of each of its options; a shared symbol counts 1 where it is used."""
        whole = np.zeros(len(self.places.end), dtype=object)  # whole numbers of any length
        each = np.zeros(self.allowed.shape, dtype=object)
        shared = set(self.places.roots.values())
        for group in self.places.groups:
            for k, (option, parts) in enumerate(zip(group.options, group.parts, strict=True)):
                number = self.allowed[group.places, k].astype(int).astype(object)
                for part in parts:
                    number = number * (1 if int(part[0]) in shared else whole[part])
                each[group.places, k] = number * (option.weight if self.weighted else 1)
            whole[group.places] = each[group.places].sum(1)
        return whole, each

    @property
    def total(self) -> int:
        """All terms."""
        return math.prod(int(self._of[0][root]) for root in self.places.roots.values())

    @functools.cached_property
    def several(self) -> Bools:
        """(p,) whether more than one option is allowed."""
        return self.allowed.sum(1) > 1

    @functools.cached_property
    def uniform(self) -> NDArray[np.float64]:
        """(p, options) cumulative chances with which every term is equally likely."""
        whole, each = self._of
        return _cumulative((each / whole[:, None]).astype(np.float64))

    @functools.cached_property
    def by_rule(self) -> NDArray[np.float64]:
        """(p, options) cumulative chances with which each production is as likely as it is often written."""
        weights = self.allowed.astype(np.float64)
        for group in self.places.groups:
            weights[group.places, : len(group.options)] *= [option.weight for option in group.options]
        return _cumulative(weights / weights.sum(1, keepdims=True))

    @functools.cached_property
    def least(self) -> Picks:
        """(p,) the allowed option of the smallest term below each place, the first of several."""
        shared, size = set(self.places.roots.values()), np.zeros(len(self.places.end))
        least = np.zeros(len(size), dtype=np.int16)
        for group in self.places.groups:
            sizes = np.full((len(group.places), len(group.options)), np.inf)
            for k, (option, parts) in enumerate(zip(group.options, group.parts, strict=True)):
                below = [size[part] for part in parts if int(part[0]) not in shared]
                possible = self.allowed[group.places, k]
                size_of = sum(below, np.full(len(group.places), 1.0 + str(option.term).count(",")))
                sizes[possible, k] = size_of[possible]
            least[group.places], size[group.places] = sizes.argmin(1), sizes.min(1)
        return least

    # ---- ranks, where they fit into 64 bits ----------------------------------------------------------------

    def rank(self, picks: Picks) -> Ints:
        """(n,) the number of each term in the order of the list, of terms with allowed options."""
        ranks = np.zeros(picks.shape, dtype=np.int64)
        for group in self.places.groups:
            first, strides = self._radix(group)
            mine, here = picks[:, group.places], np.zeros((len(picks), len(group.places)), dtype=np.int64)
            for k, parts in enumerate(group.parts):
                inside = sum((ranks[:, p] * s for p, s in zip(parts, strides[k], strict=True)), first[k][None])
                here = np.where(mine == k, inside, here)
            ranks[:, group.places] = here
        whole, total = _short(self._of[0]), np.zeros(len(picks), dtype=np.int64)
        for root in self.places.roots.values():
            total = total * whole[root] + ranks[:, root]
        return total

    def of_rank(self, rank: Ints) -> Picks:
        """(n, p) the options of these terms."""
        left = np.zeros((len(rank), len(self.places.end)), dtype=np.int64)
        whole, rest = _short(self._of[0]), np.asarray(rank, dtype=np.int64)
        for root in reversed(self.places.roots.values()):
            rest, left[:, root] = np.divmod(rest, whole[root])
        picks = np.zeros(left.shape, dtype=np.int16)
        for group in reversed(self.places.groups):
            first, strides = self._radix(group)
            here = left[:, group.places]
            mine = (here[None] >= np.array(first)[:, None]).sum(0) - 1
            picks[:, group.places] = mine
            here = here - np.take_along_axis(np.array(first), mine, axis=0)
            for k, parts in enumerate(group.parts):
                for part, stride in zip(parts, strides[k], strict=True):
                    if stride.all():
                        left[:, part] = np.where(mine == k, here // stride % whole[part], left[:, part])
        return picks

    def _radix(self, group: Group) -> tuple[list[Ints], list[list[Ints]]]:
        """For each option the (m,) rank of its first term, and for each of its parts the (m,) terms a step is worth.

        A step in a shared symbol is worth nothing here: its own root counts it.
        """
        shared, each = set(self.places.roots.values()), self._of[1][group.places]
        first = [_short(each[:, :k].sum(1)) for k in range(len(group.options))]
        strides = list[list[Ints]]()
        for parts in group.parts:
            worth, found = np.ones(len(group.places), dtype=object), list[Ints]()
            for part in reversed(parts):
                own = int(part[0]) not in shared
                found.append(_short(worth if own else 0 * worth))
                worth = worth * self._of[0][part] if own else worth
            strides.append(found[::-1])
        return first, strides


def _short(counts: NDArray[np.object_]) -> Ints:
    """In 64 bits; what passes them lies where no allowed option leads."""
    return np.minimum(counts, 2**62).astype(np.int64)


def drawn(cumulative: NDArray[np.float64], n: int, rng: np.random.Generator) -> Picks:
    """(n, p) an option for each place, by its chances."""
    number = rng.random((n, len(cumulative)))
    picks = np.zeros(number.shape, dtype=np.int16)
    for limit in cumulative.T[:-1]:
        picks += number >= limit
    return picks


def _cumulative(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up to exactly 1 at the last possible option, so that no draw lies beyond."""
    limits = chances.cumsum(1)
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(1)
    limits[np.arange(chances.shape[1]) >= last[:, None]] = 1.0
    return limits
