"""All directed acyclic graphs on a few vertices, up to isomorphism, as bit masks.

A graph on vertices 0 to n - 1 whose edges go from lower to higher numbers is the string of bits of the pairs (0, 1),
(0, 2), ..., (n - 2, n - 1), read as a number, the first pair the highest bit. Its canonical labelling is the one with
the largest number among all that keep edges going forward.
"""

from __future__ import annotations

import functools
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting

MOST_VERTICES = 6
Masks = NDArray[np.int64]


def pairs(vertices: int) -> tuple[tuple[int, int], ...]:
    """The pairs (source, target) in the order of their bits. Raises BadSetting for more than six vertices."""
    if not 1 <= vertices <= MOST_VERTICES:
        raise BadSetting("vertices", vertices, f"1 to {MOST_VERTICES}; of more there are too many graphs to list")
    return tuple(combinations(range(vertices), 2))


def masks(bits: NDArray[Any]) -> Masks:
    """(k,) numbers of bit rows (k, pairs)."""
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[1])[::-1])


def bits(masks: Masks, vertices: int) -> NDArray[np.int16]:
    """(k, pairs) the inverse of `masks`."""
    return (masks[:, None] >> np.arange(len(pairs(vertices)))[::-1] & 1).astype(np.int16)


@functools.cache
def canonical(vertices: int) -> Masks:
    """(2 ** pairs,) the canonical labelling of every graph, by its number."""
    edges, count = pairs(vertices), len(pairs(vertices))
    place = {pair: count - 1 - k for k, pair in enumerate(edges)}
    every = np.arange(1 << count)
    best = every.copy()
    split = count // 2  # a relabelling moves every bit: two tables of half the bits each are much shorter than one
    low, high = every & (1 << split) - 1, every >> split
    for order in permutations(range(vertices)):
        moved = [place.get((order[i], order[j]), -1) for i, j in reversed(edges)]  # -1: would go backward
        backward = sum(1 << k for k, target in enumerate(moved) if target < 0)
        value = _moved(moved[:split])[low] | _moved(moved[split:])[high]
        np.maximum(best, value, out=best, where=(every & backward) == 0)
    best.setflags(write=False)
    return best


def _moved(targets: list[int]) -> Masks:
    """(2 ** bits,) every mask of the lowest bits with bit k moved to ``targets[k]``; -1 drops it."""
    table = np.zeros(1, dtype=np.int64)
    for target in targets:
        table = np.concatenate([table, table | (1 << target if target >= 0 else 0)])
    return table


@functools.cache
def classes(vertices: int) -> Masks:
    """The canonical graphs, ascending: 1, 2, 6, 31, 302 and 5,984 of them for one to six vertices."""
    found = np.unique(canonical(vertices))
    found.setflags(write=False)
    return found


def wiring(masks: Masks, vertices: int) -> NDArray[np.bool_]:
    """(k, vertices + 2, vertices + 2) edges with a virtual input, the first, that every vertex without predecessor
    reads, and a virtual output, the last, that reads every vertex without successor.
    """
    wired = np.zeros((len(masks), vertices + 2, vertices + 2), dtype=np.bool_)
    for (i, j), there in zip(pairs(vertices), bits(masks, vertices).T, strict=True):
        wired[:, i + 1, j + 1] = there == 1
    inner = wired[:, 1:-1, 1:-1]
    sources, sinks = ~inner.any(1), ~inner.any(2)
    wired[:, 0, 1:-1], wired[:, 1:-1, -1] = sources, sinks
    return wired


def neighbours(mask: int, vertices: int) -> Masks:
    """The other canonical graphs one flipped bit of the canonical labelling away, ascending."""
    own = canonical(vertices)[mask]
    flipped = canonical(vertices)[own ^ 1 << np.arange(len(pairs(vertices)))]
    return np.unique(flipped[flipped != own])
