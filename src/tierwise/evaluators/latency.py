"""How long a network takes on this machine, measured: a cost that is known before a training."""

from __future__ import annotations

import contextlib
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tierwise.architecture import Architectures
from tierwise.importers.folder import benchmarks_folder

WARM_UP, RUNS = 5, 30  # passes before it counts, and those that do


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one pass: the median, and the distance between the quartiles."""

    median: float
    spread: float


def measure(network: nn.Module, shape: Sequence[int], batch: int = 1, device: str = "cpu") -> Latency:
    """The latency of `batch` inputs of this shape, of the network as it is used, not trained."""
    network = network.to(device).eval()
    x, wait = torch.zeros(batch, *shape, device=device), _waits(device)
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP + RUNS):
            started = time.perf_counter()
            network(x)
            wait()
            seconds.append(time.perf_counter() - started)
    first, median, third = statistics.quantiles(seconds[WARM_UP:], n=4)
    return Latency(1e3 * median, 1e3 * (third - first))


def _waits(device: str) -> Callable[[], None]:
    """What has to be called before the clock is read."""
    return torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None


@dataclass
class Measured:
    """Latencies of a space's networks, each measured once and kept in the user's data folder.

    A search that is stopped and goes on must see the same numbers, although no two measurements are equal.
    task: text that tells apart what must not share a file: space, shape, device.
    """

    task: str
    known: dict[int, Latency] = field(default_factory=dict[int, Latency])

    def __post_init__(self) -> None:
        with contextlib.suppress(OSError):
            for line in self.file.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, TypeError):  # a line that was cut off
                    key, median, spread = json.loads(line)
                    self.known[int(key, 16)] = Latency(float(median), float(spread))

    @property
    def file(self) -> Path:
        """Where they are kept."""
        name = hashlib.sha256(self.task.encode()).hexdigest()[:16]
        return benchmarks_folder().parent / "latency" / f"{name}.jsonl"

    def column(self, archs: Architectures, measured: Callable[[int], Latency]) -> NDArray[np.float64]:
        """(n,) medians. measured(row): measures the network of one row."""
        keys = archs.space.canonical(archs).tolist()
        for row, key in enumerate(keys):
            if key not in self.known:
                self.known[key] = found = measured(row)
                line = json.dumps([f"{key:016x}", found.median, found.spread])
                with contextlib.suppress(OSError):  # a cache that cannot be written is measured anew
                    self.file.parent.mkdir(parents=True, exist_ok=True)
                    with self.file.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
        return np.array([self.known[key].median for key in keys])
