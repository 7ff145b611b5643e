"""The page of a search that runs here: a server beside it, so that neither can take the other along."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

from tierwise.cli import console


@contextlib.contextmanager
def page_of(study: Path | None, total: int, truth: Path | None) -> Generator[Callable[[], None]]:
    """Serve a study while the block runs; what it gives waits until Ctrl-C. Of None nothing is served."""
    if study is None:
        yield _nothing
        return
    words = [
        sys.executable,
        "-m",
        "tierwise.cli.main",
        "serve",
        str(study),
        "--total",
        str(total),
        "--parent",
        str(os.getpid()),
    ]
    words += [] if truth is None else ["--truth", str(truth)]
    # Ctrl-C ends the search softly, and must not end the page before
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert server.stdout is not None
        console.plain(server.stdout.readline().rstrip() or "the page could not be started; the search goes on")

        def stay() -> None:
            if server.poll() is None:
                console.plain("the page stays until Ctrl-C")
                with contextlib.suppress(KeyboardInterrupt):
                    server.wait()

        yield stay
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)


def _nothing() -> None:
    """There is no page to wait for."""
