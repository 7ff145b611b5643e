"""A study, the server that shows it, and a driver that searches it: each a process, as a person starts them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from tierwise import Study, make
from tierwise.study import open_study

TOKEN = "a-token-of-the-tests"
PATIENCE = 60  # seconds that a process may take to start on a busy machine
SEARCH = ("--strategy", "weaknas", "--option", "predictor=trees", "--no-report")


@dataclass
class Served:
    """study: the file. port: of 127.0.0.1."""

    study: Path
    port: int
    process: subprocess.Popen[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def start(self) -> str:
        """The address that is printed when the server starts."""
        return f"{self.address}?token={TOKEN}"

    def kill(self) -> None:
        self.process.kill()
        _end(self.process)

    def again(self) -> None:
        """Another server of the same study at the same address."""
        self.process = _serve(self.study, self.port)


@contextlib.contextmanager
def serving(study: Path) -> Generator[Served]:
    """A server of this study, until the block ends."""
    port = _free_port()
    served = Served(study, port, _serve(study, port))
    try:
        yield served
    finally:
        _end(served.process)


@contextlib.contextmanager
def asking(path: Path) -> Generator[Study]:
    """The study with its strategy, which can be asked for proposals."""
    data, (settings, _) = make("benchmark", "nasbench201"), open_study(path)
    with Study(
        path, data.space, make("strategy", "weaknas", predictor="trees"), data, notes=settings["notes"]
    ) as study:
        yield study


def search(study: Path, trials: int) -> None:
    """Search NAS-Bench-201 until there are so many results."""
    done = subprocess.run(_run(study, trials), env=_environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def driving(study: Path, trials: int) -> Generator[subprocess.Popen[bytes]]:
    """A driver that searches on, until the block ends."""
    process = subprocess.Popen(_run(study, trials), env=_environment(), stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        _end(process)


def _run(study: Path, trials: int) -> list[str]:
    return [sys.executable, "-m", "tierwise.cli.main", "run", "--study", str(study), "--trials", str(trials), *SEARCH]


def _serve(study: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tierwise.cli.main", "serve", str(study), "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "the page:" in line, f"the server says {line!r}"
    return process


def _environment() -> dict[str, str]:
    return {**os.environ, "TIERWISE_TOKEN": TOKEN, "COLUMNS": "200"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
