"""The pictures of the page in README and docs: a real study is searched, served, and looked at as a person would.

    python -m tools.screenshots [--out docs/images/page] [--only overview ban]

Needs Debian's chromium and the extras `ui` and `nasbench201`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

TOKEN, TRIALS, COLOURS = "a-token-for-pictures", 60, 128
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"]
WAIT = 180_000  # milliseconds that a predictor may take to learn on a busy machine


@dataclass(frozen=True)
class Shot:
    """act: what a person does before the picture is taken. study: whether one is open."""

    act: Callable[[Page], None]
    width: int = 1440
    height: int = 900
    dark: bool = False
    study: bool = True


def _nothing(page: Page) -> None:
    page.mouse.move(700, 5)


def _learnt(page: Page) -> None:
    """The predictor has scored the map."""
    expect(page.get_by_role("region", name="Tiers", exact=True)).to_contain_text("tier 1", timeout=WAIT)
    page.wait_for_timeout(12_000)  # the map takes its new axes


def _ban(page: Page) -> None:
    page.get_by_role("grid").get_by_role("button", name="none at cell/2-3:").click()
    page.get_by_role("dialog").get_by_role("button", name="Ban", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Evidence")


def _tier(page: Page) -> None:
    page.get_by_role("region", name="Tiers", exact=True).get_by_role("button", name=re.compile("^tier 1")).first.click()
    page.get_by_role("tab", name=re.compile("^Selection")).click()
    page.wait_for_timeout(3_000)


def _editor(page: Page) -> None:
    page.wait_for_timeout(3_000)


SHOTS: dict[str, Shot] = {
    "overview": Shot(_nothing),
    "dark": Shot(_nothing, dark=True),
    "narrow": Shot(_nothing, width=480),
    "ban": Shot(_ban),
    "selection": Shot(_tier),
    "editor": Shot(_editor, study=False),
}


@contextlib.contextmanager
def _serving(study: Path | None, folder: Path) -> Iterator[str]:
    """The start address of a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "tierwise.cli.main", "serve", *([str(study)] if study else [])]
    command += ["--no-browser", "--port", port]
    environment = {**os.environ, "TIERWISE_TOKEN": TOKEN, "COLUMNS": "200"}
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{port}/?token={TOKEN}"
    finally:
        process.terminate()
        process.wait()


def take(browser: Browser, address: str, shot: Shot, file: Path) -> None:
    """One picture, with few colours so that it is small."""
    scheme = "dark" if shot.dark else "light"
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(address)
    if shot.study and shot.width > 1_000:
        _learnt(page)
    shot.act(page)
    page.wait_for_timeout(1_000)
    page.screenshot(path=file)
    context.close()
    Image.open(file).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size:,} bytes")


def main() -> None:
    """Search, serve, look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images/page"))
    parser.add_argument("--only", nargs="+", default=list(SHOTS), choices=list(SHOTS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        study = Path(folder) / "cells.db"
        run = [sys.executable, "-m", "tierwise.cli.main", "run", "--study", str(study), "--trials", str(TRIALS)]
        subprocess.run([*run, "--no-report"], check=True, capture_output=True)
        browser = engine.chromium.launch(executable_path=chromium, args=FLAGS)
        for opened in (study, None):
            wanted = [name for name in options.only if SHOTS[name].study == (opened is not None)]
            if wanted:
                with _serving(opened, Path(folder)) as address:
                    for name in wanted:
                        take(browser, address, SHOTS[name], options.out / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
