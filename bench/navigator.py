"""What the server of ``tierwise serve`` costs: bytes and seconds of each request on NAS-Bench-101's 423,624 cells, how
soon a result is told to a page, and ten pages at a thousand results a second.

    python bench/navigator.py            writes bench/results/navigator.json
"""

from __future__ import annotations

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

from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.job import Job
from tierwise.server.serving import serve
from tierwise.strategies.weaknas import WeakNAS

OUT = Path(__file__).parent / "results" / "navigator.json"
TOKEN, REPEATS, PAGES = "bench", 5, 10
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BURST, BURSTS = 100, 100  # results told together every tenth of a second, and how often


class MadeUp:
    """Results from the genes; a batch takes as long as it is paced to."""

    metrics = ("accuracy",)
    pace = 0.0  # seconds for a batch

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        return {"accuracy": float(sum(arch.genes))}

    def many(self, archs: Architectures, seeds: list[int], budget: int = 0) -> dict[str, Any]:
        time.sleep(self.pace)
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
            MadeUp.pace, began = 0.9 * BURST / 1_000, time.perf_counter()
            search.run(15 + BURST * BURSTS, batch=BURST)
            rate = BURST * BURSTS / (time.perf_counter() - began)
            time.sleep(2)
            fast = [lag for page in pages for lag in page.lags]
            answered = _seconds(client, "GET", "/state", None)
            heard = [page.told for page in pages]
    return {
        "one result a second, ten pages: seconds until it is heard (median, 95 %, most)": _lags(slow),
        "results told a second": round(rate),
        "heard by each page": heard,
        "of": BURST * BURSTS,
        "seconds until they are heard (median, 95 %, most)": _lags(fast),
        "seconds of a state afterwards": answered,
    }


def _lags(lags: list[float]) -> list[float]:
    return np.round([np.median(lags), np.quantile(lags, 0.95), max(lags)], 3).tolist()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it began",
            "requests": requests(Path(folder)),
            "events": events(Path(folder)),
        }
    part = OUT.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    part.replace(OUT)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
