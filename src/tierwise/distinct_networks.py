"""One architecture for all whose networks are the same."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.space import LARGEST_LIST, Space

LISTED = 1_000_000  # spaces up to this size are searched for the smallest architecture of each network


def distinct(archs: Architectures) -> Architectures:
    """For each architecture one whose network is the same, the same one for all of them.

    In a space of up to a million architectures it is the one with the fewest parameters, the first in order among
    those: it has no dead operations with weights, which would count in zero-cost proxies without doing anything. In a
    listed space it is the member; in a larger space every architecture stands for itself.
    """
    space = _same(archs.space.origin)
    rows = Architectures(space, archs.genes)
    if not space.free and space.size <= LARGEST_LIST:
        at = space.index(rows)
        known = np.flatnonzero(at >= 0)
        genes = rows.genes.copy()
        genes[known] = space.at(at[known]).genes
        return Architectures(space, genes)
    if space.size > LISTED:
        return rows
    keys, smallest = _smallest(space)
    return space.at(smallest[np.searchsorted(keys, space.canonical(rows))])


@functools.lru_cache(maxsize=8)
def _same(space: Space) -> Space:
    """The first of equal spaces, which remembers its keys."""
    return space


@functools.lru_cache(maxsize=4)
def _smallest(space: Space) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The keys of all networks, sorted, and the row of the smallest architecture of each."""
    every = space.enumerate()
    keys = space.canonical(every)
    try:
        size = space.totals(every)[:, 1]
    except BadSetting:  # without cost formulas the first one stands for all
        size = np.zeros(len(every), dtype=np.int64)
    order = np.lexsort((size, keys))
    found, first = np.unique(keys[order], return_index=True)
    return found, order[first]
