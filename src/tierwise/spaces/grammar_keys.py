"""Numbers that tell terms, and sub-terms, apart; of many rows at once, one group of places after another."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tierwise.space import mix
from tierwise.spaces.grammar_places import Picks, Places
from tierwise.spaces.grammar_rules import Production
from tierwise.spaces.grammar_terms import Term
from tierwise.spaces.grammar_topologies import BRANCH, SERIES

Keys = NDArray[np.uint64]
# by what a key is multiplied for each operation behind it: an odd number, so that nothing is lost
_NO_STEP, _STEP = np.ones(1, np.uint64), np.array([0x9E3779B97F4A7C15], np.uint64)


def keys(places: Places, picks: Picks, identity: str) -> Keys:
    """(n,) equal for terms that are equal by three rules: a series in a series is one series, `identity` in it is
    nothing, and branches have no order.

    A series is a number written with its operations as digits, so that brackets do not matter (Karp and Rabin,
    "Efficient Randomized Pattern-Matching Algorithms", 1987).
    """
    value = np.zeros(picks.shape, dtype=np.uint64)
    step = np.ones(picks.shape, dtype=np.uint64)
    for group in places.groups:
        mine = picks[:, group.places]
        for k, (option, parts) in enumerate(zip(group.options, group.parts, strict=True)):
            found, moved = _key(option, identity, iter([(value[:, part], step[:, part]) for part in parts]))
            taken = mine == k
            value[:, group.places] = np.where(taken, found, value[:, group.places])
            step[:, group.places] = np.where(taken, moved, step[:, group.places])
    return mix(value[:, 0] + mix(step[:, 0]))


def _key(option: Production, identity: str, below: Iterator[tuple[Keys, Keys]]) -> tuple[Keys, Keys]:
    """Key and step of a production, from those of the sub-terms below."""

    def of(term: Term) -> tuple[Keys, Keys]:
        if not term.args:
            if term.head in option.uses:
                return next(below)
            nothing = term.head == identity
            return _named(term.head) * np.uint64(not nothing), _NO_STEP if nothing else _STEP
        parts = [of(arg) for arg in term.args]
        if term.head == SERIES:
            value, step = parts[0]
            for other, further in parts[1:]:
                value, step = value * further + other, step * further
            return value, step
        key = _named(f"{term.head} {len(parts)}")
        for value, step in parts:
            digit = mix(value + mix(step))
            key = key + digit if term.head == BRANCH else mix(key + digit)
        return mix(key), _STEP

    return of(option.term)


def labels(places: Places, picks: Picks, depth: int) -> Keys:
    """(n, p) keys of the productions below each place, `depth` levels down; 0 where the term does not come by."""
    name, parts = _productions(places, picks)
    label = name
    for _ in range(depth):
        below = np.zeros_like(label)
        for at, taken, kids in parts:
            inside = np.zeros(taken.shape, dtype=np.uint64)
            for part in kids:
                inside = mix(inside + label[:, part])
            below[:, at] = np.where(taken, inside, below[:, at])
        label = mix(name + np.uint64(3) * below)
    return np.where(places.used(picks), label, np.uint64(0))


def _productions(
    places: Places, picks: Picks
) -> tuple[Keys, list[tuple[NDArray[np.int64], NDArray[np.bool_], tuple[NDArray[np.int64], ...]]]]:
    """(n, p) hashed productions, and for each that uses symbols: its places, where it is taken, and its parts."""
    name, parts = np.zeros(picks.shape, dtype=np.uint64), []
    for group in places.groups:
        known = np.concatenate([_named(str(option)) for option in group.options])
        name[:, group.places] = known[picks[:, group.places]]
        parts += [(group.places, picks[:, group.places] == k, below) for k, below in enumerate(group.parts) if below]
    return name, parts


def _named(text: str) -> Keys:
    """(1,) a number other than 0 for a name, the same in every process."""
    return mix(np.array([zlib.crc32(text.encode())], dtype=np.uint64)) | np.uint64(1)
