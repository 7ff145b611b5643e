"""What people have said about a search, row by row, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierwise.audit import Regret
from tierwise.preview import Evidence, Preview
from tierwise.row import Row
from tierwise.steer_row import Steer, redoable, retracted, typed, undoable
from tierwise.steering import Steering
from tierwise.study import Study

COUNTED = 30  # of the latest rows it is told what they left
CHANGING = ("narrow", "pin", "ban", "retract")


@dataclass(frozen=True, slots=True)
class SteerFacts:
    """One steering row. text: as it would be typed. state: in force, taken back, evaluated or "". by: the row that took
    it back, or the trial that evaluated it. best_before, best_since: the best result before and after it.
    left: how many architectures were left once it was written, in decimal digits.
    """

    id: int
    time: float
    who: str
    after: int
    kind: str
    what: dict[str, Any]
    text: str
    state: str
    by: int | None
    best_before: float | None
    best_since: float | None
    left: str | None


@dataclass(frozen=True, slots=True)
class ConflictFacts:
    """Why a row can not be obeyed, and the fewest rows in force that are in its way."""

    message: str
    rows: list[int]


@dataclass(frozen=True, slots=True)
class PreviewFacts:
    """`tierwise.preview.Preview`, with numbers of architectures in decimal digits."""

    text: str
    left: str
    before: str
    preferred: str | None
    top_lost: int
    top: int
    evaluated_lost: int
    evaluated: int
    best_lost: bool
    evidence: Evidence | None
    conflict: ConflictFacts | None


def preview_facts(found: Preview) -> PreviewFacts:
    """As a page reads it."""
    conflict = found.conflict and ConflictFacts(str(found.conflict), [row.id for row in found.conflict.rows])
    return PreviewFacts(
        text=found.text,
        left=str(found.left),
        before=str(found.before),
        preferred=None if found.preferred is None else str(found.preferred),
        top_lost=found.top_lost,
        top=found.top,
        evaluated_lost=found.evaluated_lost,
        evaluated=found.evaluated,
        best_lost=found.best_lost,
        evidence=found.evidence,
        conflict=conflict or None,
    )


@dataclass(frozen=True, slots=True)
class RegretFacts:
    """`tierwise.audit.Regret`, of the row with this number."""

    row: int
    audited: int
    best_audited: float | None
    best_allowed: float | None
    regret: float | None


def regret_facts(found: Sequence[Regret]) -> list[RegretFacts]:
    """As a page reads them."""
    return [RegretFacts(r.row.id, r.audited, r.best_audited, r.best_allowed, r.regret) for r in found]


@dataclass(frozen=True, slots=True)
class SteeringFacts:
    """rev: how many rows. left of size: architectures that may be proposed. undo, redo: the rows that these would take
    back and write again. audit: share of the proposals that come from what people exclude. regret: of each ban.
    """

    rev: int
    rows: list[SteerFacts]
    left: str
    size: str
    preferred: str | None
    undo: int | None
    redo: int | None
    audit: float
    regret: list[RegretFacts]


class LeftOver:
    """How many architectures each row has left, counted once."""

    def __init__(self) -> None:
        self._counted: dict[int, int] = {}
        self._now = -1, 0

    def now(self, steering: Steering, rev: int, study: Study) -> int:
        """How many may be proposed after so many rows."""
        if self._now[0] != rev:
            self._now = rev, study.allowed(steering).count
        return self._now[1]

    def left(self, steers: Sequence[Steer], study: Study) -> Mapping[int, int]:
        """By the number of a row; of the latest ones that change it."""
        for k, steer in list(enumerate(steers, start=1))[-COUNTED:]:
            if k not in self._counted and (steer.kind in CHANGING):
                self._counted[k] = study.allowed(Steering.of(study.space, steers[:k], study.rule_columns)).count
        return self._counted


def next_steps(steers: Sequence[Steer]) -> tuple[int | None, int | None]:
    """The rows that an undo takes back and a redo says again."""
    undo, redo = undoable(steers), redoable(steers)
    return None if undo is None else undo.id, None if redo is None else redo.id


def log(steers: Sequence[Steer], rows: Sequence[Row], objective: str, left: Mapping[int, int]) -> list[SteerFacts]:
    """Every steering row with what it came to. left: by row, architectures left after it."""
    back = retracted(steers)
    evaluated = {row.why.get("row"): row.id for row in rows if row.why.get("strategy") == "steering"}
    told = sorted((row for row in rows if row.told is not None), key=lambda row: row.told or 0)
    values = [row.metrics.get(objective) if not row.budget else None for row in told]
    return [_facts(steer, back, evaluated, values, left) for steer in steers]


def _facts(
    steer: Steer,
    back: Mapping[int, int],
    evaluated: Mapping[Any, int],
    values: Sequence[float | None],
    left: Mapping[int, int],
) -> SteerFacts:
    state, by = "in force", None
    if steer.id in back:
        state, by = "taken back", back[steer.id]
    elif steer.id in evaluated:
        state, by = "evaluated", evaluated[steer.id]
    elif steer.kind in ("retract", "note"):
        state = ""
    count = left.get(steer.id)
    return SteerFacts(
        id=steer.id,
        time=steer.time,
        who=steer.who,
        after=steer.after,
        kind=steer.kind,
        what=dict(steer.what),
        text=typed(steer),
        state=state,
        by=by,
        best_before=_best(values[: steer.after]),
        best_since=_best(values[steer.after :]),
        left=None if count is None else str(count),
    )


def _best(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
