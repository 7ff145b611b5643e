"""Where the symbols of a grammar may stand in its terms: a fixed tree of places, so that terms are rows of numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Genes
from tierwise.errors import BadSetting
from tierwise.space import Choice
from tierwise.spaces.grammar_rules import Production, Rules

MOST_PLACES = 20_000
Ints = NDArray[np.int64]
Picks = NDArray[np.int16]
Bools = NDArray[np.bool_]
_Kind = tuple[str, int]  # a symbol, and how deep recursive symbols may still be nested


@dataclass(frozen=True)
class Group:
    """The places of one symbol at which the same productions end.

    options: these productions. places: (m,) ascending. parts: for each option and each symbol in it, the (m,) places
    where its derivation is found.
    """

    symbol: str
    options: tuple[Production, ...]
    places: Ints
    parts: tuple[tuple[Ints, ...], ...]


@dataclass(frozen=True)
class Places:
    """All places, numbered from the root downwards and from left to right.

    The k-th use of a symbol by whatever production a place takes has one place, so that a production that is changed
    for another keeps the sub-terms that both use. A shared symbol has a single tree of places, behind all others.
    groups: every group behind those of its parts. roots: of the whole and of the shared symbols. end: (p,) where the
    places below each end. level: (p,) how far below its root. group: (p,) the number of each one's group.
    genes: (genes,) the place of each.
    """

    groups: tuple[Group, ...]
    roots: dict[str, int]
    end: Ints
    level: Ints
    group: Ints
    genes: Ints
    choices: tuple[Choice, ...]

    def picks(self, genes: Genes) -> Picks:
        """(n, p) the option of each place; 0 where a place has one, or is not used."""
        picks = np.zeros((len(genes), len(self.end)), dtype=np.int16)
        picks[:, self.genes] = np.maximum(genes, 0)
        return picks

    def used(self, picks: Picks) -> Bools:
        """(n, p) whether the derivation comes by."""
        used = np.zeros(picks.shape, dtype=np.bool_)
        used[:, list(self.roots.values())] = True
        for group in reversed(self.groups):
            here, mine = used[:, group.places], picks[:, group.places]
            for option, parts in enumerate(group.parts):
                taken = here & (mine == option)
                for part in parts:
                    used[:, part] |= taken
        return used

    def rows(self, picks: Picks) -> Genes:
        """(n, genes) the options of places that are used, -1 at the others."""
        genes = np.where(self.used(picks)[:, self.genes], picks[:, self.genes], -1)
        return genes.astype(np.int16)


def places(rules: Rules) -> Places:
    """The places of a grammar. Raises BadSetting for too many."""
    return _Planting(rules).places()


@dataclass
class _Planting:
    rules: Rules
    kinds: dict[_Kind, tuple[Production, ...]] = field(default_factory=dict[_Kind, "tuple[Production, ...]"])
    kind: list[_Kind] = field(default_factory=list[_Kind])
    end: list[int] = field(default_factory=list[int])
    level: list[int] = field(default_factory=list[int])
    below: list[dict[tuple[str, int], int]] = field(default_factory=list[dict[tuple[str, int], int]])

    def places(self) -> Places:
        rules = self.rules
        self.heights, self.recursive = rules.heights(), rules.recursive()
        self.nested = {s for s in rules.productions if s in self.recursive or rules.reached(s) & self.recursive}
        roots = {rules.start: 0}
        self._grow(self._kind(rules.start, rules.depth), 0)
        for symbol in rules.shared:
            roots[symbol] = len(self.kind)
            self._grow(self._kind(symbol, rules.depth), 0)
        numbers = {kind: k for k, kind in enumerate(self.kinds)}
        kind = np.array([numbers[each] for each in self.kind])
        groups = tuple(self._group(each, np.flatnonzero(kind == k), roots) for each, k in numbers.items())
        free = [place for place, each in enumerate(self.kind) if len(self.kinds[each]) > 1]
        if not free:
            raise BadSetting(f"productions of {rules.name}", "one term", "some symbol with two productions that end")
        end, level = np.array(self.end), np.array(self.level)
        return Places(groups, roots, end, level, kind, np.array(free), self._choices(free))

    def _kind(self, symbol: str, depth: int) -> _Kind:
        """With its options, after the kinds of all that these use."""
        kind = symbol, depth if symbol in self.nested else 0
        if kind not in self.kinds:
            options = self.rules.options(symbol, kind[1], self.heights)
            for use in dict.fromkeys(use for option in options for use in option.uses):
                self._kind(*((use, self.rules.depth) if use in self.rules.shared else self._inside(kind, use)))
            self.kinds[kind] = options
        return kind

    def _inside(self, kind: _Kind, use: str) -> _Kind:
        """The kind of a symbol that is used at a place of this kind."""
        return use, kind[1] - (kind[0] in self.recursive) if use in self.nested else 0

    def _grow(self, kind: _Kind, level: int) -> int:
        """A place and all below it."""
        place = len(self.kind)
        if place >= MOST_PLACES:
            raise BadSetting(
                f"productions of {self.rules.name}",
                f"over {MOST_PLACES:,} places for symbols",
                f"at most {MOST_PLACES:,}; a smaller depth, or shared symbols",
            )
        self.kind.append(kind)
        self.level.append(level)
        self.end.append(place)
        self.below.append({})
        for option in self.kinds[kind]:
            for slot in _slots(option):
                if slot[0] not in self.rules.shared and slot not in self.below[place]:
                    self.below[place][slot] = self._grow(self._inside(kind, slot[0]), level + 1)
        self.end[place] = len(self.kind)
        return place

    def _group(self, kind: _Kind, at: Ints, roots: dict[str, int]) -> Group:
        def part(slot: tuple[str, int]) -> Ints:
            return np.array([self.below[place].get(slot, roots.get(slot[0], -1)) for place in at.tolist()])

        options = self.kinds[kind]
        return Group(kind[0], options, at, tuple(tuple(map(part, _slots(option))) for option in options))

    def _choices(self, free: list[int]) -> tuple[Choice, ...]:
        count, choices = Counter[str](), list[Choice]()
        for place in free:
            symbol = self.kind[place][0]
            count[symbol] += 1
            texts = tuple(str(option.term) for option in self.kinds[self.kind[place]])
            choices.append(Choice(f"{symbol}/{count[symbol]}", texts))
        return tuple(choices)


def _slots(option: Production) -> list[tuple[str, int]]:
    """The symbols that a production uses, each with the number of its earlier uses."""
    return [(use, option.uses[:k].count(use)) for k, use in enumerate(option.uses)]
