"""Trains the networks of the benchmark mnist1d: a few hours of one core, resumable at any moment.

    python -m tools.mnist1d.train --out FOLDER --processes 2      # from the root of the repository

A shard is 100 classes under one seed and one npz. Classes come in a fixed random order, so that whatever is finished is
a uniform sample of them: seeds 0, 1 and 2 of every class, then seeds 3 to 9 of the 15 % with the best validation
accuracies, mean of the first three seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tools.mnist1d.engine import Engine, description, pruned
from tools.mnist1d.protocol import BEST, MORE_SEEDS, SEEDS, batches, initial

from tierwise.benchmarks.mnist1d_cells import distinct
from tierwise.spaces.nasbench201 import OPS, NASBench201

SHARD = 100
ORDER_SEED = 201


@dataclass(frozen=True)
class Shard:
    """Classes to train under one seed, and the file of their results."""

    path: Path
    seed: int
    classes: NDArray[np.int64]


def shards(folder: Path, classes: NDArray[np.int64], seeds: range) -> Iterator[Shard]:
    """Every shard of these classes, seed after seed."""
    for seed in seeds:
        for part, start in enumerate(range(0, len(classes), SHARD)):
            yield Shard(folder / f"seed{seed}-{part:02d}.npz", seed, classes[start : start + SHARD])


def every_class() -> NDArray[np.int64]:
    """The classes in their fixed random order."""
    return np.random.default_rng(ORDER_SEED).permutation(len(distinct()[1]))


def best_classes(folder: Path) -> NDArray[np.int64]:
    """The classes that get more seeds, in the same order; reads the shards of the first seeds, all of which must be
    there.
    """
    order = every_class()
    hits = np.zeros(len(order), dtype=np.int64)
    for shard in shards(folder, order, range(SEEDS)):
        with np.load(shard.path, allow_pickle=False) as arrays:
            hits[arrays["class_id"]] += arrays["val_hits"][:, -1]
    ranked = np.argsort(-hits, kind="stable")[: round(BEST * len(order))]
    return order[np.isin(order, ranked)]


def run(shard: Shard) -> Path:
    """Trains one shard and writes it, whole or not at all."""
    if shard.path.exists():  # another process was here first
        return shard.path
    engine, order = Engine(shard.path.parent), batches(shard.seed)
    ops = pruned(NASBench201().at(distinct()[1][shard.classes]).genes)
    trained = [
        engine.train(row, initial([OPS[op] for op in row], shard.seed, int(class_id)), order)
        for row, class_id in zip(ops, shard.classes, strict=True)
    ]
    part = shard.path.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez_compressed(
            stream,
            class_id=shard.classes.astype(np.uint16),
            seed=np.full(len(trained), shard.seed, dtype=np.uint8),
            train_hits=np.array([t.train_hits for t in trained], dtype=np.uint16),
            val_hits=np.array([t.val_hits for t in trained], dtype=np.uint16),
            train_loss=np.array([t.train_loss for t in trained], dtype=np.float32),
            val_loss=np.array([t.val_loss for t in trained], dtype=np.float32),
            test_hits=np.array([t.test_hits for t in trained], dtype=np.uint16),
            test_loss=np.array([t.test_loss for t in trained], dtype=np.float32),
            seconds=np.array([t.seconds for t in trained], dtype=np.float32),
            made_with=np.array(json.dumps(description(), sort_keys=True)),
        )
    part.replace(shard.path)
    return shard.path


def run_missing(wanted: list[Shard], processes: int) -> None:
    """Trains what has no file yet, with a line for each shard."""
    missing = [shard for shard in wanted if not shard.path.exists()]
    done, start = len(wanted) - len(missing), time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        for k, future in enumerate(as_completed([pool.submit(run, shard) for shard in missing]), 1):
            left = (time.monotonic() - start) / k * (len(missing) - k) / 3600
            print(f"{future.result().name}: {done + k} of {len(wanted)} shards, {left:.1f} h left", flush=True)


def main() -> None:
    """All classes, then the best."""
    parser = argparse.ArgumentParser(description="Train the networks of the benchmark mnist1d.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards, outside the repository")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    Engine(arguments.out)  # compiled once, before there are several
    run_missing(list(shards(arguments.out, every_class(), range(SEEDS))), arguments.processes)
    best = best_classes(arguments.out)
    run_missing(list(shards(arguments.out, best, range(SEEDS, MORE_SEEDS))), arguments.processes)


if __name__ == "__main__":
    main()
