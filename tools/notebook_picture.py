"""The picture of docs/notebook.md: an explorer in JupyterLab.

    pip install jupyterlab        # into this environment; 95 packages, 220 MB
    python -m tools.notebook_picture

Needs Debian's chromium, the extra `notebook`, and the page built (make page).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anywidget
from playwright.sync_api import Error, sync_playwright

OUT = Path(__file__).parents[1] / "docs" / "images" / "notebook.png"
PORT, WAIT = 8897, 240_000  # milliseconds
CODE = """from tierwise import Study, make
from tierwise.notebook import Explorer

data = make("benchmark", "nasbench201", dataset="cifar10")
study = Study("cells.db", data.space, "random", data)
study.run(60)
explorer = Explorer(study)
explorer"""


def main() -> None:
    """Run the cell, wait for the predictions, take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": CODE}
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        text = json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
        Path(folder, "cells.ipynb").write_text(text)
        shared = Path(anywidget.__file__).parents[4] / "share" / "jupyter"
        own = {f"JUPYTER_{name}_DIR": f"{folder}/.{name}" for name in ("CONFIG", "DATA", "RUNTIME")}
        options = ["--no-browser", "--allow-root", f"--port={PORT}", f"--ServerApp.root_dir={folder}"]
        options += ["--IdentityProvider.token=t", "--LabApp.news_url=None"]
        command = [sys.executable, "-m", "jupyterlab", *options]
        lab = subprocess.Popen(command, env={**os.environ, **own, "JUPYTER_PATH": str(shared)}, cwd=folder)
        try:
            picture(f"http://127.0.0.1:{PORT}/lab/tree/cells.ipynb?token=t")
        finally:
            lab.terminate()
            lab.wait()


def picture(address: str) -> None:
    """Of the notebook alone."""
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        for _ in range(60):
            with contextlib.suppress(Error):
                page.goto(address)
                break
            time.sleep(1)
        page.locator(".jp-Notebook .jp-CodeCell").first.click(timeout=WAIT)
        page.keyboard.press("Shift+Enter")
        frame = page.frame_locator("iframe[title=tierwise]")
        frame.get_by_role("tab", name="Tiers").click(timeout=WAIT)
        frame.get_by_role("button", name="tier 1").first.wait_for(timeout=WAIT)
        frame.locator("[data-drawn]").wait_for(timeout=WAIT)
        with contextlib.suppress(Error):
            page.get_by_role("button", name="No", exact=True).click(timeout=2_000)  # news of Jupyter
        page.wait_for_timeout(3_000)
        page.locator(".jp-Notebook").screenshot(path=OUT)
        browser.close()


if __name__ == "__main__":
    main()
