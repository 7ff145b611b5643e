"""A study as a person steers it: rows are written, taken back and said again; nothing is evaluated here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.audit import Regret, regrets
from tierwise.errors import BadSetting, Conflict
from tierwise.history import LARGEST_SWEEP
from tierwise.looking import Looking
from tierwise.part import conflict, left_by, refusal
from tierwise.preview import TOP, Allowed, Preview, evidence_of, previewed
from tierwise.replay import planned
from tierwise.script import script
from tierwise.steer_row import Steer, checked, redoable, undoable
from tierwise.steering import Steering, limiting


class Steered(Looking):
    """What steers a study, from any process and while another one drives it."""

    _allowed_now: tuple[Steering, Allowed] | None = None  # of the rows in the file: counting may sweep the space

    def steer(self, kind: str, *, who: str = "", base: int | None = None, **what: Any) -> int:
        """Write a steering row, which the next ``ask`` obeys whoever drives the study; its number.

        kind and its fields: see ``tierwise.steering.Steering``. base: how many rows `who` has seen, where that matters.
        A row that cannot be obeyed is refused: raises BadSetting, UnknownName, BadArchitecture; Conflict where others
        are in its way, Outdated where there are more than `base`.

        >>> from tierwise import Study, make
        >>> study = Study(None, make("space", "nasbench201"), "random")
        >>> study.steer("ban", choice="cell/0-1", option="none")
        1
        >>> study.steering().space.size
        12500
        """
        fields = checked(kind, what)
        return self._store.steer(who, lambda _: (kind, fields), self.check_steering, base)

    def undo(self, who: str = "", *, base: int | None = None) -> int:
        """Take the latest row in force back; the number of the new row. Raises BadSetting where there is none."""

        def taken(rows: list[Steer]) -> tuple[str, dict[str, Any]]:
            row = undoable(rows)
            if row is None:
                raise BadSetting("undo", "nothing is in force", "one steering row at least")
            return "retract", {"row": row.id}

        return self._store.steer(who, taken, self.check_steering, base)

    def redo(self, who: str = "", *, base: int | None = None) -> int:
        """Say again what the latest undo took back; the number of the new row.

        Raises BadSetting where something else was said since, and what ``steer`` raises.
        """

        def again(rows: list[Steer]) -> tuple[str, Mapping[str, Any]]:
            row = redoable(rows)
            if row is None:
                raise BadSetting("redo", "nothing was undone last", "right after an undo, before anything else is said")
            return row.kind, row.what

        return self._store.steer(who, again, self.check_steering, base)

    def preview(
        self, kind: str, *, scores: tuple[Architectures, NDArray[np.float64]] | None = None, k: int = TOP, **what: Any
    ) -> Preview:
        """What a row would do; nothing is written. A row that others are in the way of has a `conflict`.

        scores: architectures and (n,) scores of them, such as predictions, whose best `k` are looked at.
        Raises what ``steer`` raises, but for Conflict.
        """
        rows = self.steers()
        row = Steer(len(rows) + 1, time.time(), "", self.finished, kind, checked(kind, what))
        now, history, pointed = self.steering(), self.history(), None
        try:
            then = self.check_steering([*rows, row])
        except Conflict as conflict:
            after: Allowed | Conflict = conflict
        else:
            after = self.allowed(then)
            if kind in ("prefer", "avoid") and then.preferred is not None:
                pointed = replace(after, part=then.preferred), then.share
        archs, y = scores or (history.archs[:0], np.zeros(0))
        top = archs[np.argsort(-np.nan_to_num(y, nan=-np.inf), kind="stable")[:k]]
        evidence = evidence_of(row, self.space, history.done, self.rule_columns)
        if self._allowed_now is None or self._allowed_now[0] is not now:
            self._allowed_now = now, self.allowed(now)
        return previewed(row, self._allowed_now[1], after, pointed, history, top, evidence)

    def ban_regret(self) -> list[Regret]:
        """What each row of narrow, pin and ban costs, as far as audits tell; see the kind `audit`."""
        steering, done = self.steering(), self.history().done
        return regrets(
            [self._columns.trial(int(k)) for k in done.ids], self.objective, steering, self.allowed(steering)
        )

    def script(self, upto: int | None = None) -> str:
        """A Python script that makes this study again, what people have said at the same places: the same trials where
        it was run in order "asked", or with one worker. What is registered nowhere has to be filled in.

        upto: the last steering row that is said again, 0 for none; from there on the search goes another way. Raises
        BadSetting.
        """
        rows = self.steers()
        if upto is not None and not 0 <= upto <= len(rows):
            raise BadSetting("row", upto, f"the number of a steering row, up to {len(rows)}, or 0")
        said = planned(self._columns, rows, self.rule_columns)[:upto]
        return script(self, said, self.runs, "again" if upto is None else f"from-row-{upto}")

    def allowed(self, steering: Steering) -> Allowed:
        """What may be proposed under this steering, within the limits of the study."""
        keys = np.array(sorted({*steering.banned, *self._vetoed(steering)}), dtype=np.uint64)
        swept = len(keys) and self.space.size <= LARGEST_SWEEP
        rows = Architectures.of([], self.space)
        if swept:
            rows = self.space.at(np.flatnonzero(np.isin(self._keys, keys)))
        limits = self.within_limits if self.limits else None
        return Allowed(steering.left, limits, keys, rows)

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        """(n,) the canonical key of every architecture."""
        return self.space.canonical(self.space.enumerate())

    def check_steering(self, rows: list[Steer]) -> Steering:
        """What these rows come to. Raises what is wrong with the last one; the others are in the file."""
        row, limited = rows[-1], self.limits and self.space.size <= LARGEST_SWEEP
        try:
            steering = Steering.of(self.space, rows, self.rule_columns)
        except Conflict:
            if limited:
                self._check_limits(limiting(rows))  # with them, fewer rows may be in the way
            raise
        if row.kind == "evaluate":
            self._check_wanted(steering, row)
        elif row.kind in ("approve", "veto"):
            self._check_trial(row)
        elif limited:
            self._check_limits(limiting(rows))
        return steering

    def _check_limits(self, rows: list[Steer]) -> None:
        """Something has to be left within the limits of the study as well."""
        if rows and left_by(self.space, rows, self.rule_columns, self.within_limits) is None:
            raise conflict(self.space, rows, self.rule_columns, self.within_limits)

    def within_limits(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each is within every limit of the study."""
        inside = np.ones(len(archs), dtype=np.bool_)
        for name, (least, most) in self.limits.items():
            values = self.cost(name, archs)
            inside &= (values >= least) & (values <= most)
        return inside

    def _check_wanted(self, steering: Steering, row: Steer) -> None:
        arch = Architectures.of([steering.queue[-1][1]], self.space)
        if not self._history(steering).fresh(arch)[0]:
            others = {said.id: said for said in self.steers()}
            against = [others[number] for number, excluded in steering.excluding(arch).items() if excluded[0]]
            allowed = "a new one, in what is left of the space, within the limits"
            raise refusal(row, str(arch[0]), allowed, against)

    def _check_trial(self, row: Steer) -> None:
        """Only a trial without a result can be approved, only a proposal vetoed."""
        state = self._store.state(row.what["trial"])
        if state is None or state[0] != "waiting" or (row.kind == "veto" and state[1]):
            now = "none" if state is None else "running" if state == ("waiting", True) else state[0]
            value = f"{row.what['trial']}, which is {now}"
            raise BadSetting(f"steering {row.kind}: trial", value, "the number of a proposal that waits to be started")
