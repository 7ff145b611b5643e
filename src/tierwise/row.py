"""One trial as the study file stores it, and what a stored row must look like to be believed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tierwise.architecture import Architecture

COLUMNS = "id, genes, canon, budget, why, state, attempt, seen, steered, told, metrics, error, asked, started, ended"
UNTOLD = ("waiting", "withdrawn")  # states without a result


@dataclass(slots=True)
class Row:
    """One trial as it is stored. started: when its evaluation began, None while it is a proposal."""

    id: int
    genes: str
    canon: int
    budget: int
    why: dict[str, Any]
    state: str
    attempt: int
    seen: int
    steered: int
    told: int | None
    metrics: dict[str, float]
    error: str | None
    asked: float
    started: float | None
    ended: float | None

    @property
    def seconds(self) -> float:
        """What the evaluation took: as recorded by the evaluator, else as measured."""
        return self.metrics.get("seconds", (self.ended or 0.0) - (self.started or 0.0))


def asked(
    position: int, arch: Architecture, canon: int, why: Mapping[str, Any], known: tuple[int, int], budget: int = 0
) -> Row:
    """The row of a new trial, waiting; its reason as JSON, where NaN, which JSON does not know, is null.

    known: how many results, and how many steering rows, there were.
    """

    def plain(value: object) -> object:
        return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)

    reason = json.loads(json.dumps(dict(why), default=plain), parse_constant=lambda _: None)
    return Row(
        position, arch.gene_text, canon, budget, reason, "waiting", 1, *known, None, {}, None, time.time(), None, None
    )


def to_stored(row: Row) -> tuple[Any, ...]:
    """The values of ``COLUMNS``."""
    why, metrics = json.dumps(row.why), json.dumps(row.metrics)
    return (
        row.id, row.genes, f"{row.canon:016x}", row.budget, why, row.state, row.attempt, row.seen, row.steered,
        row.told, metrics, row.error, row.asked, row.started, row.ended,
    )  # fmt: skip


def from_stored(values: tuple[Any, ...], position: int) -> Row:
    """The row at `position` (from 1) of a file that anybody may have edited. Raises ValueError, TypeError."""
    row: Any = Row(*values)  # of whatever types the file has
    row.canon, row.why, row.metrics = int(values[2], 16), json.loads(values[4]), json.loads(values[10])
    _require(row.id == position, f"its id is {row.id}, but it is row {position}: rows are missing")
    _require(isinstance(row.genes, str), "genes are not text")
    _require(0 <= row.canon < 2**64, "canonical key of more than 64 bits")
    _require(isinstance(row.why, dict), "its reason is not a JSON object")
    _require(row.state in ("done", "failed", *UNTOLD), f"state {row.state!r}")
    _require((row.told is None) == (row.state in UNTOLD), f"state {row.state}, told {row.told}")
    for name, value in (
        ("budget", row.budget),
        ("attempt", row.attempt),
        ("seen", row.seen),
        ("steered", row.steered),
        ("told", 0 if row.told is None else row.told),
    ):
        _require(isinstance(value, int) and 0 <= value < 2**31, f"{name} is {value!r}")
    _require(row.error is None or isinstance(row.error, str), "its error is not text")
    _require(_is_number(row.asked), f"asked at {row.asked!r}")
    _require(
        all(t is None or _is_number(t) for t in (row.started, row.ended)),
        f"ran {row.started!r} to {row.ended!r}",
    )
    _require(isinstance(row.metrics, dict), "its metrics are not a JSON object")
    for name, value in row.metrics.items():
        _require(_is_number(value), f"metric {name} is {value!r}")
    row.metrics = {name: float(value) for name, value in row.metrics.items()}
    return row


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise[:200])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(cast(float, value))
