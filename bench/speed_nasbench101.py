"""The whole of NAS-Bench-101, 423,624 cells, at once: medians of one run on one thread.

1. Listing the cells from the shipped file, and what encodings and moves cost.
2. Costs of every vertex of every cell, against a plain Python loop over the cells.

    python bench/speed_nasbench101.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from stopwatch import markdown, one_thread, publish

from tierwise import make
from tierwise.spaces import nasbench101
from tierwise.spaces.nasbench101 import NASBench101

REPEATS = 5
LOOPED = 2_000  # cells of which the plain loop is timed
CELLS = [(128, 128, 1024)] * 3 + [(128, 256, 256)] + [(256, 256, 256)] * 2 + [(256, 512, 64)] + [(512, 512, 64)] * 2


def median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall seconds of `work`."""
    seconds: list[float] = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def listed_anew() -> object:
    """Every cell, decoded from the shipped file."""
    nasbench101._every_cell.cache_clear()
    return NASBench101().enumerate()


def vertex_costs_one_by_one(rows: list[list[int]]) -> list[list[list[tuple[int, int]]]]:
    """FLOPs and parameters of each vertex in each of nine cells, one architecture after the other."""
    places = [(x, y) for y in range(7) for x in range(y)]
    costs: list[list[list[tuple[int, int]]]] = []
    for genes in rows:
        edges = {edge for edge, bit in zip(places, genes, strict=False) if bit}
        costs.append([_cell_costs(edges, genes[21:], *cell) for cell in CELLS])
    return costs


def _cell_costs(
    edges: set[tuple[int, int]], ops: list[int], entering: int, leaving: int, area: int
) -> list[tuple[int, int]]:
    feeding = [v for v in range(1, 6) if (v, 6) in edges]
    width = {v: leaving // len(feeding) + (k < leaving % len(feeding)) for k, v in enumerate(feeding)}
    row = [(0, 0)] * 7
    for v in range(5, 0, -1):
        if ops[v - 1] < 0:
            continue
        if v not in width:
            width[v] = max(width[w] for w in range(v + 1, 6) if (v, w) in edges)
        c, kernel = width[v], (3, 1, 0)[ops[v - 1]]
        products = kernel * kernel * c * c + (entering * c if (0, v) in edges else 0)
        adds = (sum((x, v) in edges for x in range(v)) - 1) * c
        norms = 2 * c * (((0, v) in edges) + (kernel > 0))
        row[v] = (area * (2 * products + adds + (0 if kernel else 9 * c)), products + norms)
    return row


def command_costs() -> tuple[float, float]:
    """Wall seconds and peak memory (MB) of the command that writes the table of costs."""
    code = (
        "import sys\nfrom tierwise.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        line = [sys.executable, "-c", code, "bench", "costs", "nasbench101", str(Path(folder) / "costs.parquet")]
        done = subprocess.run(line, check=True, capture_output=True, text=True)
    return time.perf_counter() - begin, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Measure, write, print."""
    one_thread()
    space = NASBench101()
    every, some = space.enumerate(), space.sample(1_000, np.random.default_rng(0))
    looped = every[:: len(every) // LOOPED][:LOOPED]
    rows = looped.genes.tolist()
    assert np.array_equal(space.vertex_costs(looped), vertex_costs_one_by_one(rows))  # both count the same
    space.neighbours(some)
    onehot, paths = make("encoding", "onehot"), make("encoding", "paths")
    seconds = {
        "list all cells from the shipped file": median_seconds(listed_anew),
        "index of all cells": median_seconds(lambda: space.index(every)),
        "one-hot columns of all cells": median_seconds(lambda: onehot.transform(every)),
        "live paths of all cells": median_seconds(lambda: paths.transform(every), 3),
        "FLOPs and parameters of all networks": median_seconds(lambda: space.totals(every)),
        "all neighbours of 1,000 cells": median_seconds(lambda: space.neighbours(some)),
        "costs of every vertex, all cells": median_seconds(lambda: space.vertex_costs(every)),
    }
    whole, memory = command_costs()
    loop = median_seconds(lambda: vertex_costs_one_by_one(rows), 3) * len(every) / LOOPED
    ratio = loop / seconds["costs of every vertex, all cells"]
    text = [
        "## Speed on NAS-Bench-101",
        f"All {len(every):,} cells on one thread. For the costs of every vertex in each of the nine cells, a plain "
        f"Python loop takes **{ratio:.0f} times** as long ({loop:.0f} s, from {LOOPED:,} cells). Made by "
        "`bench/speed_nasbench101.py`.",
        markdown(["work", "seconds"], [[name, f"{s:.3f}"] for name, s in seconds.items()]),
        f"`tierwise bench costs nasbench101 costs.parquet`, from start to end: {whole:.1f} s and {memory:,.0f} MB.",
    ]
    content = {"seconds": seconds, "loop_seconds": loop, "loop_to_batch": ratio, "looped": LOOPED}
    content |= {"command_seconds": whole, "command_mb": memory}
    publish("speed-nasbench101", content, "\n\n".join(text))


if __name__ == "__main__":
    main()
