"""What people have said about a search: rows of the study that every strategy obeys from its next ``ask`` on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.filters import Columns
from tierwise.history import History
from tierwise.part import Part, conflict, left_by, restricted
from tierwise.space import Space
from tierwise.steer_row import FIELDS as FIELDS
from tierwise.steer_row import Steer as Steer
from tierwise.steer_row import checked as checked
from tierwise.steer_row import in_force
from tierwise.steer_row import retracted as retracted
from tierwise.steer_row import typed as typed

PREFERENCE = 0.75  # of the proposals come from where a preference points to, the others from anywhere allowed


@dataclass(frozen=True)
class Steering:
    """What the rows come to.

    left: what narrow, pin and ban have left. parts: each of these rows with what it alone leaves of the space.
    preferred: the part of `left` that prefer and avoid point to, None without; share: of the proposals come from
    it. banned: canonical key -> row. queue: (row, architecture) to be evaluated next, the oldest first. review: the
    row that lets proposals wait for a person. batch: how many trials wait at once, None where nobody has said so.
    approved, vetoed: trial -> row, the first approved first. audit: share of the proposals that come from what
    people exclude. pause: the row that holds the search, stop: the row that ends it, None without.

    narrow {choice, options}: only these options; {rule}: only what fulfils it, see ``tierwise.filters``. pin
    {choice, option}: only this one. ban {choice, option}: not this one; {architecture}: not this network; {rule}:
    nothing that fulfils it. prefer and avoid {choice, options} or {rule}, and {share}: this share of the proposals
    (three of four) have, or have not, one of these options, or fulfil it, or do not. evaluate {architecture}: next,
    unless it is narrowed away. review {wait}: a proposal waits so many seconds for a person before it is started, 0
    ends this. batch {size}: so many trials wait at once, whatever the run says. approve {trial}: start it now. veto
    {trial}: never start it. audit {share}: so many proposals from what narrow, pin and ban exclude. pause: ask for
    nothing more until continue. stop: ask no more. note {text}, and {row} that it is about: nothing changes.
    retract {row}: as if that row had never been written. Every kind may have a {reason}.
    """

    left: Part
    parts: tuple[tuple[Steer, Part], ...] = ()
    preferred: Part | None = None
    share: float = PREFERENCE
    banned: Mapping[int, Steer] = field(default_factory=dict[int, Steer])
    queue: tuple[tuple[int, Architecture], ...] = ()
    review: Steer | None = None
    batch: int | None = None
    approved: Mapping[int, Steer] = field(default_factory=dict[int, Steer])
    vetoed: Mapping[int, Steer] = field(default_factory=dict[int, Steer])
    audit: float = 0.0
    pause: Steer | None = None
    stop: Steer | None = None

    @property
    def space(self) -> Space:
        """What is left of the options."""
        return self.left.space

    @classmethod
    def of(cls, space: Space, rows: Sequence[Steer], columns: Callable[[], Columns] = dict) -> Steering:
        """From the rows in their order. columns: gives those of rules. Raises TierwiseError for the first row that
        cannot be obeyed, Conflict where rows leave nothing together.
        """
        valid = list(in_force(rows).values())
        hard = [row for row in valid if _decides(row)]
        soft = [row for row in valid if row.kind in ("prefer", "avoid")]
        left = left_by(space, hard, columns)
        preferred = left_by(space, [*hard, *soft], columns) if soft else left
        if left is None or preferred is None:
            raise conflict(space, limiting(rows), columns)
        alone = [(row, restricted(Part(space), row, columns)) for row in hard]
        steering = cls(left, tuple((row, part) for row, part in alone if part is not None))
        if soft:
            share = next((row.what["share"] for row in reversed(soft) if "share" in row.what), PREFERENCE)
            steering = replace(steering, preferred=preferred, share=float(share))
        for row in valid:
            steering = _OTHERS[row.kind](steering, row) if row.kind in _OTHERS and row not in hard else steering
        return steering

    def outside(self, whole: History) -> History:
        """The history of a search in what narrow, pin and ban exclude; networks banned one by one stay known.

        whole: the history of the whole space.
        """

        def outside(archs: Architectures) -> NDArray[np.bool_]:
            return ~self.left.contains(archs)

        limits = {**whole.limits, "excluded by steering": (1.0, 1.0)}
        return replace(whole, limits=limits, costs={**whole.costs, "excluded by steering": outside})

    def excluding(self, archs: Architectures) -> dict[int, NDArray[np.bool_]]:
        """Row of narrow, pin or ban -> (n,) which of these it excludes, the first row first."""
        found = {row.id: ~part.contains(archs) for row, part in self.parts}
        if self.banned:
            keys = archs.space.canonical(archs)
            found |= {row.id: keys == np.uint64(key) for key, row in self.banned.items()}
        return dict(sorted(found.items()))


def limiting(rows: Sequence[Steer]) -> list[Steer]:
    """Those in force that together must leave something: of narrow, pin, ban, prefer and avoid."""
    return [row for row in in_force(rows).values() if _decides(row) or row.kind in ("prefer", "avoid")]


def _decides(row: Steer) -> bool:
    """Whether it takes a part of the space away, which a ban of one network does not."""
    return row.kind in ("narrow", "pin") or (row.kind == "ban" and "architecture" not in row.what)


def _ban(steering: Steering, row: Steer) -> Steering:
    arch = Architectures.of([steering.space.parse(row.what["architecture"])], steering.space)
    return replace(steering, banned={**steering.banned, int(steering.space.canonical(arch)[0]): row})


def _evaluate(steering: Steering, row: Steer) -> Steering:
    return replace(steering, queue=(*steering.queue, (row.id, steering.space.parse(row.what["architecture"]))))


def _review(steering: Steering, row: Steer) -> Steering:
    return replace(steering, review=row if row.what["wait"] else None)


_OTHERS: Mapping[str, Callable[[Steering, Steer], Steering]] = {
    "ban": _ban,
    "evaluate": _evaluate,
    "review": _review,
    "batch": lambda steering, row: replace(steering, batch=int(row.what["size"])),
    "approve": lambda steering, row: replace(steering, approved={**steering.approved, row.what["trial"]: row}),
    "veto": lambda steering, row: replace(steering, vetoed={**steering.vetoed, row.what["trial"]: row}),
    "audit": lambda steering, row: replace(steering, audit=float(row.what["share"])),
    "pause": lambda steering, row: replace(steering, pause=row),
    "continue": lambda steering, _: replace(steering, pause=None),
    "stop": lambda steering, row: replace(steering, stop=row),
}
