"""What a person has said about a search: rows of the study that every strategy obeys from its next ``ask`` on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.filters import Columns, Filter
from tierwise.history import LARGEST_SWEEP, History
from tierwise.space import Space

FIELDS: Mapping[str, tuple[tuple[str, ...], ...]] = {  # kind -> the sets of fields that it may have
    "narrow": (("choice", "options"), ("rule",)),
    "pin": (("choice", "option"),),
    "ban": (("choice", "option"), ("architecture",), ("rule",)),
    "prefer": (("choice", "options"), ("rule",)),
    "avoid": (("choice", "options"), ("rule",)),
    "evaluate": (("architecture",),),
    "pause": ((),),
    "continue": ((),),
    "stop": ((),),
    "retract": (("row",),),
}

SAMPLE = 20_000  # of a space that is too large to be swept: some of them have to fulfil a rule
LATEST = 2.5e11  # seconds since the epoch: calendars end with the year 9999


@dataclass(frozen=True, slots=True)
class Steer:
    """One row. who: its author. after: how many results there were. kind: of ``FIELDS``. what: its fields by name."""

    id: int
    time: float
    who: str
    after: int
    kind: str
    what: Mapping[str, Any]

    def __str__(self) -> str:
        fields = ", ".join(f"{k} {v if isinstance(v, str | int) else ' '.join(v)}" for k, v in self.what.items())
        return f"{self.kind} {fields}".strip()


def from_file(values: tuple[Any, ...], position: int) -> Steer:
    """The row at `position` (from 1) of a file that anybody may have edited. Raises ValueError, TypeError, or ours."""
    number, when, who, after, kind, what = values
    if number != position:
        raise ValueError(f"row {position} is missing")
    times = isinstance(when, float) and 0 <= when < LATEST
    if not times or not isinstance(who, str) or not isinstance(after, int) or after < 0:
        raise ValueError(f"row {position} is of {who!r} at {when!r} after {after!r} results"[:200])
    return Steer(number, when, who, after, kind, checked(kind, json.loads(what)))


@dataclass(frozen=True)
class Part:
    """A part of a space: what is left of its options, and rules that its members fulfil, or (kept False) do not."""

    space: Space
    rules: tuple[tuple[Filter, bool], ...] = ()

    def contains(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each is in it."""
        inside = self.space.contains(archs)
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

    def count(self, seed: int = 0) -> int:
        """How many architectures; of a space too large to be swept, and with rules, about how many."""
        if not self.rules:
            return self.space.size
        swept = self.space.size <= LARGEST_SWEEP
        rows = self.space.enumerate() if swept else self.space.sample(SAMPLE, np.random.default_rng(seed))
        inside = int(self.contains(rows).sum())
        return inside if swept else inside * self.space.size // SAMPLE


@dataclass(frozen=True)
class Steering:
    """What the rows come to.

    left: what narrow, pin and ban have left. preferred: the part of it that prefer and avoid point to, None without.
    banned: canonical keys. queue: (row, architecture) to be evaluated next, the oldest first. pause: the row that holds
    the search, stop: the row that ends it, None without.

    narrow {choice, options}: only these options; {rule}: only what fulfils it, see ``tierwise.filters``. pin {choice,
    option}: only this one. ban {choice, option}: not this one; {architecture}: not this network; {rule}: nothing that
    fulfils it. prefer and avoid {choice, options} or {rule}: three of four proposals have, or have not, one of these
    options, or fulfil it, or do not. evaluate {architecture}: next, unless it is narrowed away. pause: ask for nothing
    more until continue. stop: ask no more. retract {row}: as if that row had never been written.
    """

    left: Part
    preferred: Part | None = None
    banned: frozenset[int] = frozenset()
    queue: tuple[tuple[int, Architecture], ...] = ()
    pause: Steer | None = None
    stop: Steer | None = None

    @property
    def space(self) -> Space:
        """What is left of the options."""
        return self.left.space

    @classmethod
    def of(cls, space: Space, rows: Sequence[Steer], columns: Callable[[], Columns] = dict) -> Steering:
        """From the rows in their order. columns: gives those of rules. Raises TierwiseError for the first row that
        cannot be obeyed.
        """
        valid = {row.id: row for row in rows}
        for row in rows:
            if row.kind == "retract":
                _known(row, valid)
                valid.pop(int(row.what["row"]))
        steering, soft = cls(Part(space)), list[Steer]()
        for row in valid.values():
            if row.kind in ("prefer", "avoid"):
                soft.append(row)
            elif row.kind in ("narrow", "pin"):
                steering = replace(steering, left=_narrowed(steering.left, row, True, columns))
            elif row.kind == "ban" and "architecture" not in row.what:
                steering = replace(steering, left=_narrowed(steering.left, row, False, columns))
            elif row.kind != "retract":
                steering = _EFFECTS[row.kind](steering, row)
        if soft:
            preferred = steering.left
            for row in soft:
                preferred = _narrowed(preferred, row, row.kind == "prefer", columns)
            steering = replace(steering, preferred=preferred)
        return steering


def retracted(rows: Sequence[Steer]) -> dict[int, int]:
    """Rows that were taken back, each with the row that did so."""
    return {row.what["row"]: row.id for row in rows if row.kind == "retract"}


def checked(kind: str, what: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new row in their stored form. Raises UnknownName, BadSetting."""
    if kind not in FIELDS:
        raise UnknownName("kind of steering", kind, FIELDS)
    fields = {name: value for name, value in what.items() if value is not None}
    allowed = FIELDS[kind]
    if tuple(sorted(fields)) not in {tuple(sorted(names)) for names in allowed}:
        wanted = " or ".join(", ".join(names) or "no field" for names in allowed)
        raise BadSetting(f"steering {kind}", ", ".join(sorted(fields)) or "nothing", wanted)
    for name, value in fields.items():
        if name == "options":
            given = [value] if isinstance(value, str) else list(value)
            if not given or not all(isinstance(option, str) for option in given):
                raise BadSetting(f"steering {kind}: options", value, "one option or more, by name")
            fields[name] = given
        elif name == "row":
            if not isinstance(value, int) or isinstance(value, bool):
                raise BadSetting("steering retract: row", value, "the number of a steering row")
        elif not isinstance(value, str):
            raise BadSetting(f"steering {kind}: {name}", value, "text")
    return fields


def _known(row: Steer, valid: Mapping[int, Steer]) -> None:
    number = row.what["row"]
    if number not in valid or number >= row.id or valid[number].kind == "retract":
        allowed = (
            ", ".join(str(k) for k, r in valid.items() if k < row.id and r.kind != "retract") or "none is in force"
        )
        raise BadSetting("steering retract: row", number, f"a row that is in force: {allowed}")


def _ban(steering: Steering, row: Steer) -> Steering:
    arch = Architectures.of([steering.space.parse(row.what["architecture"])], steering.space)
    return replace(steering, banned=steering.banned | set(steering.space.canonical(arch).tolist()))


def _evaluate(steering: Steering, row: Steer) -> Steering:
    return replace(steering, queue=(*steering.queue, (row.id, steering.space.parse(row.what["architecture"]))))


def _stop(steering: Steering, row: Steer) -> Steering:
    return replace(steering, stop=row)


def _pause(steering: Steering, row: Steer) -> Steering:
    return replace(steering, pause=row)


def _continue(steering: Steering, row: Steer) -> Steering:
    return replace(steering, pause=None)


_EFFECTS: Mapping[str, Callable[[Steering, Steer], Steering]] = {
    "ban": _ban,
    "evaluate": _evaluate,
    "pause": _pause,
    "continue": _continue,
    "stop": _stop,
}


def _narrowed(part: Part, row: Steer, keep: bool, columns: Callable[[], Columns]) -> Part:
    """The part in which a choice has only, or has not, the options of a row; or in which its rule holds, or does not.

    Raises where nothing is left.
    """
    if "rule" in row.what:
        smaller = replace(part, rules=(*part.rules, (Filter(row.what["rule"], part.space, columns()), keep)))
    else:
        smaller = replace(part, space=_with_options(part.space, row, keep))
    if smaller.count() == 0:
        raise BadSetting(f"steering {row}", "no architecture is left", "what leaves one at least")
    return smaller


def _with_options(space: Space, row: Steer, keep: bool) -> Space:
    path, options = row.what["choice"], row.what.get("options") or [row.what["option"]]
    choice = next((c for c in space.choices if c.path == path), None)
    if choice is None:
        raise UnknownName("choice", path, [c.path for c in space.choices])
    for option in options:
        if option not in choice.options:
            raise UnknownName(f"option of {path}", option, choice.options)
    try:
        return space.narrow(path, options if keep else [o for o in choice.options if o not in options])
    except BadSetting as error:
        raise BadSetting(f"steering {row}", "nothing is left", "an option that still is allowed") from error
