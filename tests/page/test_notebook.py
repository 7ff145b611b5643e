"""The widget of a notebook in a browser: in a plain page with the Python side behind it, and in JupyterLab."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import queue
import re
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed: pip install 'tierwise[notebook]'")

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import FrameLocator, Page, expect

from tests.page.acting import apply, card, cell
from tierwise import Architectures, Study, make
from tierwise.notebook import BUILT, Explorer

# stands for what anywidget and Jupyter do: a model whose messages go to Python and come from there
MODEL = """async ({ code, traits }) => {
  const heard = {}
  const model = {
    get: (name) => traits[name],
    on: (name, hear) => (heard[name] ??= new Set()).add(hear),
    off: (name, hear) => heard[name]?.delete(hear),
    send: (message) => window.say(message),
  }
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)
  const follow = async () => {
    for (const [kind, content, buffers] of await window.hear()) {
      if (kind === 'trait') Object.assign(traits, content)
      const names = kind === 'trait' ? Object.keys(content).map((name) => `change:${name}`) : ['msg:custom']
      for (const name of names) for (const hear of heard[name] ?? []) hear(content, buffers.map(bytes))
    }
    setTimeout(follow, 50)
  }
  const widget = await import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })))
  const el = document.body.appendChild(document.createElement('div'))
  window.end = widget.default.render({ model, el })
  void follow()
}"""
PLAIN = '<!doctype html><title>cell</title><body data-jp-theme-light="true">'
PATIENCE = 120_000  # milliseconds that a kernel may take to start and to import on a busy machine
CELLS = (
    "from tierwise import Study, make\n"
    "from tierwise.notebook import Explorer\n"
    "study = Study('cells.db', make('space', 'nasbench201'), 'random', lambda arch: float(sum(arch.genes)))\n"
    "study.run(6)\n"
    "explorer = Explorer(study, view='map')\n"
    "explorer",
    "print('selected', [str(arch) for arch in explorer.selected])",
    "import time\nwhile len(explorer.selected) != 6: time.sleep(0.1)\nprint('heard while it ran')",
)


@pytest.fixture(autouse=True)
def built() -> None:
    if not (BUILT / "frame.js").is_file():
        pytest.skip("the views of the notebook are not built: make page")


@pytest.fixture
def study(tmp_path: Path) -> Generator[Study]:
    """Six results are too few for predictions, which would take a while."""
    with Study(
        tmp_path / "cells.db", make("space", "nasbench201"), "random", lambda arch: float(sum(arch.genes))
    ) as made:
        made.run(6)
        yield made


def put(page: Page, explorer: Explorer) -> FrameLocator:
    """An explorer in a page; what is in its frame."""
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    explorer.send = lambda content, buffers=(): messages.put(
        ["message", content, [base64.b64encode(each).decode() for each in buffers]]
    )
    explorer.observe(lambda change: messages.put(["trait", {"_shown": change["new"]}, []]), "_shown")
    page.expose_function("say", lambda message: explorer._handle_custom_msg(message, []))
    page.expose_function("hear", lambda: [messages.get() for _ in range(messages.qsize())])
    page.route("**/cell", lambda route: route.fulfill(body=PLAIN, content_type="text/html"))
    page.goto("http://127.0.0.1/cell")
    traits = {name: getattr(explorer, name) for name in ("view", "height", "_shown")}
    page.evaluate(MODEL, {"code": explorer._esm, "traits": traits})
    return page.frame_locator("iframe[title=tierwise]")


def test_a_cell_selects_steers_compares_and_follows(page: Page, study: Study) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    explorer = Explorer(study)
    app: Any = put(page, explorer)
    expect(app.get_by_role("application", name=re.compile("^Map of 15625"))).to_be_visible()
    expect(app.locator("[data-drawn]")).to_be_visible()

    app.get_by_role("textbox", name="Filter", exact=True).fill("count(nor_conv_3x3) == 6")
    app.get_by_role("textbox", name="Filter", exact=True).press("Enter")
    app.get_by_role("button", name="Select", exact=True).click()
    app.get_by_role("menuitem", name="What the filter keeps").click()
    expect(app.get_by_text("1 selected").first).to_be_visible()
    expected = np.full((1, 6), study.space.choices[0].options.index("nor_conv_3x3"))
    page.wait_for_timeout(300)
    assert explorer.selected.genes.tolist() == expected.tolist()

    app.get_by_role("tab", name="Components").click()
    cell(app, "none", "cell/0-1").click()
    card(app).get_by_role("button", name="Ban", exact=True).click()
    expect(card(app)).to_contain_text("12,500 of 15,625")
    apply(app)
    study.refresh()
    assert [row.kind for row in study.steers()] == ["ban"]

    best = study.best(2)
    explorer.show(best)
    expect(app.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    for trial in best:
        expect(app.get_by_role("button", name=f"trial {trial.id}", exact=True)).to_be_visible()
    study.run(8)
    expect(app.get_by_text("8 evaluated")).to_be_visible()

    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    expect(app.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("window.end()")
    expect(page.locator("iframe")).to_have_count(0)
    page.wait_for_timeout(200)
    assert not explorer._views
    explorer.close()
    assert not wrong


def test_one_view_alone(page: Page, study: Study) -> None:
    explorer = Explorer(study, view="architecture", height=400)
    app = put(page, explorer)
    arch = study.space.enumerate()[0]
    explorer.show(arch)
    expect(app.get_by_text(str(arch), exact=True)).to_be_visible()
    expect(app.get_by_role("tab")).to_have_count(1)
    assert page.locator("iframe").bounding_box()["height"] == 400  # pyright: ignore[reportOptionalSubscript]
    explorer.close()


@pytest.fixture
def lab(tmp_path: Path) -> Generator[str]:
    """The address of a notebook in JupyterLab."""
    for package in ("jupyterlab", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (95 packages, 220 MB): pip install jupyterlab")
    empty: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**empty, "id": f"c{k}", "source": text} for k, text in enumerate(CELLS)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "cells.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    shared = Path(sys.modules["anywidget"].__file__ or "").parents[4] / "share" / "jupyter"  # anywidget's front end
    environment = {**os.environ, **own, "JUPYTER_PATH": str(shared)}
    options = ["--no-browser", "--allow-root", f"--port={port}", f"--ServerApp.root_dir={tmp_path}"]
    options += ["--IdentityProvider.token=t", "--LabApp.news_url=None", "--ServerApp.open_browser=False"]
    log = (tmp_path / "lab.txt").open("w")
    command = [sys.executable, "-m", "jupyterlab", *options]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=tmp_path)
    try:
        yield f"http://127.0.0.1:{port}/lab/tree/cells.ipynb?token=t"
    finally:
        process.terminate()
        process.wait()
        log.close()


def test_a_notebook_in_jupyterlab(page: Page, lab: str) -> None:
    for _ in range(60):  # seconds until it listens
        with contextlib.suppress(PlaywrightError):
            page.goto(lab)
            break
        page.wait_for_timeout(1_000)
    editor = page.locator(".jp-Notebook .jp-CodeCell")
    editor.nth(0).click(timeout=PATIENCE)
    page.keyboard.press("Shift+Enter")
    app = page.frame_locator("iframe[title=tierwise]")
    expect(app.get_by_role("application", name=re.compile("^Map of 15625"))).to_be_visible(timeout=PATIENCE)
    app.get_by_role("textbox", name="Filter", exact=True).fill("count(nor_conv_3x3) == 6")
    page.keyboard.press("Enter")
    app.get_by_role("button", name="Select", exact=True).click()
    app.get_by_role("menuitem", name="What the filter keeps").click()
    expect(app.get_by_text("1 selected").first).to_be_visible()
    editor.nth(1).click()
    page.keyboard.press("Shift+Enter")
    all_convolutions = Architectures(make("space", "nasbench201"), np.full((1, 6), 3))[0]
    expect(page.get_by_text(f"selected ['{all_convolutions}']")).to_be_visible(timeout=PATIENCE)

    editor.nth(2).click()
    page.keyboard.press("Shift+Enter")  # the kernel is busy until the view has said what is selected
    app.get_by_role("button", name="Select", exact=True).click()
    app.get_by_role("menuitem", name="What was evaluated").click()
    expect(page.get_by_text("heard while it ran", exact=True)).to_be_visible(timeout=PATIENCE)
