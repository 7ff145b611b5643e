"""One browser; a searched study; a page that must stay free of errors and of requests that leave this machine."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: pip install --group dev")
pytest.importorskip("fastapi", reason="fastapi is not installed: pip install 'tierwise[ui]'")

from playwright.sync_api import ConsoleMessage, Page, expect

import tierwise
from tests.page.served import Served, search, serving
from tierwise import Study
from tierwise.cli.reopen import reopen
from tierwise.steer_row import in_force

CHROMIUM = shutil.which("chromium")
BUILT = Path(tierwise.__file__).parent / "server" / "static" / "index.html"
EVALUATED = 40


@pytest.fixture(scope="session", autouse=True)
def browser_and_page() -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    if not BUILT.is_file():
        pytest.skip("the page is not built: make run, or npm run build in web/")
    expect.set_options(timeout=60_000)  # a busy machine


@pytest.fixture(scope="session")
def base_url() -> None:
    """In place of that of pytest-base-url, which pytest 9 warns of; every module has a server of its own."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    flags = [
        "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
        "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    ]  # fmt: skip
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": flags}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1600, "height": 1000}, "reduced_motion": "reduce"}


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory, browser_and_page: None) -> Path:
    """A study of NAS-Bench-201 with 40 results; whoever changes it takes a copy."""
    path = tmp_path_factory.mktemp("searched") / "cells.db"
    search(path, EVALUATED)
    return path


@pytest.fixture(scope="module")
def served(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("served") / "cells.db"
    shutil.copy(searched, path)
    with serving(path) as server:
        yield server


@pytest.fixture
def study(served: Served) -> Iterator[Study]:
    """The study as somebody else has it open in Python."""
    with reopen(served.study, None) as (opened, _):
        yield opened


@pytest.fixture
def forgiven(study: Study) -> Iterator[None]:
    """Nothing is in force when the next test begins."""
    yield
    study.refresh()
    for row in in_force(study.steers()):
        study.steer("retract", row=row)


@pytest.fixture
def app(page: Page, served: Served) -> Generator[Page]:
    """The page as it opens, watched until the end of the test."""
    wrong: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    page.on("console", console)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if _leaves(request.url, served) else None)
    page.set_default_timeout(60_000)
    page.goto(served.start)
    expect(page.get_by_role("heading", name="nasbench201")).to_be_visible()
    yield page
    assert not wrong


def _leaves(url: str, served: Served) -> bool:
    return not url.startswith((served.address, "blob:", "data:"))
