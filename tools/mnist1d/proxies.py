"""Measures the zero-cost proxies of the benchmark mnist1d's networks: half an hour on one core, resumable.

    python -m tools.mnist1d.proxies FILE.npz

On the initial weights of seed 0 and the first signals to train on, two batches of 64. Writes (5260,) of each proxy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tools.mnist1d.engine import pruned
from tools.mnist1d.reference import network
from tools.packed import save
from torch import Tensor

from tierwise import zero_cost
from tierwise.benchmarks.mnist1d_cells import distinct, signals
from tierwise.networks.mnist1d import Network
from tierwise.spaces.nasbench201 import OPS, NASBench201

BATCH, AT_ONCE = 64, 100


class OfOneChannel(Network):
    """Reads (n, 1, length), as proxies look at the maps of channels."""

    def forward(self, signals: Tensor) -> Tensor:
        """(n, classes) scores."""
        return super().forward(signals[:, 0])


def untrained(ops: list[str], class_id: int) -> Network:
    """With the initial weights of seed 0."""
    made = OfOneChannel(ops, [op != "none" for op in ops])
    made.load_state_dict(network(ops, 0, class_id).state_dict())
    return made


def main() -> None:
    """Every class once."""
    parser = argparse.ArgumentParser(description="Measure the zero-cost proxies of the benchmark mnist1d.")
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    torch.set_num_threads(1)
    x, y = signals()
    cells = pruned(NASBench201().at(distinct()[1]).genes)
    found = {name: np.full(len(cells), np.nan) for name in zero_cost.installed()}
    if file.exists():
        with np.load(file, allow_pickle=False) as earlier:
            found = {name: earlier[name] for name in found}
    missing = np.flatnonzero(np.isnan(found["l2_norm"]))
    for start in range(0, len(missing), AT_ONCE):
        classes = missing[start : start + AT_ONCE]
        networks = [untrained([OPS[op] for op in cells[k]], int(k)) for k in classes]
        images, labels = x[: 2 * BATCH, None].astype(np.float32), y[: 2 * BATCH].astype(np.int64)
        scores = zero_cost.measure(networks, list(found), images=images, labels=labels, batch=BATCH)
        for name, column in found.items():
            column[classes] = scores[name]
        save(file, found)
        print(f"{classes[-1] + 1} of {len(cells)}", flush=True)


if __name__ == "__main__":
    main()
