"""What every space must do when it is narrowed and when it is listed: a part of ``check_space``."""

from __future__ import annotations

import numpy as np

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, TooLarge, UnknownName
from tierwise.space import LARGEST_LIST, Space
from tierwise.testing.space_case import SpaceCase, expect_inside, rng
from tierwise.testing.suite import expect, expect_equal, expect_error, expect_rows, halved


def narrow_only_shrinks(case: SpaceCase) -> None:
    space = case.space
    size, allowed = space.size, space.allowed.copy()
    smaller, gene = halved(space)
    expect(smaller.size < size, f"size after narrow: expected less than {size}, seen {smaller.size}")
    expect_rows("allowed options of the space itself after narrow", space.allowed, allowed)
    expect(not (smaller.allowed & ~allowed).any(), "narrow: expected fewer options, seen a new one")
    path, options = space.choices[gene].path, space.choices[gene].options
    gone = [options[int(o)] for o in np.flatnonzero(allowed[gene] & ~smaller.allowed[gene])]
    expect_error(BadSetting, "narrow to what an earlier narrow took away", lambda: smaller.narrow(path, gone))
    expect_error(UnknownName, "narrow of an unknown choice", lambda: space.narrow("no such choice", gone))
    expect_error(UnknownName, "narrow to an unknown option", lambda: space.narrow(path, ["no such option"]))
    expect_equal("narrow to all that is left", space.narrow(path, [*gone, *options]), space)


def narrowed_operations_obey(case: SpaceCase) -> None:
    space = case.space
    smaller, _ = halved(space)
    drawn = smaller.sample(200, rng(4))
    expect_inside("sample after narrow", smaller, drawn)
    expect_inside("mutate after narrow", smaller, smaller.mutate(drawn, rng(5)))
    expect_inside("cross after narrow", smaller, smaller.cross(drawn[:100], drawn[100:], rng(6)))
    expect_inside("neighbours after narrow", smaller, smaller.neighbours(drawn[:5])[0])
    expect_inside("sample after narrow, seen from the whole space", space, drawn)
    expect_rows("canonical keys after narrow", smaller.canonical(drawn), space.canonical(drawn))


def listing_is_exact(case: SpaceCase) -> None:
    space = case.space
    if space.size > LARGEST_LIST:
        expect_error(TooLarge, "enumerate of a huge space", space.enumerate)
    for smaller in (case.small, halved(case.small)[0]):
        _expect_listing(smaller, case.some)


def _expect_listing(space: Space, some: Architectures) -> None:
    every = space.enumerate()
    expect_equal(f"length of enumerate() of {space!r}", len(every), space.size)
    expect_equal(f"different rows in enumerate() of {space!r}", len(every.unique()), space.size)
    expect_inside("enumerate", space, every)
    expect_rows("index(enumerate())", space.index(every), np.arange(len(every)))
    rows = rng(7).integers(0, len(every), 50)
    expect_rows("index(at(i))", space.index(space.at(rows)), rows)
    drawn = space.sample(50, rng(8))
    expect_rows("at(index(a))", space.at(space.index(drawn)).genes, drawn.genes)
    wrong = [len(space.choices[0].options), 30_000, *([-1] if space.free else [])]
    outside = np.repeat(every.genes[:1], len(wrong), axis=0)
    outside[:, 0] = wrong
    expect_rows("index of what is outside", space.index(Architectures(space, outside)), [-1] * len(wrong))
    foreign = some[~space.contains(some)]
    expect_rows("index of what narrow took away", space.index(foreign), np.full(len(foreign), -1))


def size_is_a_whole_number(case: SpaceCase) -> None:
    space = case.space
    expect(type(space.size) is int, f"size: expected an int, seen {type(space.size).__name__}")
    seen = len(case.some.unique())
    expect(space.size >= seen, f"size: expected at least the {seen} that were drawn, seen {space.size}")


CHECKS = (narrow_only_shrinks, narrowed_operations_obey, listing_is_exact, size_is_a_whole_number)
