"""The proposals that are evaluated next, as cards that a person decides about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise import drawing
from tierwise.architecture import Architectures
from tierwise.navigator.facts import distances
from tierwise.navigator.trials import facts_of, state_of
from tierwise.row import Row
from tierwise.steering import Steering

if TYPE_CHECKING:
    from tierwise.navigator.navigator import Navigator

MOST = 60  # proposals that are drawn


@dataclass(frozen=True, slots=True)
class Nearest:
    """The evaluated architecture that differs in the fewest choices; of several the best. value: its result."""

    trial: int
    text: str
    distance: int
    value: float


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """One proposal. state: proposed, approved or running. due: seconds since the epoch at which it is started without a
    word, None where it is not held.
    """

    trial: int
    row: int
    text: str
    svg: str
    why: dict[str, Any]
    reason: str
    predicted: float | None
    sd: float | None
    tier: int | None
    costs: dict[str, float | None]
    nearest: Nearest | None
    state: str
    due: float | None


@dataclass(frozen=True, slots=True)
class Batch:
    """wait: seconds that a proposal waits for a person, None where it does not. size: how many trials wait at once,
    None where nobody has said so.
    """

    wait: float | None
    size: int | None
    proposals: list[ProposalFacts]


def batch_of(navigator: Navigator) -> Batch:
    """What waits and what runs, in the order of asking."""
    study, record, snapshot = navigator.study, navigator.record, navigator.snapshot()
    with navigator.lock:
        steering, steers = study.steering(), study.steers()
        waiting = [row for row in record.rows if row.state == "waiting"][:MOST]
        places = [record.place(row.id - 1) for row in waiting]
    wait = None if steering.review is None else float(steering.review.what["wait"])
    authors = {steer.id: steer.who for steer in steers}
    archs = Architectures(study.space, record.genes([row.id - 1 for row in waiting]))
    near = _nearest(navigator, archs)
    costs = [name for name, column in snapshot.described.items() if column.kind == "cost"]
    found: list[ProposalFacts] = []
    for k, (row, place) in enumerate(zip(waiting, places, strict=True)):
        facts, graph = facts_of(row, place, study.space.name, authors), study.space.graph(archs[k])
        tier = navigator.columns.number("tier", place)
        found.append(
            ProposalFacts(
                trial=row.id,
                row=place,
                text=facts.text,
                svg=drawing.svg(graph.nodes, graph.edges, title=facts.text),
                why=facts.why,
                reason=facts.reason,
                predicted=navigator.columns.number("predicted", place),
                sd=navigator.columns.number("sd", place),
                tier=None if tier is None else int(tier),
                costs={name: navigator.columns.number(name, place) for name in costs},
                nearest=near[k],
                state=_state(row, steering),
                due=None if wait is None or row.started is not None else row.asked + wait,
            )
        )
    return Batch(wait, steering.batch, found)


def _state(row: Row, steering: Steering) -> str:
    return "approved" if row.started is None and row.id in steering.approved else state_of(row)


def _nearest(navigator: Navigator, archs: Architectures) -> list[Nearest | None]:
    """Of each, the evaluated one that is most like it."""
    snapshot = navigator.snapshot()
    if not len(archs) or not len(snapshot.evaluated):
        return [None] * len(archs)
    best = np.argsort(-snapshot.y, kind="stable")
    rows: NDArray[np.int64] = snapshot.evaluated[best]
    far = distances(archs, snapshot.archs[rows])
    at = far.argmin(1)
    return [
        Nearest(
            int(snapshot.trials[best[j]]), str(snapshot.archs[int(rows[j])]), int(far[k, j]), float(snapshot.y[best[j]])
        )
        for k, j in enumerate(at.tolist())
    ]
