"""The map of the page in a browser without a GPU: all 423,624 cells of NAS-Bench-101, drawn by the CPU renderer.

    python bench/page_map.py [--trials 60] [--browser /usr/bin/chromium]

A study of random cells (its evaluator is a formula, so nothing has to be downloaded), the server as a process, Debian's
Chromium without a GPU and with an emulated one, a window of 1600 x 1000. Frames are those a person sees: from one
animation frame to the next while the map is dragged or zoomed, and from a choice to the frame that shows it. The page
must be built (make page).
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import BrowserContext, CDPSession, Request, sync_playwright
from stopwatch import markdown, one_thread, publish

from tierwise import Study, make

NAME = "page-map"
TOKEN = "bench"
FRAMES = 40
CHANGES = 7
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BROWSERS = {"no GPU": ("--disable-gpu",), "GPU emulated": ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")}
VIEWS = {"costs": "x=params&y=flops&colour=depth", "embedding": "x=map_x&y=map_y&colour=params"}

# DRAG and ZOOM move the map once an animation frame and resolve with the milliseconds between frames. SHOWN resolves
# with those from a change to the frame that shows it: the map draws in the next animation frame, ours comes behind it.
DRAG = """async (frames) => {
  const canvas = document.querySelector('.surface canvas:last-child'), box = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};
  const send = (type, k) => canvas.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, button: 0,
    clientX: box.left + 300 + 4 * k, clientY: box.top + 200 + 2 * k }));
  send('pointerdown', 0);
  const times = [];
  for (let k = 1; k <= frames; k++) { send('pointermove', k); times.push(await new Promise(requestAnimationFrame)); }
  send('pointerup', frames);
  return times.slice(1).map((t, i) => t - times[i]);
}"""
ZOOM = """async (frames) => {
  const canvas = document.querySelector('.surface canvas:last-child'), box = canvas.getBoundingClientRect();
  const times = [];
  for (let k = 0; k < frames; k++) {
    canvas.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, deltaY: k % 20 < 10 ? -60 : 60,
      clientX: box.left + 500, clientY: box.top + 200 }));
    times.push(await new Promise(requestAnimationFrame));
  }
  return times.slice(1).map((t, i) => t - times[i]);
}"""
SHOWN = """async (change) => {
  await new Promise(requestAnimationFrame);
  const start = performance.now();
  change();
  await new Promise((done) => setTimeout(done));
  await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""
RECOLOUR = """() => {
  const labels = [...document.querySelectorAll('label')];
  const select = labels.find((l) => l.textContent.trim().startsWith('colour')).querySelector('select');
  select.value = select.value === 'depth' ? 'params' : 'depth';
  select.dispatchEvent(new Event('change', { bubbles: true }));
}"""
CLEAR = """() => {
  const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true });
  document.querySelector('.surface').dispatchEvent(escape);
}"""


class Formula:
    """An evaluator without data: the score grows with what a cell holds."""

    def __call__(self, arch: Any) -> dict[str, float]:
        return {"accuracy": 80.0 + float(np.log1p(sum(gene for gene in arch.genes if gene > 0)))}


def measure(context: BrowserContext, address: str, view: str) -> dict[str, Any]:
    """Figures of one view, opened for the first time; milliseconds, medians and 95th percentiles."""
    page = context.new_page()
    asked: list[Request] = []
    page.on("requestfinished", lambda request: asked.append(request))
    start = time.perf_counter()
    page.goto(f"{address}?token={TOKEN}#{view}", wait_until="commit")
    page.wait_for_selector("[data-drawn=cpu]", timeout=60_000)
    first = time.perf_counter() - start
    page.wait_for_timeout(3_000)  # the other panes come to rest
    sizes = {request.url: request.sizes()["responseBodySize"] for request in list(asked)}
    columns = sum(size for url, size in sizes.items() if "/columns/" in url)
    found: dict[str, Any] = {"first_draw_s": round(first, 2), "bytes": sum(sizes.values()), "column_bytes": columns}
    thread = context.new_cdp_session(page)
    thread.send("Performance.enable", {"timeDomain": "threadTicks"})
    for name, script in (("pan", DRAG), ("zoom", ZOOM)):
        before = _busy(thread)
        found |= _spread(name, page.evaluate(script, FRAMES))
        found[f"{name}_cpu_ms"] = round((_busy(thread) - before) * 1e3 / FRAMES, 1)
        page.wait_for_timeout(1_000)
    page.evaluate(f"({RECOLOUR})()")
    page.wait_for_timeout(2_000)  # both columns are loaded now
    found |= _spread("recolour", [page.evaluate(f"({SHOWN})({RECOLOUR})") for _ in range(CHANGES)])
    filtered: list[float] = []
    for _ in range(CHANGES):
        page.get_by_role("button", name="Select", exact=False).first.click()
        page.get_by_role("menuitem", name="Top 5 %").click()
        page.wait_for_timeout(800)
        filtered.append(page.evaluate(f"({SHOWN})({CLEAR})"))
    return found | _spread("filter", filtered)


def _busy(thread: CDPSession) -> float:
    """Seconds of processor time that the page's thread has used."""
    metrics = thread.send("Performance.getMetrics")["metrics"]
    return next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def _spread(name: str, times: list[float]) -> dict[str, float]:
    low, high = np.percentile(times, [50, 95])
    return {f"{name}_ms": round(float(low), 1), f"{name}_p95_ms": round(float(high), 1)}


def serve(study: Path) -> tuple[subprocess.Popen[str], str]:
    """A server of the study, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tierwise.cli.main", "serve", str(study), "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "TIERWISE_TOKEN": TOKEN}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process, f"http://127.0.0.1:{port}/"


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description="the map of 423,624 cells in a browser without a GPU")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.db"
        with Study(path, make("space", "nasbench101"), "random", Formula()) as study:
            study.run(given.trials)
        process, address = serve(path)
        try:
            with sync_playwright() as playwright:
                load, version = os.getloadavg()[0], ""
                size, views = {"width": 1600, "height": 1000}, dict[str, dict[str, Any]]()
                for kind, flags in BROWSERS.items():
                    browser = playwright.chromium.launch(executable_path=given.browser, args=[*FLAGS, *flags])
                    for name, view in VIEWS.items():
                        context = browser.new_context(viewport=size)
                        views[f"{name}, {kind}"] = measure(context, address, view)
                    version = browser.version
                    browser.close()
        finally:
            process.terminate()
            process.wait()
    keys = ("first_draw_s", "pan_ms", "pan_cpu_ms", "zoom_ms", "zoom_cpu_ms", "recolour_ms", "filter_ms")
    rows = [[name, f"{v['column_bytes'] / 1e6:.2f}", *(f"{v[key]:g}" for key in keys)] for name, v in views.items()]
    head = [
        "axes",
        "loaded (MB)",
        "first draw (s)",
        "pan (ms)",
        "CPU",
        "zoom (ms)",
        "CPU",
        "recolour (ms)",
        "select (ms)",
    ]
    text = [
        "## The map of the page",
        "All 423,624 cells of NAS-Bench-101 in Chromium (renderer `cpu`), 1600 x 1000, once without a GPU and once "
        "with one that the processor emulates, as some virtual machines have it. Pan and "
        "zoom: median time from frame to frame, and processor time of the page's thread for each. Recolour and select: "
        "from the choice to the frame that shows it, the wait for the next frame included. Loaded: the columns of the "
        f"first view, as they were sent. The load average of the machine was {load:.1f}; an idle one is faster. "
        "`bench/page_map.py`",
        markdown(head, rows),
    ]
    publish(NAME, {"browser": version, "load": round(load, 1), "points": 423_624, "views": views}, "\n\n".join(text))


if __name__ == "__main__":
    main()
