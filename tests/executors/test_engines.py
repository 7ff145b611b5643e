"""Ray and SLURM (as submitit's own processes): what is told is kept, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash.test_kill import start, told, uninterrupted
from tests.evaluators import gone
from tierwise import make
from tierwise.errors import BadSetting, MissingExtra
from tierwise.study import open_study

TRIALS, MANY = 8, 120


def wait_for(driver: subprocess.Popen[str], word: str) -> str:
    """What the driver prints until it has said this."""
    assert driver.stdout is not None
    output = ""
    while f"{word}" not in output:
        line = driver.stdout.readline()
        assert line, f"ended without {word}: {output[-400:]}"
        output += line
    return output


def descendants(pid: int) -> dict[int, str]:
    """Every process below this one, and its name."""
    parents: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
            parents[int(stat.parent.name)] = int(rest.split()[1]), name.split("(", 1)[1]
        except OSError:
            continue
    below = {pid}
    while len(more := below | {child for child, (parent, _) in parents.items() if parent in below}) > len(below):
        below = more
    return {child: parents[child][1] for child in below - {pid} if child in parents}


def go_on_and_compare(path: Path, folder: Path, executor: str, before: dict[int, float], trials: int = TRIALS) -> None:
    with start(path, folder, executor, "asked", trials, 0.0) as driver:
        output = driver.communicate(timeout=120)[0]
    assert f"finished {{'trials': {trials}}}" in output
    assert told(output).items() >= before.items()
    rows = open_study(path)[1]
    assert max(row.attempt for row in rows) > 1
    assert [(row.id, row.genes, row.why, row.metrics) for row in rows] == uninterrupted(trials, "asked")


@pytest.mark.parametrize("executor", ["ray", "slurm"])
def test_a_killed_driver(executor: str, tmp_path: Path):
    path, folder = tmp_path / "study.db", tmp_path / "files"
    folder.mkdir()
    with start(path, folder, executor, "asked", TRIALS, 0.3) as driver:
        said = wait_for(driver, "told 2")
        driver.kill()
    go_on_and_compare(path, folder, executor, told(said))


def test_a_killed_head_of_ray(tmp_path: Path):
    path, folder = tmp_path / "study.db", tmp_path / "files"
    folder.mkdir()
    with start(path, folder, "ray", "asked", MANY, 0.7) as driver:  # more than its workers finish before they notice
        said = wait_for(driver, "told 1")
        head = [pid for pid, name in descendants(driver.pid).items() if name == "raylet"]
        assert head
        for pid in head:
            subprocess.run(["kill", f"-{signal.SIGKILL}", str(pid)], check=True)
        said += driver.communicate(timeout=120)[0]
    # either our error ends the run, or Ray ends the process of the driver itself
    assert "start it, then run the same line again" in said or driver.returncode != 0
    assert "finished" not in said
    assert not any(row.state == "failed" for row in open_study(path)[1])
    go_on_and_compare(path, folder, "inline", told(said), MANY)


def test_ray_that_the_executor_has_started_ends_with_it():
    with make("executor", "ray", workers=1) as engine:
        worker = engine.submit(os.getpid).result(timeout=60)
        below = {pid for pid, name in descendants(os.getpid()).items() if "ray" in name or "gcs" in name}
        assert worker in descendants(os.getpid())
        assert below
    assert gone({worker, *below})


def test_what_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with pytest.raises(BadSetting, match="workers"):
        make("executor", "ray", workers=0)
    with pytest.raises(BadSetting, match='a running cluster, "auto" or None'):
        make("executor", "ray", address="auto")
    with pytest.raises(BadSetting, match="what submitit knows"):
        make("executor", "slurm", folder=tmp_path, cluster="local", time_min=3)
    with pytest.raises(BadSetting, match="what submitit knows"):
        make("executor", "slurm", folder=tmp_path)  # there is no SLURM here

    absent: dict[str, Any] = {"ray": None, "submitit": None}
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"pip install 'tierwise\[ray\]'"):
        make("executor", "ray")
    with pytest.raises(MissingExtra, match=r"pip install 'tierwise\[slurm\]'"):
        make("executor", "slurm")
