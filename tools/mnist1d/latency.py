"""Measures how long the networks of the benchmark mnist1d take to classify: a few minutes on one core.

    python -m tools.mnist1d.latency FILE.npz

PyTorch in evaluation mode, one thread, processor time of the fastest of 20 passes, for 1 and for 64 signals. Writes
(5260,) seconds, ``latency`` and ``latency_batch64``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from tools.mnist1d.engine import pruned
from tools.mnist1d.reference import network
from tools.packed import save
from torch import Tensor

from tierwise.benchmarks.mnist1d_cells import distinct, signals
from tierwise.networks.mnist1d import Network
from tierwise.spaces.nasbench201 import OPS, NASBench201

PASSES, WARM_UP = 20, 3


def fastest(made: Network, given: Tensor) -> float:
    """Seconds of the fastest pass."""
    taken: list[float] = []
    for _ in range(WARM_UP + PASSES):
        start = time.process_time()
        made(given)
        taken.append(time.process_time() - start)
    return min(taken[WARM_UP:])


def main() -> None:
    """Every class once."""
    parser = argparse.ArgumentParser(description="Measure the latencies of the benchmark mnist1d.")
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    torch.set_num_threads(1)
    x = torch.from_numpy(signals()[0])
    cells = pruned(NASBench201().at(distinct()[1]).genes)
    seconds = np.zeros((len(cells), 2), dtype=np.float32)
    with torch.inference_mode():
        for class_id, ops in enumerate(cells):
            made = network([OPS[op] for op in ops], 0, class_id).eval()
            seconds[class_id] = fastest(made, x[:1]), fastest(made, x[:64])
            if class_id % 500 == 0:
                print(f"{class_id} of {len(cells)}", flush=True)
    save(file, {"latency": seconds[:, 0], "latency_batch64": seconds[:, 1]})


if __name__ == "__main__":
    main()
