"""What a space is tried on, and what two files of checks say about it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from tierwise.architecture import Architectures
from tierwise.space import LARGEST_LIST, Space
from tierwise.testing.suite import expect, narrowed_to


@dataclass(frozen=True)
class SpaceCase:
    """The space under test, and 64 of its members."""

    space: Space
    some: Architectures

    @functools.cached_property
    def small(self) -> Space:
        """The space itself, or a part of it that is quickly listed."""
        return narrowed_to(self.space, 20_000)

    @property
    def listed(self) -> Space:
        """The space itself, or a part of it that can be listed at all."""
        return self.space if self.space.size <= LARGEST_LIST else self.small


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def expect_inside(what: str, space: Space, archs: Architectures) -> None:
    outside = np.flatnonzero(~space.contains(archs))
    seen = archs.genes[outside[:1]].tolist()
    expect(not seen, f"{what}: expected members of {space!r}, seen {seen} in row {outside[:1]}")
