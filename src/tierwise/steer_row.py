"""One thing that a person has said about a search: a steering row as it is stored, typed, taken back and said again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierwise.errors import BadSetting, UnknownName

FIELDS: Mapping[str, tuple[tuple[str, ...], ...]] = {  # kind -> the sets of fields that it may have
    "narrow": (("choice", "options"), ("rule",)),
    "pin": (("choice", "option"),),
    "ban": (("choice", "option"), ("architecture",), ("rule",)),
    "prefer": (("choice", "options"), ("rule",)),
    "avoid": (("choice", "options"), ("rule",)),
    "evaluate": (("architecture",),),
    "review": (("wait",),),
    "batch": (("size",),),
    "approve": (("trial",),),
    "veto": (("trial",),),
    "audit": (("share",),),
    "pause": ((),),
    "continue": ((),),
    "stop": ((),),
    "note": (("text",),),
    "retract": (("row",),),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {"prefer": ("share",), "avoid": ("share",), "note": ("row",)}  # reason: all
LONGEST_WAIT = 604_800  # seconds, a week
LONGEST_TEXT = 1_000  # characters of a reason or a note
LARGEST_AUDIT = 0.5
LARGEST_BATCH = 1_000
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
        fields = (f"{name} {' '.join(words(value))}" for name, value in self.what.items())
        return f"{self.kind} {', '.join(fields)}".strip()

    @property
    def named(self) -> str:
        """Its number and author: "row 3 of anna"."""
        return f"row {self.id}" + (f" of {self.who}" if self.who else "")


def words(value: object) -> list[str]:
    """A field as words: numbers short, options one by one."""
    if isinstance(value, list | tuple):
        return [str(each) for each in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [f"{value:.10g}" if isinstance(value, float) else str(value)]


def typed(row: Steer) -> str:
    """As it would be typed after ``tierwise steer STUDY``."""
    found = [row.kind]
    for name, value in row.what.items():
        flag = (name, row.kind) not in {("architecture", "evaluate"), ("share", "audit"), ("row", "retract")}
        flag = flag and name in ("architecture", "rule", "share", "reason", "row")
        found += [f"--{name}", *words(value)] if flag else words(value)
    return shlex.join(found)


def from_file(values: tuple[Any, ...], position: int) -> Steer:
    """The row at `position` (from 1) of a file that anybody may have edited. Raises ValueError, TypeError, or ours."""
    number, when, who, after, kind, what = values
    if number != position:
        raise ValueError(f"row {position} is missing")
    times = isinstance(when, float) and 0 <= when < LATEST
    if not times or not isinstance(who, str) or not isinstance(after, int) or after < 0:
        raise ValueError(f"row {position} is of {who!r} at {when!r} after {after!r} results"[:200])
    return Steer(number, when, who, after, kind, checked(kind, json.loads(what)))


def checked(kind: str, what: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new row in their stored form. Raises UnknownName, BadSetting."""
    if kind not in FIELDS:
        raise UnknownName("kind of steering", kind, FIELDS)
    fields = {name: value for name, value in what.items() if value is not None}
    optional = (*OPTIONAL.get(kind, ()), "reason")
    if {name for name in fields if name not in optional} not in [set(names) for names in FIELDS[kind]]:
        wanted = " or ".join(", ".join(names) or "no field" for names in FIELDS[kind])
        beside = f"; {' and '.join(optional)} may be added"
        raise BadSetting(f"steering {kind}", ", ".join(sorted(fields)) or "nothing", wanted + beside)
    return {name: _field(kind, name, value) for name, value in fields.items()}


def _field(kind: str, name: str, value: Any) -> Any:
    """A field in its stored form. Raises BadSetting."""
    said = f"steering {kind}: {name}"
    if name == "options":
        given: list[Any] = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else []
        if not given or not all(isinstance(option, str) for option in given):
            raise BadSetting(said, value, "one option or more, by name")
        return given
    if name in ("row", "trial"):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
            raise BadSetting(said, value, "the number of a " + ("steering row" if name == "row" else "trial"))
    elif name == "size":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST_BATCH:
            raise BadSetting(said, value, f"a whole number from 1 to {LARGEST_BATCH:,}")
    elif name in ("wait", "share"):
        most = LONGEST_WAIT if name == "wait" else LARGEST_AUDIT if kind == "audit" else 1
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
            raise BadSetting(said, value, f"a number from 0 to {most:,}" + (" (seconds)" if name == "wait" else ""))
    elif not isinstance(value, str):
        raise BadSetting(said, value, "text")
    elif name in ("reason", "text") and len(value) > LONGEST_TEXT:
        raise BadSetting(said, value[:40] + "...", f"at most {LONGEST_TEXT:,} characters")
    return value


def in_force(rows: Sequence[Steer]) -> dict[int, Steer]:
    """Rows that were not taken back, by number; those that take back are not among them. Raises BadSetting."""
    valid: dict[int, Steer] = {}
    for row in rows:
        if row.kind != "retract":
            valid[row.id] = row
        elif valid.pop(row.what["row"], None) is None:
            allowed = ", ".join(map(str, valid)) or "none is in force"
            raise BadSetting("steering retract: row", row.what["row"], f"a row that is in force: {allowed}")
    return valid


def retracted(rows: Sequence[Steer]) -> dict[int, int]:
    """Rows that were taken back, each with the row that did so."""
    return {row.what["row"]: row.id for row in rows if row.kind == "retract"}


def undoable(rows: Sequence[Steer]) -> Steer | None:
    """What an undo takes back: the latest row in force."""
    return max(in_force(rows).values(), key=lambda row: row.id, default=None)


def redoable(rows: Sequence[Steer]) -> Steer | None:
    """What a redo says again: the row that the latest undo took back, unless something else was said since."""
    said = {row.id: row for row in rows}
    valid, undone = dict[int, Steer](), list[Steer]()
    for row in rows:
        if row.kind != "retract":
            again = undone and (row.kind, row.what) == (undone[-1].kind, undone[-1].what)
            undone = undone[:-1] if again else []
            valid[row.id] = row
        else:
            latest = bool(valid) and max(valid) == row.what["row"]
            undone = [*undone, said[row.what["row"]]] if latest else []
            valid.pop(row.what["row"], None)
    return undone[-1] if undone else None
