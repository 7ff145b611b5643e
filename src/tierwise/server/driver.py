"""A search that the page has started: a process of its own, which goes on when the server ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LONGEST = 2_000  # bytes of its last words


class Driver:
    """The last process that was started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()

    @property
    def runs(self) -> bool:
        """Whether it still does."""
        return self._process is not None and self._process.poll() is None

    def start(self, words: Sequence[str], log: Path) -> None:
        """words: of a command line of ``tierwise``. log: what it says goes there. Raises OSError."""
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tierwise.cli.main", *words[1:]]
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
        self._log = log

    @property
    def problem(self) -> str | None:
        """What it said last where it has failed."""
        if self._process is None or self.runs or self._process.returncode == 0:
            return None
        try:
            said = self._log.read_bytes()[-LONGEST:].decode("utf-8", "replace").strip()
        except OSError:
            said = ""
        return f"the search that was started has ended: {said.splitlines()[-1] if said else 'it said nothing'}"
