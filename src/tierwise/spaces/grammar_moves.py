"""From term to term: a sub-term derived anew, exchanged for one of another term, or begun with another production."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.spaces.grammar_counts import Counts, drawn
from tierwise.spaces.grammar_places import Bools, Ints, Picks


def derived_anew(counts: Counts, picks: Picks, rng: np.random.Generator) -> Picks:
    """(n, p) with one sub-term of each row derived anew, beginning with another production than it has.

    Each place that is used and has a choice is equally likely.
    """
    places, rows = counts.places, np.arange(len(picks))
    able = places.used(picks) & counts.several
    at = (rng.random(picks.shape) * able).argmax(1)
    child = np.where(_below(counts, at), drawn(counts.by_rule, len(picks), rng), picks)
    weight = np.diff(counts.by_rule[at], axis=1, prepend=0.0) * rng.random((len(picks), counts.allowed.shape[1]))
    weight[rows, picks[rows, at]] = -1.0
    other = np.where(able[rows, at], weight.argmax(1), picks[rows, at])
    child[rows, at] = other
    return np.where(able[rows, at][:, None], child, picks).astype(np.int16)


def exchanged(counts: Counts, a: Picks, b: Picks, rng: np.random.Generator) -> Picks:
    """(n, p) each row of `a` with one sub-term in place of which stands one of `b`, of the same symbol.

    The level is drawn first, then the place: most places lie on the last levels. In a recursive grammar the sub-term of
    `b` stands where as many symbols may be nested, so that it fits. Where nothing fits, `a` stays.
    """
    places, rows = counts.places, np.arange(len(a))
    mine = places.used(a) & counts.several
    levels = np.stack([mine[:, places.level == k].any(1) for k in range(int(places.level.max()) + 1)], axis=1)
    level = (rng.random(levels.shape) * levels).argmax(1)
    at = (rng.random(a.shape) * (mine & (places.level == level[:, None]))).argmax(1)
    theirs = places.used(b) & (places.group == places.group[at][:, None])
    source = (rng.random(b.shape) * theirs).argmax(1)
    fits = mine[rows, at] & theirs[rows, source]
    inside = _below(counts, at) & fits[:, None]
    inside[rows, at] = fits
    column = np.arange(a.shape[1])
    moved = np.where(inside, column - at[:, None] + source[:, None], column)
    return np.where(inside, np.take_along_axis(b, moved, axis=1), a)


def one_production(counts: Counts, picks: Picks) -> tuple[Picks, Ints]:
    """(m, p) every term in which one place of a row has another production, and the row of each.

    Sub-terms that both productions use stay; those that are new are the smallest there are.
    """
    places = counts.places
    used = places.used(picks)
    filled = np.where(used, picks, counts.least)
    other = counts.allowed[None] & (used & counts.several)[:, :, None]
    other &= np.arange(counts.allowed.shape[1]) != picks[:, :, None]
    row, place, option = np.nonzero(other)
    child = filled[row]
    child[np.arange(len(row)), place] = option
    return child.astype(np.int16), row


def _below(counts: Counts, at: NDArray[np.int64]) -> Bools:
    """(n, p) whether a place lies below the place `at` of its row."""
    column = np.arange(len(counts.places.end))
    return (column > at[:, None]) & (column < counts.places.end[at][:, None])
