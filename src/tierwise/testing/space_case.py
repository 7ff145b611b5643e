"""What a space is tried on, and what two files of checks say about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.architecture import Architectures
from tierwise.space import Space
from tierwise.testing.suite import expect


@dataclass(frozen=True)
class SpaceCase:
    """The space under test, and 64 of its members."""

    space: Space
    some: Architectures


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def expect_inside(what: str, space: Space, archs: Architectures) -> None:
    outside = np.flatnonzero(~space.contains(archs))
    seen = archs.genes[outside[:1]].tolist()
    expect(not seen, f"{what}: expected members of {space!r}, seen {seen} in row {outside[:1]}")
