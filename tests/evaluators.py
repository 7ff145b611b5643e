"""Evaluators and strategies for the tests of studies: at the top level of a module, so that worker processes find
them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.history import History, Proposal
from tierwise.job import Job


def score(arch: Architecture) -> dict[str, float]:
    """A smooth made-up accuracy."""
    return {"accuracy": sum(gene * (place + 1) for place, gene in enumerate(arch.genes)) / 7}


def seeded(arch: Architecture, job: Job) -> dict[str, float]:
    """Noise from the seed of the evaluation alone; slower for some, so that workers overtake each other."""
    time.sleep(0.06 if job.trial % 4 == 1 else 0.0)
    return {**score(arch), "noise": job.seed / 2**32, "seconds": 10.0}


def unlucky(arch: Architecture, job: Job) -> dict[str, float]:
    """Trial 2 ends its process, trial 4 is killed, trial 6 raises, trial 8 exits, trial 10 gives no number."""
    if job.trial == 2:
        os._exit(7)
    if job.trial == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.trial == 6:
        raise ValueError("no such kernel size")
    if job.trial == 8:
        sys.exit("cannot go on")
    return score(arch) if job.trial != 10 else {"accuracy": float("nan")}


def sleepy(arch: Architecture, job: Job) -> dict[str, float]:
    """Every third trial takes for ever."""
    if job.trial % 3 == 0:
        time.sleep(600)
    return score(arch)


def waits(arch: Architecture) -> dict[str, float]:
    """For ever."""
    time.sleep(600)
    return score(arch)


def with_child(folder: str) -> None:
    """Starts a process of its own, notes its number, and takes for ever."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(folder, str(child.pid)).touch()
    child.wait()


# of the studies in test_store and its scripts
SETTINGS: dict[str, Any] = {
    "space": "nasbench201",
    "strategy": "random",
    "evaluator": score,
    "limits": {"params": 1e6},
}


@dataclass
class Recorded:
    """A table without its columns, slowed down; notes the processes that evaluate."""

    table: object
    delay: float
    folder: Path

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        (self.folder / str(os.getpid())).touch()
        time.sleep(self.delay * (1 + job.trial % 3) / 2)
        return self.table(arch, job)  # type: ignore[operator]


class Columns:
    """An evaluator with columns."""

    calls = 0

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        return score(arch)

    def many(self, archs: Architectures, seeds: list[int]) -> dict[str, object]:
        self.calls += 1
        return {"accuracy": archs.genes @ (np.arange(archs.shape[1]) + 1) / 7}


class Stubborn:
    """A strategy that proposes the same architecture for ever."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(history.space.at([7])[0], {"why": "habit"})] * n


class Sparing:
    """A strategy that proposes fewer than it is asked for, depending on what is known."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        best = [str(a) for a in history.best(3).archs]
        found = history.sample((n + 1) // 2, rng)
        return [Proposal(a, {"best": best, "asked": n, "score": np.float32(0.5)}) for a in found]


def alive(pid: int) -> bool:
    """Whether any thread of a process runs; one that has ended and was not yet waited for does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" or int(fields[17]) > 1  # the first thread may be gone before the others are


def gone(pids: set[int], patience: float = 15.0) -> bool:
    """Whether all of these have ended, or do so while we wait."""
    until = time.monotonic() + patience
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)
