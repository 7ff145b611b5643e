"""Puts the shards of tools.mnist1d.train together: src/tierwise/benchmarks/mnist1d.npz, of what is trained so far.

    python -m tools.mnist1d.assemble SHARDS [--latency FILE.npz] [--proxies FILE.npz] [--out FILE]

latency: of tools.mnist1d.latency. proxies: (5260,) numbers by class under the name of each zero-cost proxy. What is not
given is kept from the file that is there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tools.mnist1d.protocol import EPOCHS, MORE_SEEDS

from tierwise.benchmarks.mnist1d import ABSENT, FILE, LATENCIES, PROXY
from tierwise.benchmarks.mnist1d_cells import distinct

Arrays = dict[str, NDArray[Any]]
CURVES, SINGLE = (MORE_SEEDS, EPOCHS), (MORE_SEEDS,)
HITS, LOSS, SECONDS = (np.uint16, ABSENT), (np.float16, np.nan), (np.float32, np.nan)
COLUMNS = {
    "train_hits": (CURVES, HITS),
    "val_hits": (CURVES, HITS),
    "train_loss": (CURVES, LOSS),
    "val_loss": (CURVES, LOSS),
    "test_hits": (SINGLE, HITS),
    "test_loss": (SINGLE, LOSS),
    "seconds": (SINGLE, SECONDS),
}


def trainings(folder: Path) -> Arrays:
    """Every array by class and seed, and what they were made with. Raises ValueError for a class trained twice."""
    cell = distinct()[1]
    table: Arrays = {name: np.full((len(cell), *s), empty, dtype) for name, (s, (dtype, empty)) in COLUMNS.items()}
    made_with: set[str] = set()
    for path in sorted(folder.glob("seed*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            where = shard["class_id"], shard["seed"]
            if (table["test_hits"][where] != ABSENT).any():
                raise ValueError(f"{path}: some of its classes are in an earlier shard of the same seed")
            for name in COLUMNS:
                table[name][where] = shard[name]
            made_with.add(str(shard["made_with"]))
    table["cell"] = cell.astype(np.uint16)
    table["made_with"] = np.array(json.dumps([json.loads(text) for text in sorted(made_with)]))
    return table


def columns(file: Path, kept: bool) -> Arrays:
    """Latencies and proxies: of the table itself where `kept`, else of a file of proxies or latencies.

    Raises ValueError for a column that is not one number a class.
    """
    if not file.exists() and kept:
        return {}
    with np.load(file, allow_pickle=False) as given:
        names = [name for name in given.files if name in LATENCIES or name.startswith(PROXY) or not kept]
        found = {name: given[name].astype(np.float32) for name in names}
    for name, column in found.items():
        if column.shape != distinct()[1].shape:
            raise ValueError(f"{file}: {name} has shape {column.shape}, expected {distinct()[1].shape}")
    return {name if name in LATENCIES or kept else PROXY + name: column for name, column in found.items()}


def main() -> None:
    """Collect, write, and say how much there is."""
    parser = argparse.ArgumentParser(description="Assemble the table of the benchmark mnist1d.")
    parser.add_argument("shards", type=Path)
    parser.add_argument("--latency", type=Path)
    parser.add_argument("--proxies", type=Path)
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    table = trainings(arguments.shards) | columns(arguments.out, True)
    for file in (arguments.latency, arguments.proxies):
        table |= columns(file, False) if file else {}
    part = arguments.out.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez_compressed(stream, **table)
    part.replace(arguments.out)
    trained = (table["test_hits"] != ABSENT).sum(0)
    print(f"{arguments.out.name}: {arguments.out.stat().st_size:,} bytes, classes by seed {trained.tolist()}")


if __name__ == "__main__":
    main()
