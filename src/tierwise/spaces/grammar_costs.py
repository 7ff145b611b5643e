"""What whole networks of terms cost: sums over operations, of many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.space import Shape
from tierwise.spaces import building
from tierwise.spaces.grammar_network import TermNetwork, halved
from tierwise.spaces.grammar_places import Bools, Group, Ints, Picks, Places
from tierwise.spaces.grammar_rules import Production
from tierwise.spaces.grammar_terms import Term
from tierwise.spaces.grammar_topologies import wiring

Level = int | Ints  # halvings before something: the same everywhere, or (n, m)


def totals(network: TermNetwork, places: Places, picks: Picks, classes: int, shape: Shape) -> NDArray[np.int64]:
    """(n, 2) multiply-adds and parameters. Raises BadSetting, naming the production, where shapes do not fit."""
    building.need_torch()
    entering = building.checked_shape(network.shape or shape)
    sums = _Sums.of(network, places, picks, (network.channels, *entering[1:]))
    leaving = sums.halvings[:, 0]
    around = [network.around_cost(sums.shapes[k][0], classes, entering) for k in range(int(leaving.max(initial=0)) + 1)]
    return sums.costs[0][:, 0] + np.array(around, dtype=np.int64)[leaving]


def most_halvings(network: TermNetwork, places: Places) -> Ints:
    """(p,) the most halvings on a way through any term below each place."""
    most = np.zeros(len(places.end), dtype=np.int64)
    for group in places.groups:
        for option, parts in zip(group.options, group.parts, strict=True):
            below = iter([most[part] for part in parts])
            most[group.places] = np.maximum(most[group.places], _longest(network, option, option.term, below))
    return most


def _longest(network: TermNetwork, option: Production, term: Term, below: Iterator[Ints]) -> Ints | int:
    if not term.args:
        return next(below) if term.head in option.uses else int(term.head in network.halving)
    reached: dict[int, Ints | int] = {0: 0}
    for arg, (source, target) in zip(term.args, wiring(term.head, len(term.args), network.topologies), strict=True):
        longest = reached[source] + _longest(network, option, arg, below)
        reached[target] = np.maximum(reached.get(target, 0), longest)
    return reached[len(reached) - 1]


@dataclass(frozen=True)
class _Sums:
    """Sums below each place, from the last places upwards.

    shapes: of maps after 0, 1, ... halvings. most: (p,) halvings in any sub-term. halvings: (n, p) in this one.
    costs: for each number of halvings before it, (n, p, 2) multiply-adds and parameters of its operations.
    """

    network: TermNetwork
    shapes: list[Shape]
    most: Ints
    halvings: Ints
    costs: list[Ints]

    @classmethod
    def of(cls, network: TermNetwork, places: Places, picks: Picks, first: Shape) -> _Sums:
        shapes, most = [first], most_halvings(network, places)
        for _ in range(int(most[0])):
            shapes.append(halved(shapes[-1]))
        costs = [np.zeros((*picks.shape, 2), dtype=np.int64) for _ in shapes]
        sums = cls(network, shapes, most, np.zeros(picks.shape, dtype=np.int64), costs)
        used = places.used(picks)
        for group in places.groups:
            sums.add(group, picks[:, group.places], used[:, group.places])
        return sums

    def add(self, group: Group, picks: Picks, used: Bools) -> None:
        """What the productions of these places cost, after as many halvings as there can be before them."""
        for before in range(len(self.shapes) - int(self.most[group.places[0]])):
            total, halvings = np.zeros((*picks.shape, 2), dtype=np.int64), np.zeros(picks.shape, dtype=np.int64)
            for k, option in enumerate(group.options):
                taken = used & (picks == k)
                if taken.any():
                    leaving, cost = self._through(option, option.term, before, iter(group.parts[k]), taken)
                    np.copyto(total, cost, where=taken[..., None])
                    np.copyto(halvings, leaving - before, where=taken)
            self.costs[before][:, group.places] = total
            self.halvings[:, group.places] = halvings

    def _through(
        self, option: Production, term: Term, entering: Level, parts: Iterator[Ints], taken: Bools
    ) -> tuple[Level, Ints]:
        """Halvings behind a term, with those before it, and its costs (n, m, 2) or (2,)."""
        if not term.args and term.head in option.uses:
            part = next(parts)
            leaving = entering + self.halvings[:, part] if self.most[part[0]] else entering
            return leaving, self._below(entering, part)
        if not term.args:
            return entering + int(term.head in self.network.halving), self._table(term.head)[self._known(entering)]
        reached: dict[int, Level] = {0: entering}
        total = np.zeros((*taken.shape, 2), dtype=np.int64)
        edges = wiring(term.head, len(term.args), self.network.topologies)
        for arg, (source, target) in zip(term.args, edges, strict=True):
            leaving, cost = self._through(option, arg, reached[source], parts, taken)
            self._check(option, reached.setdefault(target, leaving), leaving, taken)
            total += cost
        return reached[len(reached) - 1], total

    def _known(self, level: Level) -> Level:
        return np.minimum(level, len(self.shapes) - 1)  # what is beyond belongs to rows that do not take this way

    def _below(self, entering: Level, part: Ints) -> Ints:
        if isinstance(entering, int):
            return self.costs[entering][:, part]
        known = self._known(entering)
        return np.select(
            [np.equal(known, k)[..., None] for k in range(len(self.shapes))], [c[:, part] for c in self.costs]
        )

    def _check(self, option: Production, one: Level, other: Level, taken: Bools) -> None:
        wrong = np.argwhere(taken & np.asarray(one != other))
        if len(wrong):
            row, m = (int(k) for k in wrong[0])
            levels = [int((level + np.zeros(taken.shape, np.int64))[row, m]) for level in (one, other)]
            raise self.network.mismatch(str(option), *(self.shapes[min(k, len(self.shapes) - 1)] for k in levels))

    def _table(self, op: str) -> Ints:
        """(halvings before, 2) what an operation costs; nothing where it would be the last halving and one more."""
        last = len(self.shapes) - (op in self.network.halving)
        costs = [self.network.cost(op, shape) for shape in self.shapes[:last]]
        return np.array(costs + [(0, 0)] * (len(self.shapes) - last), dtype=np.int64)
