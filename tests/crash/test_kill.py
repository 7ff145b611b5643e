"""`kill -9` of the driver at random moments: what was told is kept, and the search goes on as if nothing was."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.crash.driver import BATCH
from tests.evaluators import gone
from tierwise import Study, make
from tierwise.study import open_study


def start(path: Path, folder: Path, executor: str, order: str, trials: int, delay: float) -> subprocess.Popen[str]:
    arguments = [path, folder, executor, order, trials, delay]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crash.driver", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def children(pid: int) -> set[int]:
    """The processes whose parent this is."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(stat.parent.name))
        except OSError:
            continue
    return found


def told(output: str) -> dict[int, float]:
    """What the driver said that it had told; its last line may be cut short."""
    lines = [line.split() for line in output.split("\n")[:-1]]
    return {int(line[1]): float(line[2]) for line in lines if line[:1] == ["told"]}


def uninterrupted(trials: int, order: Literal["asked", "arrived"]) -> list[tuple[Any, ...]]:
    data = make("benchmark", "nasbench201", dataset="cifar10")
    with Study(None, data.space, "evolution", lambda arch, job: data(arch, job), seed=3) as study:
        study.run(trials, batch=BATCH, order=order)
        return [(t.id, t.arch.gene_text, dict(t.why), dict(t.metrics)) for t in study.trials()]


def _window(folder: Path, executor: str, order: str, delay: float) -> float:
    """Seconds within which kills fall: some of them after the first result, also on a busy machine."""
    folder.mkdir()
    with start(folder / "study.db", folder, executor, order, BATCH, delay) as driver:
        assert driver.stdout is not None
        while driver.stdout.readline() != "ready\n":
            pass
        began = time.monotonic()
        driver.wait(timeout=60)
    return max(0.25 if executor == "inline" else 1.5, 1.4 * (time.monotonic() - began))


def kill_again_and_again(
    tmp_path: Path, executor: str, order: Literal["asked", "arrived"], *, kills: int, trials: int, delay: float
) -> None:
    path, folder, draw = tmp_path / "study.db", tmp_path / "workers", random.Random(f"{executor} {order}")
    folder.mkdir()
    window = _window(tmp_path / "first", executor, order, delay)
    known: dict[int, float] = {}
    grew = 0
    for _ in range(kills):
        with start(path, folder, executor, order, trials, delay) as driver:
            assert driver.stdout is not None
            output = ""
            while not output.endswith("ready\n"):
                output += driver.stdout.readline()
            try:  # somewhere in asking, evaluating, telling; with workers also while they start
                driver.wait(timeout=draw.uniform(0.0, window))
            except subprocess.TimeoutExpired:
                workers = children(driver.pid)
                driver.kill()
            output += driver.stdout.read()
        assert driver.returncode == -9, f"the driver was not killed in the middle of its work: {output[-300:]}"
        workers |= {int(file.name) for file in folder.iterdir()} - {driver.pid}
        assert gone(workers), "a worker outlived its driver"
        said = told(output)
        assert said.items() >= known.items(), "the next driver does not know what the last one told"
        stored = {row.id: row.metrics["accuracy"] for row in open_study(path)[1] if row.told is not None}
        assert stored.items() >= said.items(), "something told is not in the file"
        grew += len(stored) > len(known)
        known = stored
    assert grew >= kills // 3, "most kills came before anything was evaluated: nothing was tried"
    with start(path, folder, executor, order, trials, 0.0) as driver:
        output = driver.communicate(timeout=120)[0]
    assert f"finished {{'trials': {trials}}}" in output
    assert told(output).items() >= known.items()
    rows = open_study(path)[1]
    assert max(row.attempt for row in rows) > 1, "no kill ever hit an evaluation"
    assert sorted(row.told or 0 for row in rows) == list(range(1, trials + 1))
    assert [(row.id, row.genes, row.why, row.metrics) for row in rows] == uninterrupted(trials, order)


@pytest.mark.parametrize("order", ["arrived", "asked"])
def test_a_stop_at_every_statement_changes_nothing(tmp_path: Path, order: Literal["asked", "arrived"]):
    """An image of the file and its log at each SQL statement of a run, as a kill right there leaves them."""
    data, trials = make("benchmark", "nasbench201", dataset="cifar10"), 20
    expected, images = uninterrupted(trials, order), list[Path]()

    def picture(_: str) -> None:
        images.append(tmp_path / f"{len(images)}.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(tmp_path / f"study.db{suffix}", f"{images[-1]}{suffix}")

    def single(arch: Any, job: Any) -> Any:
        return data(arch, job)

    with Study(tmp_path / "study.db", data.space, "evolution", single, seed=3) as study:
        study._store._db.set_trace_callback(picture)
        study.run(trials, batch=BATCH, order=order)
        study._store._db.set_trace_callback(None)
    assert len(images) > 3 * trials
    counts: set[int] = set()
    for image in images:
        with Study(image, data.space, "evolution", single, seed=3) as study:
            counts.add(study.finished)
            study.run(trials, batch=BATCH, order=order)
            again = [(t.id, t.arch.gene_text, dict(t.why), dict(t.metrics)) for t in study.trials()]
        assert again == expected
    assert counts == set(range(trials + 1)), "there is an image before each result, and after the last"


def test_twenty_kills_change_nothing(tmp_path: Path):
    kill_again_and_again(tmp_path, "inline", "arrived", kills=22, trials=900, delay=0.004)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to find workers in")
def test_kills_with_workers_change_nothing_and_leave_no_worker(tmp_path: Path):
    kill_again_and_again(tmp_path, "local", "asked", kills=8, trials=700, delay=0.02)


def test_kills_in_order_asked_change_nothing(tmp_path: Path):
    kill_again_and_again(tmp_path, "inline", "asked", kills=6, trials=900, delay=0.004)
