"""The study file: its schema and every SQL statement of the project.

One driver process writes; anybody may read at the same time (SQLite's write-ahead log). What was committed
survives any kill.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tierwise.errors import CannotWrite, NewerSchema, NotAStudy, StudyLocked, TierwiseError
from tierwise.row import COLUMNS, Row, from_stored, to_stored
from tierwise.steering import Steer, from_file

APPLICATION = 0x74696572  # "tier"
SCHEMA = 2
TRIAL = """CREATE TABLE trial (
    id INTEGER PRIMARY KEY,          -- order of asking, from 1
    genes TEXT NOT NULL,             -- "3-0-2-1-3-3"
    canon TEXT NOT NULL,             -- canonical key of the network, hexadecimal
    budget INTEGER NOT NULL,         -- of a cheap evaluation, such as its epochs; 0 is the full one
    why TEXT NOT NULL,               -- JSON: the strategy's reason
    state TEXT NOT NULL,             -- waiting, done, failed
    attempt INTEGER NOT NULL,        -- 1, or more after a crash
    seen INTEGER NOT NULL,           -- how many results the strategy knew when it asked
    told INTEGER UNIQUE,             -- order of telling, from 1
    metrics TEXT NOT NULL,           -- JSON: numbers by name
    error TEXT,
    asked REAL NOT NULL, started REAL, ended REAL,  -- seconds since the epoch
    UNIQUE (canon, budget)
)"""
STEER = """CREATE TABLE steer (
    id INTEGER PRIMARY KEY,          -- order of writing, from 1
    time REAL NOT NULL,              -- seconds since the epoch
    who TEXT NOT NULL,
    after INTEGER NOT NULL,          -- how many results there were
    kind TEXT NOT NULL,
    what TEXT NOT NULL               -- JSON: the fields of its kind
)"""
VERSION = (f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {SCHEMA}")
CREATE = (
    "CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    TRIAL,
    STEER,
    *VERSION,
)
_OLD = "id, genes, canon, why, state, attempt, seen, told, metrics, error, asked, started, ended"
UPGRADE = {  # from schema -> statements that give the present one
    1: (
        "ALTER TABLE trial RENAME TO trial1",
        TRIAL,
        f"INSERT INTO trial (budget, {_OLD}) SELECT 0, {_OLD} FROM trial1",
        "DROP TABLE trial1",
        STEER,
        *VERSION,
    )
}
LOCK_WAIT = 10.0  # seconds to wait for another program's transaction
NO_WRITING = (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Store:
    """An open study file. `path` None keeps the study in memory.

    create: begin a study where there is none, and be able to write; else the file is only looked at.
    Where nothing can be written beside the file, a copy is looked at and every write raises CannotWrite.
    """

    def __init__(self, path: Path | None, *, create: bool):
        self.path = path
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._settled = -1
        with self._errors():
            self._db = self._connect(create)
        try:
            with self._errors():
                self._recognise(create)
        except BaseException:
            self.close()
            raise

    # ---- opening -----------------------------------------------------------------------------------------

    def _connect(self, create: bool) -> sqlite3.Connection:
        if self.path is None:
            return _sqlite(":memory:")
        if self.path.is_dir():
            raise NotAStudy(self.path, "is a folder; give the path of a file")
        if not self.path.exists():
            if not create:
                raise NotAStudy(self.path, "there is no such file; 'tierwise run' begins a study")
            if not self.path.absolute().parent.is_dir():
                raise CannotWrite(
                    self.path,
                    f"there is no folder {self.path.absolute().parent}; make it, or give another path",
                )
        file = self.path.absolute()
        existed = file.exists()
        db = _sqlite(str(file)) if create else _sqlite(file.as_uri() + "?mode=rw", uri=True)
        try:
            db.execute(f"PRAGMA query_only = {'OFF' if create else 'ON'}")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException as error:
            db.close()
            if existed and _code(error) in NO_WRITING:
                return self._connect_copy(file)
            raise
        return db

    def _connect_copy(self, file: Path) -> sqlite3.Connection:
        """SQLite reads a write-ahead log only where it can write beside it: a copy has the same rows."""
        self._copy = tempfile.TemporaryDirectory(prefix="tierwise-")
        target = Path(self._copy.name) / "copy.db"
        try:
            shutil.copyfile(file, target)
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{file}-wal", f"{target}-wal")
        except OSError as error:
            self._copy.cleanup()
            raise NotAStudy(
                self._name, f"cannot be read ({error.strerror}); make it readable or copy it elsewhere"
            ) from error
        db = _sqlite(str(target))
        db.execute("PRAGMA query_only = ON")
        return db

    def _recognise(self, create: bool) -> None:
        if create and self._empty():
            self._begin()
        if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise NotAStudy(self._name, "an SQLite file, but not a tierwise study; give another path")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise NewerSchema(
                self._name,
                f"written by a later tierwise (schema {version}, this one knows {SCHEMA}); upgrade tierwise",
            )
        if self._cut_short():
            raise NotAStudy(self._name, "damaged (the end of the file is missing); restore a copy")
        if version in UPGRADE:
            self._upgrade(version, create)
        if create:
            self._db.execute("PRAGMA synchronous = NORMAL")
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise NotAStudy(self._name, f"damaged ({found}); restore a copy or give another path")

    def _begin(self) -> None:
        """An empty file becomes a study, even where several programs do this at the same time."""
        until = time.monotonic() + LOCK_WAIT
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # this statement alone does not wait for others by itself
                if _code(error) not in BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)
        with self._transaction():
            if self._empty():  # still, now that nobody else can begin it
                for statement in CREATE:
                    self._db.execute(statement)

    def _cut_short(self) -> bool:
        """Whether the last page is not whole, which SQLite itself takes for zeros, and no log makes up for it."""
        if self.path is None or not self.path.exists():
            return False
        log = self.path.with_name(self.path.name + "-wal")
        logged = log.exists() and log.stat().st_size > 0
        return not logged and self.path.stat().st_size % self._db.execute("PRAGMA page_size").fetchone()[0] > 0

    def _upgrade(self, version: int, create: bool) -> None:
        """An older file gets the present tables, all or none; to look at one, a copy of it does."""
        if not create:
            if self._copy is None and self.path is not None:
                self._db.close()
                self._db = self._connect_copy(self.path.absolute())
            self._db.execute("PRAGMA query_only = OFF")
        with self._transaction() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == version:  # nobody else was faster
                for statement in UPGRADE[version]:
                    db.execute(statement)
        self._db.execute(f"PRAGMA query_only = {'OFF' if create else 'ON'}")

    def _empty(self) -> bool:
        return not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]

    @property
    def _name(self) -> str:
        return str(self.path or "study in memory")

    # ---- errors and transactions ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _errors(self) -> Generator[None]:
        """SQLite's errors in our words."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            raise NotAStudy(self._name, f"has been closed ({error}); open it again") from error
        except UnicodeDecodeError as error:  # of a text, or of SQLite's own complaint about one
            raise NotAStudy(self._name, f"damaged ({error}); restore a copy or give another path") from error
        except OSError as error:
            raise NotAStudy(
                self._name, f"cannot be reached ({error.strerror}); give a path that you may read"
            ) from error
        except sqlite3.IntegrityError as error:
            raise StudyLocked(self._name, f"was changed by another driver ({error}); open it again") from error
        except sqlite3.DatabaseError as error:
            code, kept = _code(error), "what was told before is kept"
            if code in NO_WRITING:
                raise CannotWrite(self._name, f"{error}; make the file and its folder writable; {kept}") from error
            if code in NO_ROOM:
                raise CannotWrite(
                    self._name, f"{error}; free disk space, then run the same line again; {kept}"
                ) from error
            if code in BUSY:
                raise StudyLocked(
                    self._name, f"another program is writing to it ({error}); close that program"
                ) from error
            raise NotAStudy(
                self._name, f"not a study, or damaged ({error}); restore a copy or give another path"
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

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
        rows: list[Row] = []
        for position, values in enumerate(stored, start=1):
            try:
                rows.append(from_stored(values, position))
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                raise NotAStudy(self._name, f"trial {values[0]} is damaged ({error}); restore a copy") from error
        told = sorted(row.told for row in rows if row.told is not None)
        if told != list(range(1, len(told) + 1)):
            raise NotAStudy(self._name, "results are missing from the order of telling; restore a copy")
        return rows

    def changed(self) -> bool:
        """Whether another process has written since ``rows`` was read."""
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
        if not rows:
            return
        with self._transaction() as db:
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
        with self._errors():
            stored = self._db.execute("SELECT id, time, who, after, kind, what FROM steer ORDER BY id").fetchall()
        try:
            return [from_file(values, position) for position, values in enumerate(stored, start=1)]
        except (TierwiseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise NotAStudy(self._name, f"its steering is damaged ({error}); restore a copy") from error

    def steer(
        self, who: str, after: int, kind: str, what: Mapping[str, Any], check: Callable[[list[Steer]], None]
    ) -> int:
        """A new steering row, if `check` does not refuse all rows together; its number."""
        with self._transaction() as db:
            rows = self.steering()
            new = Steer(len(rows) + 1, time.time(), who, after, kind, what)
            check([*rows, new])
            values = (new.id, new.time, who, after, kind, json.dumps(dict(what)))
            db.execute("INSERT INTO steer VALUES (?, ?, ?, ?, ?, ?)", values)
        return new.id

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._db.close()
        if self._copy is not None:
            self._copy.cleanup()


def _sqlite(name: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=LOCK_WAIT, isolation_level=None, check_same_thread=False, uri=uri)


def _code(error: BaseException) -> int:
    """The primary result code; 0 where Python's own module complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
