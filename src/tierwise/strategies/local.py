"""Local search: White et al., "Exploring the Loss Landscape in Neural Architecture Search" (2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.history import DONE, WAITING, History, Proposal


@dataclass(frozen=True)
class LocalSearch:
    """Hill climbing: evaluate the neighbours of the best point, move to a better one, start again where none is.

    first: random architectures that every run starts from, the best of them being where it climbs.
    move: "first" goes on from a better neighbour as soon as one is known, "best" looks at all neighbours before it
    goes on from the best of them.

    From: White, Nolen and Savani (2021), both variants. Ours: neighbours that are asked for together are evaluated
    together, a run waits for results while the next one begins, and trials of other strategies belong to the first run.
    """

    first: int = 10
    move: Literal["first", "best"] = "first"

    def __post_init__(self) -> None:
        if self.first < 1:
            raise BadSetting("first", self.first, "1 or more random architectures")
        if self.move not in ("first", "best"):
            raise BadSetting("move", self.move, '"first" or "best"')

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Neighbours in the earliest run that is not at its end, or the random start of a new run."""
        whys = [_own(history.why(row)) for row in range(len(history))]
        runs = np.array([why.get("run", 0) for why in whys], dtype=np.int64)
        for run in range(int(runs.max(initial=-1)) + 2):
            rows = np.flatnonzero(runs == run)
            parents = [whys[row].get("parent") for row in rows]
            missing = max(self.first - parents.count(None), 0)
            done = rows[history.state[rows] == DONE]
            if missing or not len(done):
                archs = history.sample(min(n, max(missing, 1)), rng)
                proposals = [Proposal(arch, {"strategy": "local", "step": "random", "run": run}) for arch in archs]
            else:
                proposals = self._climb(history, rows, done, parents, n)
            if proposals:
                return proposals
        return []

    def _climb(
        self, history: History, rows: NDArray[np.int64], done: NDArray[np.int64], parents: list[str | None], n: int
    ) -> list[Proposal]:
        """Fresh neighbours of the point that a run has reached; none at its end, or while it waits for results."""
        best = _best(history, done)
        if self.move == "first":
            return _around(history, best, n)
        left = set(parents)  # where the run has been: its starts, and the points whose neighbours it has looked at
        been = [row for row, parent in zip(rows, parents, strict=True) if parent is None or _text(history, row) in left]
        been = np.intersect1d(been, done)
        here = _best(history, been) if len(been) else best  # every start may have failed
        text = _text(history, here)
        waits = any(parent == text and history.state[row] == WAITING for row, parent in zip(rows, parents, strict=True))
        return _around(history, here, n) or ([] if waits else _around(history, best, n))


def _own(why: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reason of a trial of this strategy; nothing for a trial of another one."""
    return why if why.get("strategy") == "local" else {}


def _text(history: History, row: int | np.integer[Any]) -> str:
    return str(history.archs[row])


def _best(history: History, rows: NDArray[np.int64]) -> int:
    """The row with the best result; the earlier wins a tie, so that equal results are no improvement."""
    return int(rows[np.argmax(history.y[rows])])


def _around(history: History, row: int, n: int) -> list[Proposal]:
    """At most `n` fresh neighbours of one trial, in an order that belongs to it, however often it is asked for."""
    around, _ = history.space.neighbours(history.archs[[row]])
    order = np.random.default_rng([history.seed, int(history.canon[row])]).permutation(len(around))
    around = around[order]
    around = around[np.flatnonzero(history.fresh(around))[:n]]
    why = {
        "strategy": "local",
        "step": "neighbour",
        "run": int(_own(history.why(row)).get("run", 0)),
        "parent": _text(history, row),
        "parent_value": float(history.y[row]),
    }
    return [Proposal(arch, why) for arch in around]
