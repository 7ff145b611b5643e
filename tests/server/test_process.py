"""Server and driver as processes: whichever is killed, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from tests.conftest import REPOSITORY
from tests.server.conftest import API, TOKEN
from tests.waiting import until
from tierwise.cli.main import app
from tierwise.errors import TierwiseError
from tierwise.study import open_study

OWN = ["--space", str(REPOSITORY / "examples" / "own_table.toml")]
OWN += ["--table", str(REPOSITORY / "examples" / "own_table.csv")]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@contextlib.contextmanager
def started(*words: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A command that serves, and its address, as it is printed; it is killed when the block ends."""
    command = [sys.executable, "-m", "tierwise.cli.main", *words]
    environment = {**os.environ, "TIERWISE_TOKEN": TOKEN}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("the page: http://127.0.0.1:"), said + process.stdout.read()
            yield process, said.split()[2].partition("/?token=")[0]
        finally:
            process.kill()


def ask(address: str, path: str, body: Any = None, **given: Any) -> Any:
    method = "GET" if body is None else "POST"
    answer = httpx.request(method, address + API + path, json=body, headers=HEADERS, params=given, timeout=60)
    assert answer.is_success, answer.text
    return answer.json()


def test_a_killed_server_loses_nothing_and_the_search_goes_on(tmp_path: Path):
    study = tmp_path / "own.db"
    words = ["--strategy", "random", "--trials", "4", "--study", str(study), "--no-report"]
    done = CliRunner().invoke(app, ["run", *OWN, *words])
    assert done.exit_code == 0, done.output
    with started("serve", str(study), "--no-browser") as (server, address):
        assert ask(address, "/state")["can_start"]
        choice = ask(address, "/meta")["space"]["choices"][0]
        ban = {"kind": "ban", "choice": choice["path"], "option": choice["options"][0]}
        ask(address, "/steering", {"base": 0, "who": "anna", "edit": ban})
        state = ask(address, "/run/start", {"trials": 9})
        assert state["total"] == 9
        assert not state["can_start"]
        server.kill()
    until(lambda: sum(row.told is not None for row in open_study(study)[1]) == 9)
    with started("serve", str(study), "--no-browser", "--read-only") as (server, address):
        trials = ask(address, "/trials")
        assert [trial["told"] for trial in trials] == list(range(1, 10))
        said = ask(address, "/steering")["rows"]
        assert [(row["who"], row["kind"], row["after"]) for row in said] == [("anna", "ban", 4)]
        assert all(ask(address, "/archs", row=t["row"])["genes"][0] != choice["options"][0] for t in trials[4:])
        with httpx.stream("GET", address + API + "/events", headers=HEADERS, timeout=60) as stream:
            assert "event: " in next(stream.iter_text())
            server.terminate()
            assert server.stdout is not None
            assert "ERROR" not in server.stdout.read()  # an open stream ends, and nobody waits for it
        assert server.wait(60) in (0, -signal.SIGTERM)


def test_a_search_shows_itself(tmp_path: Path):
    words = ["--strategy", "random", "--trials", "5", "--study", str(tmp_path / "own.db"), "--no-report", "--serve"]
    with started("run", *OWN, *words) as (driver, address):
        assert driver.stdout is not None
        until(lambda: "the page stays" in driver.stdout.readline())
        until(lambda: ask(address, "/state")["finished"] == 5)
        assert ask(address, "/state")["total"] == 5
        driver.send_signal(signal.SIGINT)
        assert driver.wait(60) == 0
        with pytest.raises(httpx.TransportError):
            httpx.get(address, timeout=5)


def test_a_port_that_is_taken_and_a_file_that_is_none(tmp_path: Path):
    (tmp_path / "x.db").write_text("no study")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = ["--port", str(taken.getsockname()[1])]
        for words, said in (
            ([tmp_path / "x.db"], "not a study"),
            ([tmp_path / "y.db"], "no such file"),
            (port, "port"),
        ):
            result = CliRunner().invoke(app, ["serve", "--no-browser", *map(str, words)])
            assert isinstance(result.exception, TierwiseError)
            assert said in str(result.exception)
