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
from tools.packed import save

from tierwise.benchmarks.mnist1d import ABSENT, CURVE, FILE, LATENCIES, PROXY
from tierwise.benchmarks.mnist1d import EPOCHS as TOLD
from tierwise.benchmarks.mnist1d_cells import distinct
from tierwise.zero_cost import WORST

Arrays = dict[str, NDArray[Any]]
HITS, REAL = (np.uint16, ABSENT), (np.float16, np.nan)
CURVES = {"train_hits": HITS, "val_hits": HITS, "train_loss": REAL, "val_loss": REAL}
ENDS = {"test_hits": HITS, "test_loss": REAL, "seconds": REAL}


def trainings(folder: Path) -> Arrays:
    """What is kept of every training, and what they were made with: whole curves of seed 0, and of every seed the
    validation accuracies that a search can be told, and the end. Raises ValueError for a class trained twice.
    """
    cell = distinct()[1]

    def empty(shape: tuple[int, ...], kind: tuple[Any, Any]) -> NDArray[Any]:
        return np.full((len(cell), *shape), kind[1], kind[0])

    table = {CURVE + name: empty((EPOCHS,), kind) for name, kind in CURVES.items()}
    table["val_hits"] = empty((MORE_SEEDS, len(TOLD)), HITS)
    table |= {name: empty((MORE_SEEDS,), kind) for name, kind in ENDS.items()}
    made_with: set[str] = set()
    for path in sorted(folder.glob("seed*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            classes = shard["class_id"]
            where = classes, shard["seed"]
            if (table["test_hits"][where] != ABSENT).any():
                raise ValueError(f"{path}: some of its classes are in an earlier shard of the same seed")
            for name in ENDS:
                table[name][where] = shard[name]
            table["val_hits"][where] = shard["val_hits"][:, np.array(TOLD) - 1]
            if not shard["seed"].any():
                for name in CURVES:
                    table[CURVE + name][classes] = shard[name]
            made_with.add(str(shard["made_with"]))
    table["cell"] = cell.astype(np.uint16)
    table["made_with"] = np.array(json.dumps([json.loads(text) for text in sorted(made_with)]))
    return table


def short(column: NDArray[Any]) -> NDArray[np.float32]:
    """Good to one part in 8,000, in bits that compress; what has no score keeps its number."""
    bits = (column.astype(np.float32).view(np.uint32) + 0x400) & 0xFFFFF800
    return np.where(column == WORST, np.float32(WORST), bits.view(np.float32))


def columns(file: Path, kept: bool) -> Arrays:
    """Latencies and proxies: of the table itself where `kept`, else of a file of proxies or latencies.

    Raises ValueError for a column that is not one number a class.
    """
    if not file.exists() and kept:
        return {}
    with np.load(file, allow_pickle=False) as given:
        names = [name for name in given.files if name in LATENCIES or name.startswith(PROXY) or not kept]
        found = {name: short(given[name]) for name in names}
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
    save(arguments.out, table)
    trained = (table["test_hits"] != ABSENT).sum(0)
    print(f"{arguments.out.name}: {arguments.out.stat().st_size:,} bytes, classes by seed {trained.tolist()}")


if __name__ == "__main__":
    main()
