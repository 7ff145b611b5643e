"""What a study file holds: settings, trials, steering; with every SQL statement on them."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tierwise.database import Database
from tierwise.errors import NotAStudy, Outdated, StudyLocked, TierwiseError
from tierwise.row import COLUMNS, Row, from_stored, to_stored
from tierwise.steer_row import Steer, from_file


class Store(Database):
    """An open study file, see `Database`."""

    _settled = -1  # the version of the file that was read last
    _said: tuple[Steer, ...] = ()  # steering rows that were read; there are only ever more

    # ---- settings ------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """The study's settings by name, none before it was begun. Raises NotAStudy for broken ones."""
        with self._errors():
            stored = self._db.execute("SELECT key, value FROM study").fetchall()
        try:
            return {key: json.loads(value) for key, value in stored}
        except (ValueError, TypeError, RecursionError) as error:
            raise NotAStudy(self._name, f"its settings are damaged ({error}); restore a copy") from error

    def settle(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings that hold: these, if the study had none yet."""
        if stored := self.settings():
            return stored
        with self._transaction() as db:
            if not self.settings():  # nobody else was faster
                own = {"id": secrets.token_hex(6)}  # a new study at the path of a deleted one finds none of its files
                rows = [(key, json.dumps(value)) for key, value in {**settings, **own}.items()]
                db.executemany("INSERT INTO study VALUES (?, ?)", rows)
        return self.settings()

    def put(self, key: str, value: Any) -> None:
        """A setting that may change."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO study VALUES (?, ?)", (key, json.dumps(value)))

    @property
    def folder(self) -> Path | None:
        """Where the evaluations of this study keep their files, beside it; None for one in memory."""
        if self.path is None:
            return None
        own = str(self.settings().get("id", ""))
        own = own if re.fullmatch("[0-9a-f]{12}", own) else "study"  # an older file, or one that somebody has edited
        return self.path.with_name(self.path.name + ".files") / own

    # ---- trials --------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Every trial, in the order of asking. Raises NotAStudy for a broken row."""
        with self._errors():
            self._settled = self._version()
            stored = self._db.execute(f"SELECT {COLUMNS} FROM trial ORDER BY id").fetchall()
        rows = [self._row(values, position) for position, values in enumerate(stored, start=1)]
        told = sorted(row.told for row in rows if row.told is not None)
        if told != list(range(1, len(told) + 1)):
            raise NotAStudy(self._name, "results are missing from the order of telling; restore a copy")
        return rows

    def rows_since(self, waiting: Sequence[int], last: int) -> list[Row]:
        """Those of the trials `waiting` (numbers), and all after number `last`. Raises NotAStudy for a broken row."""
        which = "id > ? OR id IN (SELECT value FROM json_each(?))"
        with self._errors():
            self._settled = self._version()
            found = self._db.execute(
                f"SELECT {COLUMNS} FROM trial WHERE {which} ORDER BY id", (last, json.dumps(waiting))
            )
            stored = found.fetchall()
        known = len(waiting)
        if [values[0] for values in stored[:known]] != list(waiting):
            raise NotAStudy(self._name, "trials have gone; restore a copy")
        expected = [*waiting, *range(last + 1, last + 1 + len(stored) - known)]
        return [self._row(values, position) for values, position in zip(stored, expected, strict=True)]

    def _row(self, values: tuple[Any, ...], position: int) -> Row:
        try:
            return from_stored(values, position)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise NotAStudy(self._name, f"trial {values[0]} is damaged ({error}); restore a copy") from error

    def state(self, number: int) -> tuple[str, bool] | None:
        """The state of a trial as it is in the file now, and whether it was started; None where there is none."""
        with self._errors():
            found = self._db.execute("SELECT state, started FROM trial WHERE id = ?", (number,)).fetchone()
        return None if found is None else (str(found[0]), found[1] is not None)

    def changed(self) -> bool:
        """Whether another process has written since rows were read."""
        with self._errors():
            return self._version() != self._settled

    def _version(self) -> int:
        return self._db.execute("PRAGMA data_version").fetchone()[0]

    def add(self, rows: Sequence[Row]) -> None:
        """Proposals become waiting rows, all or none."""
        if rows:
            with self._transaction() as db:
                marks = ", ".join("?" * len(COLUMNS.split(",")))
                db.executemany(f"INSERT INTO trial ({COLUMNS}) VALUES ({marks})", [to_stored(r) for r in rows])

    def update(self, rows: Sequence[Row]) -> None:
        """Results, or new attempts, of waiting rows, all or none."""
        if rows:
            with self._transaction():
                self._update(rows)

    def update_unless_steered(self, rows: Sequence[Row], steered: int) -> bool:
        """The same, unless there are more than so many steering rows; whether it was done."""
        with self._transaction() as db:
            done = db.execute("SELECT count(*) FROM steer").fetchone()[0] == steered
            if done:
                self._update(rows)
        return done

    def _update(self, rows: Sequence[Row]) -> None:
        with self._errors():
            db = self._db
            changed = db.executemany(
                "UPDATE trial SET state=?, attempt=?, told=?, metrics=?, error=?, started=?, ended=? "
                "WHERE id=? AND state='waiting'",
                [(r.state, r.attempt, r.told, json.dumps(r.metrics), r.error, r.started, r.ended, r.id) for r in rows],
            ).rowcount
            if changed != len(rows):
                raise StudyLocked(self._name, "was changed by another driver (a trial waits no more); open it again")

    # ---- steering ------------------------------------------------------------------------------------------

    def steering(self) -> list[Steer]:
        """Every steering row, in the order of writing. Raises NotAStudy for a broken one."""
        known, columns = len(self._said), "id, time, who, after, kind, what"
        with self._errors():
            stored = self._db.execute(f"SELECT {columns} FROM steer WHERE id > ? ORDER BY id", (known,)).fetchall()
        try:
            self._said += tuple(from_file(values, position) for position, values in enumerate(stored, start=known + 1))
            return list(self._said)
        except (TierwiseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise NotAStudy(self._name, f"its steering is damaged ({error}); restore a copy") from error

    def steer(
        self,
        who: str,
        said: Callable[[list[Steer]], tuple[str, Mapping[str, Any]]],
        check: Callable[[list[Steer]], object],
        base: int | None = None,
    ) -> int:
        """A new steering row, if `check` does not refuse all rows together; its number.

        said: kind and fields, from the rows before. base: how many rows its author has seen, None to go by none.
        Raises Outdated where there are more.
        """
        with self._transaction() as db:
            rows = self.steering()
            if base is not None and len(rows) > base:
                raise Outdated(base, rows[base:])
            kind, what = said(rows)
            after = db.execute("SELECT coalesce(max(told), 0) FROM trial").fetchone()[0]
            new = Steer(len(rows) + 1, time.time(), who, after, kind, what)
            check([*rows, new])
            values = (new.id, new.time, who, after, kind, json.dumps(dict(what)))
            db.execute("INSERT INTO steer VALUES (?, ?, ?, ?, ?, ?)", values)
        return new.id
