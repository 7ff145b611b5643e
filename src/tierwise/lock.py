"""The lock file beside a study: one process drives it, and a second one is told who does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

from tierwise.errors import CannotWrite, StudyLocked

PATIENCE = 0.3  # seconds: somebody who looks whether it is held holds it for a moment


@contextlib.contextmanager
def driver_lock(path: Path | None) -> Generator[None]:
    """Held while the block runs, and gone with its process. Raises StudyLocked, CannotWrite."""
    if path is None:
        yield
        return
    try:
        file = path.with_name(path.name + ".lock").open("a+")
    except OSError as error:
        reason = f"cannot write beside it ({error.strerror}); make the folder writable, or work on a copy"
        raise CannotWrite(path, reason) from error
    with file:
        try:
            _take(file.fileno())
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StudyLocked(path, f"is being driven by {holder}; wait for it or stop it") from error
        with contextlib.suppress(OSError):  # a full disk: the name of the holder is a courtesy
            file.truncate(0)
            os.write(file.fileno(), f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        yield


def _take(file: int) -> None:
    """Raises OSError when somebody else keeps it."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def driven(path: Path | None) -> bool:
    """Whether any process, this one included, holds the lock."""
    try:
        file = None if path is None else path.with_name(path.name + ".lock").open("rb")
    except OSError:
        return False
    if file is None:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
