"""What a steering row would do, before it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import Conflict
from tierwise.filters import Columns, Filter
from tierwise.history import History
from tierwise.insight.effects import Effects, effects, effects_of
from tierwise.part import Mask, Part
from tierwise.space import Space
from tierwise.steer_row import Steer, typed

TOP = 100  # of the best scores, so many are looked at


@dataclass(frozen=True)
class Evidence:
    """What the results say of an option, of several, or of a rule.

    n: results that have it. effect: by how much these are better than the others, None where all or none have it; low,
    high: its interval. thin: fewer than 20 have it, or have it not, or the interval spans 0.
    """

    n: int
    effect: float | None
    low: float | None
    high: float | None
    thin: bool


@dataclass(frozen=True)
class Preview:
    """What a row would do.

    text: as it would be typed. left, before: architectures that may still be proposed, with it and without; exact where
    the space can be swept. preferred: of them those that a preference would point to, share: so many of the proposals
    would come from there; None without. evaluated: results of full
    evaluations, top: architectures of the best scores; evaluated_lost, top_lost: how many of them may be proposed
    without the row, and with it may not, or are outside of its preference. best_lost: the best so far is one of them.
    evidence: what speaks for or against it. conflict: why it would be refused, None where it would not.
    """

    text: str
    left: int
    before: int
    preferred: int | None
    share: float | None
    evaluated: int
    evaluated_lost: int
    best_lost: bool
    top: int
    top_lost: int
    evidence: Evidence | None
    conflict: Conflict | None


@dataclass(frozen=True)
class Allowed:
    """What may be proposed: a part of a space, within limits (None without), but for the networks of some keys.

    equal: every architecture that is one of these networks; none of a space too large to be swept.
    """

    part: Part
    limits: Mask | None
    keys: NDArray[np.uint64]
    equal: Architectures

    def holds(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) which of these may."""
        return self._but_for_keys(archs) & ~np.isin(archs.space.canonical(archs), self.keys)

    @cached_property
    def count(self) -> int:
        """How many; of a space too large to be swept about how many, networks of the keys among them."""
        return self.part.count(self.limits) - int(self._but_for_keys(self.equal).sum())

    def _but_for_keys(self, archs: Architectures) -> NDArray[np.bool_]:
        return self.part.contains(archs) & (True if self.limits is None else self.limits(archs))


def previewed(
    row: Steer,
    before: Allowed,
    after: Allowed | Conflict,
    pointed: tuple[Allowed, float] | None,
    history: History,
    top: Architectures,
    evidence: Evidence | None,
) -> Preview:
    """What a row does to what was allowed before.

    pointed: where a preference points to, and its share. top: of the best scores.
    """
    conflict = after if isinstance(after, Conflict) else None
    kept = None if isinstance(after, Conflict) else pointed[0] if pointed else after

    def lost(archs: Architectures) -> int:
        inside = before.holds(archs)
        return int((inside if kept is None else inside & ~kept.holds(archs)).sum())

    done = history.done
    return Preview(
        text=typed(row),
        left=0 if isinstance(after, Conflict) else after.count,
        before=before.count,
        preferred=None if pointed is None else pointed[0].count,
        share=None if pointed is None else pointed[1],
        evaluated=len(done),
        evaluated_lost=lost(done.archs),
        best_lost=bool(lost(history.best(1).archs)),
        top=len(top),
        top_lost=lost(top),
        evidence=evidence,
        conflict=conflict,
    )


def evidence_of(row: Steer, space: Space, results: History, columns: Callable[[], Columns]) -> Evidence | None:
    """What results say of the options or the rule that a row of narrow, pin, ban, prefer or avoid names."""
    if "rule" in row.what:
        has = Filter(row.what["rule"], space, columns()).mask(results.archs)
    elif "choice" in row.what:
        gene = [choice.path for choice in space.choices].index(row.what["choice"])
        options = space.choices[gene].options
        named = [options.index(option) for option in row.what.get("options") or [row.what["option"]]]
        if len(named) == 1:
            return _at(effects(results.archs, results.y), gene, named[0])
        has = np.isin(results.archs.genes[:, gene], named)
    else:
        return None
    return _at(effects_of(has[:, None], results.y), 0)


def _at(found: Effects, *place: int) -> Evidence:
    effect, low, high = (_known(table[place]) for table in (found.effect, found.low, found.high))
    return Evidence(int(found.count[place]), effect, low, high, bool(found.thin[place]))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
