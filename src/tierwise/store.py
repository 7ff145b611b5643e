"""The study file: its schema and every SQL statement of the project.

One driver process writes; anybody may read at the same time (SQLite's write-ahead log). What was committed survives any kill.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tierwise.errors import CannotWrite, NewerSchema, NotAStudy, StudyLocked

APPLICATION = 0x74696572  # "tier"
SCHEMA = 1
CREATE = """
CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,          -- order of asking, from 1
    genes TEXT NOT NULL,             -- "3-0-2-1-3-3"
    canon TEXT NOT NULL UNIQUE,      -- canonical key of the network, hexadecimal
    why TEXT NOT NULL,               -- JSON: the strategy's reason
    state TEXT NOT NULL,             -- waiting, done, failed
    attempt INTEGER NOT NULL,        -- 1, or more after a crash
    seen INTEGER NOT NULL,           -- how many results the strategy knew when it asked
    told INTEGER UNIQUE,             -- order of telling, from 1
    metrics TEXT NOT NULL,           -- JSON: numbers by name
    error TEXT,
    asked REAL NOT NULL, started REAL, ended REAL   -- seconds since the epoch
);
"""


@dataclass(slots=True)
class Row:
    """One trial as it is stored."""

    id: int
    genes: str
    canon: int
    why: dict[str, Any]
    state: str
    attempt: int
    seen: int
    told: int | None
    metrics: dict[str, float]
    error: str | None
    asked: float
    started: float | None
    ended: float | None


COLUMNS = "id, genes, canon, why, state, attempt, seen, told, metrics, error, asked, started, ended"


class Store:
    """An open study file. `path` None keeps the study in memory."""

    def __init__(self, path: Path | None, *, create: bool):
        self.path = path
        if path is not None and not create and not path.exists():
            raise NotAStudy(path, "there is no such file; 'tierwise run' begins a study")
        with self._errors():
            self._db = sqlite3.connect(path or ":memory:", timeout=10, isolation_level=None, check_same_thread=False)
        try:
            self._open(create)
        except BaseException:
            self._db.close()
            raise

    def _open(self, create: bool) -> None:
        with self._errors():
            empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if empty and create:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(
                    f"BEGIN IMMEDIATE; {CREATE} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}; COMMIT;"
                )
            elif application != APPLICATION:
                raise NotAStudy(self._name, "an SQLite file, but not a tierwise study; give another path")
            elif version > SCHEMA:
                raise NewerSchema(
                    self._name, f"written by a later tierwise (schema {version}, this one knows {SCHEMA}); upgrade tierwise"
                )
            self._db.execute("PRAGMA synchronous = NORMAL")

    @property
    def _name(self) -> str:
        return str(self.path or "study in memory")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors in our words."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "unable to open" in text or "readonly" in text or "full" in text or "disk I/O" in text:
                raise CannotWrite(
                    self._name, f"{text}; make the folder writable or free disk space, then run the same line again"
                ) from error
            raise NotAStudy(self._name, f"cannot be used: {text}") from error
        except sqlite3.DatabaseError as error:
            raise NotAStudy(self._name, f"not a study, or damaged ({error}); restore a copy or give another path") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def settings(self) -> dict[str, Any]:
        """The study's settings by name."""
        with self._errors():
            return {key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM study")}

    def put_settings(self, settings: dict[str, Any]) -> None:
        """Write or replace settings."""
        with self._transaction() as db:
            rows = [(key, json.dumps(value)) for key, value in settings.items()]
            db.executemany("INSERT OR REPLACE INTO study VALUES (?, ?)", rows)

    def rows(self) -> list[Row]:
        """Every trial, in the order of asking. Raises NotAStudy for a broken row."""
        try:
            with self._errors():
                return [_row(values) for values in self._db.execute(f"SELECT {COLUMNS} FROM trial ORDER BY id")]
        except (ValueError, TypeError) as error:
            raise NotAStudy(self._name, f"a trial row is damaged: {error}") from error

    def add(self, rows: Sequence[Row]) -> None:
        """Proposals become waiting rows, all or none."""
        with self._transaction() as db:
            db.executemany(f"INSERT INTO trial ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", [_values(r) for r in rows])

    def update(self, rows: Sequence[Row]) -> None:
        """Results, or new attempts, of known rows, all or none."""
        with self._transaction() as db:
            db.executemany(f"INSERT OR REPLACE INTO trial ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", [_values(r) for r in rows])

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._db.close()

    @contextlib.contextmanager
    def driver_lock(self) -> Iterator[None]:
        """Only one process drives a study; the lock goes with the process. Raises StudyLocked."""
        if self.path is None:
            yield
            return
        lock = self.path.with_name(self.path.name + ".lock")
        with self._open_lock(lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise StudyLocked(self.path, f"is being driven by {holder}; wait for it or stop it") from error
            file.truncate(0)
            file.write(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.flush()
            yield

    def _open_lock(self, lock: Path) -> IO[str]:
        try:
            return lock.open("a+")
        except OSError as error:
            raise CannotWrite(self._name, f"cannot write beside it ({error.strerror}); make the folder writable") from error


def _values(row: Row) -> tuple[Any, ...]:
    canon = f"{row.canon:016x}"
    why, metrics = json.dumps(row.why), json.dumps(row.metrics)
    return (
        row.id, row.genes, canon, why, row.state, row.attempt, row.seen, row.told, metrics, row.error, row.asked, row.started, row.ended,
    )  # fmt: skip


def _row(values: tuple[Any, ...]) -> Row:
    row = Row(*values)
    row.canon, row.why, row.metrics = int(values[2], 16), json.loads(values[3]), json.loads(values[8])
    if row.state not in ("waiting", "done", "failed"):
        raise ValueError(f"state {row.state!r} of trial {row.id}")
    return row
