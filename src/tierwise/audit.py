"""What it costs that people exclude something, as far as audits tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.architecture import Architectures
from tierwise.history import Trial
from tierwise.preview import Allowed
from tierwise.steer_row import Steer
from tierwise.steering import Steering


@dataclass(frozen=True)
class Regret:
    """Of one row of narrow, pin or ban.

    audited: results of audits in what it excludes. best_audited, best_allowed: the best value among them, and the best
    of what may be proposed. regret: by how much the former is better, 0 where it is not. None where there is no result.
    """

    row: Steer
    audited: int
    best_audited: float | None
    best_allowed: float | None
    regret: float | None


def regrets(trials: list[Trial], objective: str, steering: Steering, allowed: Allowed) -> list[Regret]:
    """Of every row in force that takes a part of the space away, the oldest first. trials: full results."""
    if not steering.parts:
        return []
    archs = Architectures.of([trial.arch for trial in trials], steering.space)
    y = np.array([trial.metrics[objective] for trial in trials], dtype=np.float64)
    audits = np.array([trial.why.get("strategy") == "audit" for trial in trials], dtype=np.bool_)
    inside = allowed.holds(archs)
    best_allowed = float(y[inside].max()) if inside.any() else None
    found: list[Regret] = []
    for row, part in steering.parts:
        audited = y[audits & ~part.contains(archs)]
        best = float(audited.max()) if len(audited) else None
        regret = None if best is None or best_allowed is None else max(0.0, best - best_allowed)
        found.append(Regret(row, len(audited), best, best_allowed, regret))
    return found
