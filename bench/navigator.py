"""What the server of ``tierwise serve`` costs: bytes and seconds of each request on NAS-Bench-101's 423,624 cells, how
soon a result is told to a page, and a thousand results a second on ten pages and in a browser.

    python bench/navigator.py [--browser /usr/bin/chromium]

The page must be built (make page).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright
from stopwatch import markdown, one_thread, publish

from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.job import Job
from tierwise.server.serving import serve
from tierwise.strategies.weaknas import WeakNAS

TOKEN, REPEATS, PAGES = "bench", 5, 10
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
RATE, BURST, SECONDS = 1_000, 100, 10  # results a second, how many are told together, for how long
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
FRAMES = """async (seconds) => {  // the milliseconds from one animation frame to the next
  const times = [], end = performance.now() + 1000 * seconds
  while (performance.now() < end) times.push(await new Promise(requestAnimationFrame))
  return times.slice(1).map((time, k) => time - times[k])
}"""


class MadeUp:
    """Results from the genes; while `due` is set, a batch comes when its results are due at RATE."""

    metrics = ("accuracy",)
    due: float | None = None

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        return {"accuracy": float(sum(arch.genes))}

    def many(self, archs: Architectures, seeds: list[int], budget: int = 0) -> dict[str, Any]:
        if self.due is not None:
            time.sleep(max(0.0, self.due - time.time()))
            MadeUp.due = self.due + len(archs) / RATE
        return {"accuracy": archs.genes.sum(1).astype(np.float64)}


def study(path: Path, space: str) -> Study:
    return Study(
        path, make("space", space), "random" if space != "nasbench101" else WeakNAS(predictor="trees"), MadeUp()
    )


@contextlib.contextmanager
def opener(path: Path) -> Generator[tuple[Study, Any]]:
    with study(path, path.stem) as found:
        yield found, None


def served(path: Path, port: int) -> None:
    """The process of a server."""
    os.environ["TIERWISE_TOKEN"] = TOKEN
    serve(path, opener, port=port, browser=False, say=lambda _: None)


@contextlib.contextmanager
def server(path: Path) -> Generator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=served, args=(path, port))
    began = time.perf_counter()
    process.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=120) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                client.get("/api/v1/meta").raise_for_status()
                break
            time.sleep(0.1)
        client.started = time.perf_counter() - began  # pyright: ignore
        yield client
    process.terminate()
    process.join()


def requests(folder: Path) -> dict[str, Any]:
    """Bytes and seconds of each request on the largest map."""
    path = folder / "nasbench101.db"
    with study(path, "nasbench101") as search:
        search.run(60)
    with server(path) as client:
        began = time.perf_counter()
        while client.get("/api/v1/state").json()["predictor"] is None:
            time.sleep(0.5)
        predicted = time.perf_counter() - began
        columns = {c["name"]: c for c in client.get("/api/v1/meta").json()["columns"]}
        sizes = {name: _bytes(client, f"/api/v1/columns/{name}.bin") for name in ("map_x", "map_y", "tier", "result")}
        rule = 'count("conv3x3-bn-relu") >= 2 and params < 8e6'
        mask = client.post("/api/v1/select", json={"rule": rule}).json()["mask"]
        x, y = 32_768 + 20_000 * np.cos(np.linspace(0, 6.2, 60)), 32_768 + 20_000 * np.sin(np.linspace(0, 6.2, 60))
        lasso = {"polygon": {"x": "map_x", "y": "map_y", "points": list(zip(x.tolist(), y.tolist(), strict=True))}}
        asked: dict[str, tuple[str, str, Any]] = {
            "select by rule": ("POST", "/select", {"rule": rule}),
            "select by mask": ("POST", "/select", {"mask": mask}),
            "select by lasso": ("POST", "/select", lasso),
            "tiers": ("POST", "/tiers", {}),
            "effects of results": ("POST", "/effects", {"of": "result"}),
            "effects of predictions": ("POST", "/effects", {"of": "predicted"}),
            "rows, sorted": ("POST", "/rows", {"columns": list(columns), "sort": "predicted", "limit": 100}),
            "compare 4": ("POST", "/compare", {"rows": [1, 100_000, 200_000, 400_000]}),
            "preview of a ban": ("POST", "/steering/preview", {"kind": "ban", "rule": rule}),
            "preview of a pin": ("POST", "/steering/preview", {"kind": "pin", "choice": "cell/0-1", "option": "1"}),
            "one architecture": ("GET", "/archs?row=77777", None),
            "neighbours": ("GET", "/archs/neighbours?row=77777", None),
            "state": ("GET", "/state", None),
            "trials": ("GET", "/trials", None),
            "batch": ("GET", "/batch", None),
        }
        seconds = {name: _seconds(client, *what) for name, what in asked.items()}
        return {
            "rows": 423_624,
            "seconds until it answers": round(client.started, 2),  # pyright: ignore
            "seconds until it predicts (trees, 60 labels)": round(predicted, 1),
            "bytes of position, tier and result": sum(plain for plain, _ in sizes.values()),
            "bytes of these as they are sent": sum(zipped for _, zipped in sizes.values()),
            "seconds of a request (median)": seconds,
        }


def _bytes(client: httpx.Client, path: str) -> tuple[int, int]:
    """Of the values, and as they are sent."""
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        zipped = sum(len(part) for part in answer.iter_raw())
    return len(client.get(path, headers={"Accept-Encoding": "identity"}).content), zipped


def _seconds(client: httpx.Client, method: str, path: str, body: Any) -> float:
    taken: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        answer = client.request(method, f"/api/v1{path}", json=body)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
    return round(float(np.median(taken)), 3)


class Page(threading.Thread):
    """One open page: what it hears, and how long after it was told."""

    def __init__(self, client: httpx.Client):
        super().__init__(daemon=True)
        self.client, self.lags, self.told = client, list[float](), 0
        self.listens = threading.Event()

    def run(self) -> None:
        event = ""
        with (
            contextlib.suppress(httpx.TransportError),
            self.client.stream("GET", "/api/v1/events", timeout=None) as answer,
        ):
            for line in answer.iter_lines():
                self.listens.set()
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: ") and event == "trials":
                    now, trials = time.time(), json.loads(line[6:])
                    done = [trial for trial in trials if trial["told"] is not None]
                    self.lags += [now - trial["ended"] for trial in done]
                    self.told += len(done)


def events(folder: Path) -> dict[str, Any]:
    """How soon a result is on a page: one a second, and a thousand a second on ten pages."""
    path = folder / "nats-bench-size.db"
    with study(path, "nats-bench-size") as search:
        search.run(5)
        with server(path) as client:
            pages = [Page(httpx.Client(base_url=client.base_url, headers=HEADERS)) for _ in range(PAGES)]
            for page in pages:
                page.start()
                page.listens.wait(30)
            for told in range(6, 16):
                time.sleep(1)
                search.run(told)
            time.sleep(1)
            slow = [lag for page in pages for lag in page.lags]
            for page in pages:
                page.lags, page.told = [], 0
            rate = burst(search)
            time.sleep(2)
            fast = [lag for page in pages for lag in page.lags]
            answered = _seconds(client, "GET", "/state", None)
            heard = [page.told for page in pages]
    return {
        "one result a second, ten pages: seconds until it is heard (median, 95 %, most)": _lags(slow),
        "results told a second": round(rate),
        "heard by each page": heard,
        "of": RATE * SECONDS,
        "seconds until they are heard (median, 95 %, most)": _lags(fast),
        "seconds of a state afterwards": answered,
    }


def burst(search: Study) -> float:
    """RATE results a second for SECONDS; how many a second they were."""
    MadeUp.due = began = time.time()
    search.run(len(search.trials()) + RATE * SECONDS, batch=BURST)
    MadeUp.due = None
    return RATE * SECONDS / (time.time() - began)


def in_browser(folder: Path, browser: str) -> dict[str, Any]:
    """The frames of a page in a browser without a GPU, quiet and while a thousand results a second come."""
    path = folder / "nats-bench-size.db"
    path.unlink(missing_ok=True)
    with study(path, "nats-bench-size") as search, server(path) as client, sync_playwright() as playwright:
        search.run(50)
        program = playwright.chromium.launch(executable_path=browser, args=[*FLAGS])
        page = program.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{client.base_url}/?token={TOKEN}")
        page.get_by_text("50 evaluated").wait_for()
        time.sleep(5)  # until the first predictions are there
        quiet = page.evaluate(FRAMES, SECONDS)
        searching = threading.Thread(target=burst, args=[search])
        searching.start()
        busy = page.evaluate(FRAMES, SECONDS)
        searching.join()
        shown = _seconds_until(page, f"{50 + RATE * SECONDS:,} evaluated")
        version = program.version
        program.close()
    return {
        "browser": version,
        "quiet: milliseconds from frame to frame (median, 95 %, most)": _lags(quiet),
        "a thousand results a second: the same": _lags(busy),
        "seconds until the last result is counted on the page": shown,
    }


def _seconds_until(page: Tab, text: str) -> float:
    began = time.perf_counter()
    page.get_by_text(text).wait_for()
    return round(time.perf_counter() - began, 2)


def _lags(lags: list[float]) -> list[float]:
    return np.round([np.median(lags), np.quantile(lags, 0.95), max(lags)], 3).tolist()


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description="what the server of tierwise serve costs")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    one_thread()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        asked, told = requests(Path(folder)), events(Path(folder))
        seen = in_browser(Path(folder), given.browser)
    seconds = asked["seconds of a request (median)"]
    facts = [(name, value) for part in (asked, told, seen) for name, value in part.items() if value is not seconds]
    text = [
        "## The server of the page",
        f"All 423,624 cells of NAS-Bench-101 served; then {RATE:,} results a second told to ten pages, and to one in "
        f"Chromium without a GPU, which shares two cores with the server and the search. The load average of the "
        f"machine was {load:.1f}. `bench/navigator.py`",
        markdown(["what", ""], [[name, _text(value)] for name, value in facts]),
        markdown(["request", "seconds (median)"], [[name, f"{value:g}"] for name, value in seconds.items()]),
    ]
    publish("navigator", {"load": round(load, 1), "requests": asked, "events": told, "page": seen}, "\n\n".join(text))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{number:g}" for number in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
