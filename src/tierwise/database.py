"""The study file as a database: opened, recognised, brought up to date, and its errors in our words.

One driver process writes; anybody may read at the same time (SQLite's write-ahead log). What was committed
survives any kill.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from tierwise.errors import CannotWrite, NewerSchema, NotAStudy, StudyLocked
from tierwise.schema import APPLICATION, CREATE, SCHEMA, UPGRADE

LOCK_WAIT = 10.0  # seconds to wait for another program's transaction
NO_WRITING = (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Database:
    """An open file. `path` None keeps it in memory.

    create: begin a study where there is none, and be able to write; else the file is only looked at.
    Where nothing can be written beside the file, a copy is looked at and every write raises CannotWrite.
    """

    def __init__(self, path: Path | None, *, create: bool):
        self.path = path
        self._copy: tempfile.TemporaryDirectory[str] | None = None
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
