"""What people said in a study, as rows that another run writes by itself at the same places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierwise.columns import Columns
from tierwise.filters import Columns as RuleColumns
from tierwise.steer_row import Steer
from tierwise.steering import Steering

TIMED = ("review", "pause", "continue", "stop")  # they decide when something happens, not what


@dataclass(frozen=True)
class Planned:
    """A steering row that a run writes by itself, see ``Study.run``.

    results, trials: once there are so many. running: trials that were being evaluated then, and are not withdrawn.
    """

    results: int
    trials: int
    kind: str
    what: Mapping[str, Any]
    who: str = ""
    running: tuple[int, ...] = ()


def planned(columns: Columns, rows: Sequence[Steer], rule_columns: Callable[[], RuleColumns]) -> list[Planned]:
    """The rows of a study for a run that gives the same trials; where they only take time, as notes."""
    places = _places(columns, rows)
    found: list[Planned] = []
    for k, row in enumerate(rows):
        kind, what = ("note", {"text": str(row)}) if row.kind in TIMED else (row.kind, row.what)
        running = tuple[int, ...]()
        if places[k] not in places[:k]:  # what is said in one place is heard together
            said = [other for other, place in zip(rows, places, strict=True) if place <= places[k]]
            running = _running(columns, Steering.of(columns.space, said, rule_columns), *places[k])
        found.append(Planned(*places[k], kind, what, row.who, running))
    return found


def _places(columns: Columns, rows: Sequence[Steer]) -> list[tuple[int, int]]:
    """How many results and trials there were when the driver heard of each row: at once, or once it had told the result
    that it was waiting for.
    """
    places, told = list[tuple[int, int]](), {trial.told: trial for trial in columns.rows}
    for row in rows:
        known = [trial for trial in columns.rows if trial.steered >= row.id]
        results, running = row.after, told.get(row.after + 1)
        if running is not None and (running.started or 0.0) <= row.time <= (running.ended or 0.0):
            results = min(row.after + 1, known[0].seen) if known else row.after + 1
        places.append((max(results, places[-1][0] if places else 0), len(columns) - len(known)))
    return places


def _running(columns: Columns, steering: Steering, results: int, trials: int) -> tuple[int, ...]:
    """Trials that are impossible in a place and were evaluated all the same, because they ran already."""
    waiting = [
        position
        for position, trial in enumerate(columns.rows[:trials])
        if trial.told is not None and trial.told > results and trial.why.get("strategy") != "audit"
    ]
    excluded = steering.excluding(columns.archs[waiting]).values() if waiting else ()
    return tuple(position + 1 for k, position in enumerate(waiting) if any(mask[k] for mask in excluded))
