"""trainer.cpp, compiled once and called."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tools.mnist1d.protocol import EPOCHS, STEPS, rates

from tierwise.architecture import Genes
from tierwise.benchmarks.mnist1d_cells import DATA_SHA256, TEST, TRAIN, VALIDATION, live_edges, signals

SOURCE = Path(__file__).with_name("trainer.cpp")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fno-ivopts", "-std=c++17")


@dataclass(frozen=True)
class Curves:
    """One training: (24,) hits and losses after each epoch, then those of the test set."""

    train_hits: NDArray[np.int64]
    val_hits: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    test_hits: int
    test_loss: float
    seconds: float  # of one core, without evaluations
    batch_losses: NDArray[np.float32]


def pruned(genes: Genes) -> NDArray[np.int8]:
    """(n, 6) operations with dead edges as none."""
    return (genes * live_edges(genes)).astype(np.int8)


class Engine:
    """The compiled trainer with the signals at hand. folder: where the library is kept."""

    def __init__(self, folder: Path):
        self.library = ctypes.CDLL(str(_compile(folder)))
        self.library.gradient.restype = self.library.train.restype = ctypes.c_double
        x, y = signals()
        self.x, self.y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        self.rates = rates()

    def parameters(self, ops: NDArray[np.int8]) -> int:
        """How many there are; ops (6,): pruned."""
        return self.library.parameters(_at(np.ascontiguousarray(ops)))

    def gradient(
        self, ops: NDArray[np.int8], values: NDArray[np.float32], rows: NDArray[np.int32]
    ) -> tuple[float, NDArray[np.float32]]:
        """Mean loss of one batch of 64 in training mode, and (p,) its gradient."""
        found, x, y = np.empty_like(values), np.ascontiguousarray(self.x[rows]), np.ascontiguousarray(self.y[rows])
        loss = self.library.gradient(_at(np.ascontiguousarray(ops)), _at(values), _at(x), _at(y), _at(found))
        return loss, found

    def train(self, ops: NDArray[np.int8], values: NDArray[np.float32], order: NDArray[np.int32]) -> Curves:
        """ops (6,): pruned. values (p,): initial weights. order (24, 62, 64): rows of the batches."""
        hits, losses = np.zeros((EPOCHS + 1, 2), np.int64), np.zeros((EPOCHS + 1, 2))
        batch_losses = np.zeros(EPOCHS * STEPS, np.float32)
        seconds = self.library.train(
            *(_at(a) for a in (np.ascontiguousarray(ops), values, self.x, self.y)),
            *(TRAIN, VALIDATION, TEST),
            *(_at(order), _at(self.rates), EPOCHS, STEPS),
            *(_at(hits), _at(losses), _at(batch_losses)),
        )
        (train_hits, val_hits), (train_loss, val_loss) = hits[:-1].T, losses[:-1].T
        return Curves(
            train_hits, val_hits, train_loss, val_loss, int(hits[-1, 1]), losses[-1, 1], seconds, batch_losses
        )


def description() -> dict[str, str]:
    """What a training was made with."""
    compiler = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "engine_sha256": hashlib.sha256(SOURCE.read_bytes()).hexdigest(),
        "compiler": compiler.splitlines()[0],
        "flags": " ".join(FLAGS),
        "cpu": _cpu(),
        "data_sha256": DATA_SHA256,
    }


def _cpu() -> str:
    """Model and vector width; a virtual machine hides the exact name."""
    told: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    width = 512 if "avx512f" in told["flags"] else 256
    family = f"family {told['cpu family']} model {told['model']}"
    return f"{told['model name']}, {family}, {platform.machine()}, AVX{width}"


def _compiler() -> str:
    return os.environ.get("CXX", "g++")


def _compile(folder: Path) -> Path:
    """The library, named by its source. Raises subprocess.CalledProcessError."""
    library = folder / f"trainer-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = library.with_suffix(".part")
        subprocess.run([_compiler(), *FLAGS, "-shared", "-fPIC", str(SOURCE), "-o", str(part)], check=True)
        part.replace(library)
    return library


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
