"""A server of a study with made-up results, at a port of its own, and a client that knows its token."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.navigator.conftest import made_up
from tierwise import Study, make
from tierwise.server.app import application
from tierwise.server.server import Server

TOKEN = "a-token-of-the-tests"
API = "/api/v1"


@contextlib.contextmanager
def opened(path: Path) -> Generator[tuple[Study, Any]]:
    """A study of NAS-Bench-201's space, which needs no data."""
    with Study(path, make("space", "nasbench201"), "random", made_up, seed=3) as study:
        yield study, None


@dataclass
class Served:
    """path: of the study. address: of the server."""

    path: Path
    address: str
    server: Server
    client: httpx.Client

    def study(self) -> contextlib.AbstractContextManager[tuple[Study, Any]]:
        """The same study as another process has it."""
        return opened(self.path)

    def get(self, path: str, **given: Any) -> Any:
        answer = self.client.get(API + path, params=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        answer = self.client.post(API + path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    @contextlib.contextmanager
    def events(self, last: str = "") -> Generator[Callable[[str], Any]]:
        """The stream; what it gives waits for the next event of a type."""
        headers = {"Last-Event-ID": last} if last else {}
        with self.client.stream("GET", f"{API}/events", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()

            def wait(kind: str) -> Any:
                event = ""
                for line in lines:
                    if line.startswith("event: "):
                        event = line[7:]
                    elif line.startswith("data: ") and event == kind:
                        return json.loads(line[6:])
                raise AssertionError(f"the stream ended without {kind}")

            yield wait


@contextlib.contextmanager
def serving(path: Path | None, folder: Path, **settings: Any) -> Generator[Served]:
    """A server in a thread of this process, until the block ends."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
        server = Server(opened, folder, TOKEN, port, **settings)
        if path is not None:
            server.open(path)
        config = uvicorn.Config(application(server), log_level="error", lifespan="on", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [own]})
        thread.start()
        address = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
                yield Served(path or folder, address, server, client)
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study file with eight results, too few to predict from."""
    path = tmp_path_factory.mktemp("study") / "made-up.db"
    with opened(path) as (study, _):
        study.run(8)
    return path


@pytest.fixture(scope="module")
def steady(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of it, for tests that change nothing."""
    with serving(searched, tmp_path_factory.mktemp("steady")) as found:
        yield found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A study that has eight results, too few to predict from."""
    path = tmp_path / "made-up.db"
    with opened(path) as (study, _):
        study.run(8)
    with serving(path, tmp_path) as found:
        yield found
