"""The trials of a study as a page shows them: where on the map, in what state, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tierwise.row import Row


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """One trial. row: on the map. text: the architecture, as it may be typed. state: proposed, running, done, failed or
    withdrawn. told: the how-manieth result. Times are seconds since the epoch.
    """

    id: int
    row: int
    text: str
    state: str
    budget: int
    metrics: dict[str, float]
    error: str | None
    why: dict[str, Any]
    reason: str
    asked: float
    started: float | None
    ended: float | None
    told: int | None


def state_of(row: Row) -> str:
    """A waiting trial is proposed until it is started."""
    if row.state != "waiting":
        return row.state
    return "proposed" if row.started is None else "running"


def facts_of(row: Row, place: int, space: str, authors: Mapping[int, str]) -> TrialFacts:
    """authors: of the steering rows, by their number."""
    return TrialFacts(
        id=row.id,
        row=place,
        text=f"{space}/{row.genes}",
        state=state_of(row),
        budget=row.budget,
        metrics=row.metrics,
        error=row.error,
        why=row.why,
        reason=reason(row.why, authors),
        asked=row.asked,
        started=row.started,
        ended=row.ended,
        told=row.told,
    )


def reason(why: Mapping[str, Any], authors: Mapping[int, str]) -> str:
    """Why a trial was proposed, in words."""
    if not why:
        return "no reason given"
    if why.get("strategy") == "steering":
        number = why.get("row")
        author = (authors.get(number) if isinstance(number, int) else None) or "somebody"
        return f"{author} asked for it, steering row {number}"
    if why.get("strategy") == "known":
        return f"not proposed: its result was known before, from {why.get('from')}"
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in why.items())


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
