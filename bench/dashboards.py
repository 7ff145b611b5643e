"""The page beside optuna-dashboard, in one browser without a GPU: until it shows results, until it rests.

    python -m venv PEERS && PEERS/bin/pip install optuna optuna-dashboard      # never into the environment of tierwise
    python bench/dashboards.py --peers PEERS [--folder KEPT] [--repeats 3]

Three studies whose results are a formula: 10,000 random trials of six choices of five operations in Optuna's SQLite
storage, and NAS-Bench-101's 423,624 cells with 60 and with 10,000 of them evaluated. Each is opened in a fresh context
of Debian's Chromium, in turns; times are from the start of the navigation, or from the event of the mouse to the second
frame behind it. The page must be built (make page).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from page_map import FLAGS, TOKEN, Formula, serve
from playwright.sync_api import Browser, Page, sync_playwright
from stopwatch import markdown, one_thread, publish

from tierwise import Study, make

TRIALS, PORT, WAIT = 10_000, 8931, 120_000  # milliseconds
THEIRS = """
import math, random, sys, optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(storage="sqlite:///" + sys.argv[1], direction="maximize", study_name="cells")
draw, options = random.Random(0), ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
choice = optuna.distributions.CategoricalDistribution(options)
names = [f"cell/{i}-{j}" for j in range(1, 4) for i in range(j)]
for _ in range(int(sys.argv[2])):
    params = {name: draw.choice(options) for name in names}
    value = 80 + math.log1p(sum(map(options.index, params.values())))
    study.add_trial(optuna.trial.create_trial(params=params, distributions=dict.fromkeys(names, choice), value=value))
"""
WATCH = """window.busyUntil = 0;
new PerformanceObserver((found) => {
  for (const task of found.getEntries()) busyUntil = Math.max(busyUntil, task.startTime + task.duration);
}).observe({ type: 'longtask', buffered: true });"""
RESTS = "() => performance.now() - busyUntil > 1500 && [busyUntil]"  # no task above 50 ms for so long
AFTER = """(event) => { window.took = new Promise((done) => addEventListener(event, () => {
  const start = performance.now();
  const frame = () => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  setTimeout(frame);
}, { once: true, capture: true })); }"""

CONDITIONS = (
    "Chromium {chromium} without a GPU, 1600 x 1000, 2 cores with a load of {load} when it began; "
    "optuna-dashboard {optuna_dashboard} with Optuna {optuna}; medians of {repeats} visits in fresh contexts, in "
    "turns. Drawn: results are on the screen (the map; the plot History). Responsive: the end of the last task "
    "above 50 ms before a rest of 1.5 s. Other axis: FLOPs across after parameters, start times across after "
    "numbers, both loaded before. Zoom: by the wheel here, by a box there. Both to the second frame behind the "
    "event, so that about 33 ms is the least; theirs draws 10,000 trials, ours 423,624 points. The two show "
    "different things: theirs has no architectures that were not evaluated, and no filter on its plots that could "
    "be timed; ours has no parallel coordinates. With 10,000 results our server learns from them while it is "
    "looked at. Made by `bench/dashboards.py`."
)


@dataclass(frozen=True)
class Dashboard:
    """address: of the study. drawn: JavaScript that is true once the results are drawn."""

    name: str
    address: str
    drawn: str

    def zoom(self, page: Page) -> None:
        """By the mouse, as the page has it."""
        raise NotImplementedError

    def axis(self, page: Page, across: str) -> None:
        """Another quantity across."""
        raise NotImplementedError


class Ours(Dashboard):
    """The map: the wheel zooms."""

    zooms, changes, axes = "wheel", "change", ("flops", "params")

    def zoom(self, page: Page) -> None:
        page.locator(".surface").hover()
        page.mouse.wheel(0, -240)

    def axis(self, page: Page, across: str) -> None:
        page.locator("label", has_text="x").locator("select").first.select_option(across)


class Optuna(Dashboard):
    """The history: a box zooms."""

    zooms, changes, axes = "mouseup", "click", ("Datetime start", "Number")

    def zoom(self, page: Page) -> None:
        box = page.locator("#plot-history .nsewdrag").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.8 * box["height"], steps=3)
        page.mouse.up()

    def axis(self, page: Page, across: str) -> None:
        page.get_by_text(across, exact=True).first.click()


def opened(browser: Browser, which: Any) -> dict[str, float]:
    """One visit; seconds, milliseconds, bytes."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    page.add_init_script(WATCH)
    page.goto(which.address, wait_until="commit")
    drawn = page.wait_for_function(f"() => ({which.drawn}) && performance.now()", timeout=WAIT).json_value()
    rests = page.wait_for_function(RESTS, timeout=WAIT).json_value()[0]
    found = {"drawn_s": drawn / 1e3, "responsive_s": max(drawn, rests) / 1e3, "wire_mb": sum(sizes) / 1e6}
    session.send("HeapProfiler.collectGarbage")
    found["heap_mb"] = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    for across in which.axes:  # what they show is loaded now
        which.axis(page, across)
        page.wait_for_function(RESTS, timeout=WAIT)
    there = partial(which.axis, across=which.axes[0])
    for name, event, act in (("axis_ms", which.changes, there), ("zoom_ms", which.zooms, which.zoom)):
        page.evaluate(AFTER, event)
        act(page)
        found[name] = page.evaluate("() => window.took")
        page.wait_for_function(RESTS, timeout=WAIT)
    context.close()
    return found


@contextlib.contextmanager
def running(peers: Path, folder: Path) -> Iterator[list[Any]]:
    """All servers; studies that are in the folder already are taken as they are."""
    theirs = folder / "optuna.db"
    if not theirs.exists():
        subprocess.run([peers / "bin" / "python", "-c", THEIRS, theirs, str(TRIALS)], check=True)
    found, processes = list[Any](), list[subprocess.Popen[Any]]()
    try:
        for trials in (60, TRIALS):
            path = folder / f"cells-{trials}.db"
            with Study(path, make("space", "nasbench101"), "random", Formula()) as study:
                study.run(trials, batch=200)
            process, address = serve(path)
            processes.append(process)
            shown = "document.querySelector('[data-drawn]')"
            found.append(Ours(f"tierwise: 423,624 cells, {trials:,} evaluated", f"{address}?token={TOKEN}", shown))
        command = [
            peers / "bin" / "optuna-dashboard",
            f"sqlite:///{theirs}",
            "--host",
            "127.0.0.1",
            "--port",
            str(PORT),
        ]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        address = f"http://127.0.0.1:{PORT}/dashboard"
        _wait(address)
        shown = "document.getElementById('plot-history')?.data?.some((d) => (d.x?.length ?? 0) > 1)"
        found.append(Optuna(f"optuna-dashboard: {TRIALS:,} trials", f"{address}/studies/1", shown))
        yield found
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _wait(address: str) -> None:
    for _ in range(120):
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.5)


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description="the page beside optuna-dashboard")
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    one_thread()
    with (
        tempfile.TemporaryDirectory() as temporary,
        running(given.peers, given.folder or Path(temporary)) as all_of_them,
    ):
        listed = subprocess.run(
            [given.peers / "bin" / "pip", "list"], capture_output=True, text=True, check=True
        ).stdout
        versions = dict(line.split()[:2] for line in listed.splitlines() if line.startswith("optuna"))
        load = os.getloadavg()[0]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
            runs: dict[str, list[dict[str, float]]] = {which.name: [] for which in all_of_them}
            for _ in range(given.repeats):
                for which in all_of_them:
                    runs[which.name].append(opened(browser, which))
            chromium = browser.version
            browser.close()
    median = {
        name: {k: round(statistics.median(run[k] for run in each), 2) for k in each[0]} for name, each in runs.items()
    }
    report(median, {"load": round(load, 1), "repeats": given.repeats, "chromium": chromium, **versions}, runs)


def report(median: dict[str, dict[str, float]], conditions: dict[str, Any], runs: Any) -> None:
    """The table, with the ratios of this very run."""
    theirs = list(median)[-1]
    keys = list(median[theirs])
    rows = [[name, *(f"{of[k]:g}" for k in keys)] for name, of in median.items()]
    for name in list(median)[:-1]:
        rows.append(
            [
                f"{theirs.split(':')[0]} / {name}",
                *(f"{median[theirs][k] / of:.2g}×" if (of := median[name][k]) else "–" for k in keys),
            ]
        )
    head = ["", "drawn (s)", "responsive (s)", "on the wire (MB)", "heap (MB)", "other axis (ms)", "zoom (ms)"]
    text = [
        "## The page beside optuna-dashboard",
        CONDITIONS.format_map({name.replace("-", "_"): value for name, value in conditions.items()}),
        markdown(head, rows),
    ]
    publish("dashboards", {"conditions": conditions, "median": median, "runs": runs}, "\n\n".join(text))


if __name__ == "__main__":
    main()
