"""A part of a space, as steering rows leave it, and which of them together leave nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, Conflict, UnknownName
from tierwise.filters import Columns, Filter
from tierwise.history import LARGEST_SWEEP, History
from tierwise.space import Space
from tierwise.steer_row import Steer, typed

SAMPLE = 20_000  # of a space that is too large to be swept: some of them have to fulfil a rule
Mask = Callable[[Architectures], NDArray[np.bool_]]


@dataclass(frozen=True)
class Part:
    """A part of a space: what is left of its options, and rules that its members fulfil, or (kept False) do not."""

    space: Space
    rules: tuple[tuple[Filter, bool], ...] = ()

    def contains(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each is in it."""
        return self.space.contains(archs) & self._fulfil(archs)

    def _fulfil(self, archs: Architectures) -> NDArray[np.bool_]:
        inside = np.ones(len(archs), dtype=np.bool_)
        for rule, kept in self.rules:
            inside &= rule.mask(archs) == kept
        return inside

    def within(self, history: History) -> History:
        """The history of a search in this part: rules are limits, which every strategy heeds."""
        limits, costs = dict(history.limits), dict(history.costs)
        for rule, kept in self.rules:
            name = rule.text if kept else f"not ({rule.text})"
            limits[name], costs[name] = (float(kept), float(kept)), rule.mask
        return replace(history, space=self.space, limits=limits, costs=costs)

    @property
    def swept(self) -> bool:
        """Whether the space is small enough to be looked through as a whole."""
        return self.space.size <= LARGEST_SWEEP

    @cached_property
    def _inside(self) -> Architectures:
        """Every member; of a space too large to be swept those in a sample."""
        rows = self.space.enumerate() if self.swept else self.space.sample(SAMPLE, np.random.default_rng(0))
        return rows[np.flatnonzero(self._fulfil(rows))] if self.rules else rows

    def count(self, among: Mask | None = None) -> int:
        """How many architectures; of a space too large to be swept, and with rules or `among`, about how many.

        among: count only those that it holds for.
        """
        if not self.rules and among is None:
            return self.space.size
        found = len(self._inside) if among is None else int(among(self._inside).sum())
        return found if self.swept else found * self.space.size // SAMPLE


def restricted(part: Part, row: Steer, columns: Callable[[], Columns]) -> Part | None:
    """What one row of narrow, pin, ban, prefer or avoid keeps of a part; None where no option is left of its choice.

    Raises UnknownName, BadSetting for names and rules that there are not.
    """
    keep = row.kind not in ("ban", "avoid")
    if "rule" in row.what:
        return replace(part, rules=(*part.rules, (Filter(row.what["rule"], part.space, columns()), keep)))
    path, named = row.what["choice"], row.what.get("options") or [row.what["option"]]
    choice = next((c for c in part.space.choices if c.path == path), None)
    if choice is None:
        raise UnknownName("choice", path, [c.path for c in part.space.choices])
    for option in named:
        if option not in choice.options:
            raise UnknownName(f"option of {path}", option, choice.options)
    try:
        return replace(part, space=part.space.narrow(path, [o for o in choice.options if (o in named) == keep]))
    except BadSetting:
        return None


def left_by(
    space: Space, rows: Sequence[Steer], columns: Callable[[], Columns], among: Mask | None = None
) -> Part | None:
    """What all these rows leave of a space, or of what `among` holds for in it; None where that is nothing."""
    part: Part | None = Part(space)
    for row in rows:
        part = restricted(part, row, columns)
        if part is None:
            return None
    return part if part.count(among) else None


def conflict(
    space: Space, rows: Sequence[Steer], columns: Callable[[], Columns], among: Mask | None = None
) -> Conflict:
    """The refusal of rows that leave nothing: the first one that does, and the fewest before it that it needs.

    A row without which nothing is left all the same is no part of the conflict: the deletion filter of Chinneck,
    "Feasibility and Infeasibility in Optimization", 2008.
    """
    last = next(k for k in range(len(rows)) if left_by(space, rows[: k + 1], columns, among) is None)
    needed = list(rows[:last])
    for row in rows[:last]:
        fewer = [other for other in needed if other is not row]
        if left_by(space, [*fewer, rows[last]], columns, among) is None:
            needed = fewer
    allowed = "what leaves one at least" + ("" if among is None else " within the limits of the study")
    return refusal(rows[last], "no architecture is left", allowed, needed)


def refusal(row: Steer, value: str, allowed: str, rows: Sequence[Steer]) -> Conflict:
    """An error that names the rows, as they were typed, with which one cannot be obeyed."""
    said = "; ".join(f"{other.named}: {typed(other)}" for other in rows)
    return Conflict(f"steering {row}", value, f"{allowed}; in the way: {said}" if rows else allowed, rows)
