"""What a study itself costs: milliseconds for each evaluation at 500, 2,000 and 5,000 evaluations.

    python bench/study_overhead.py

Batch size 1, so every evaluation is one ask and two transactions on a real file. The evaluator is a look-up
of microseconds. Each number is the median over the 200 evaluations before the mark, in one run.
NAS-Bench-201 has 5,260 distinct networks: near 4,500, evolution spends its time on finding fresh mutants.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from stopwatch import markdown, publish

from tierwise import Architectures, Study, make
from tierwise.spaces.edges import Edges

NAME = "study-overhead"
MARKS = (500, 2_000, 5_000)
WINDOW = 200
OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


class Counted:
    """A cheap evaluator with columns: the share of weights in the genes."""

    def __call__(self, arch: Any) -> dict[str, float]:
        return {"accuracy": sum(arch.genes) / len(arch.genes)}

    def many(self, archs: Architectures, seeds: list[int]) -> dict[str, Any]:
        return {"accuracy": archs.genes.mean(1, dtype=np.float64)}


def measure(space: Any, strategy: str, evaluator: Any, marks: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Milliseconds for each evaluation before each mark, by the wall clock and by the processor's."""
    clock: list[tuple[float, float]] = []

    def tick(_: Study) -> None:
        clock.append((time.perf_counter(), time.process_time()))

    with (
        tempfile.TemporaryDirectory() as folder,
        Study(Path(folder) / "study.db", space, strategy, evaluator) as study,
    ):
        study.run(max(marks), batch=1, progress=tick)
    each = np.diff(np.array(clock), axis=0) * 1e3
    return {
        name: {f"{mark}": round(statistics.median(each[mark - WINDOW : mark - 1, k]), 3) for mark in marks}
        for k, name in enumerate(("wall", "cpu"))
    }


def main() -> None:
    """Measure, write, print."""
    data = make("benchmark", "nasbench201", dataset="cifar10")
    big = Edges("big", 6, OPS, shared=("avg_pool_3x3",))
    cases = [
        ("nasbench201 table", data.space, "random", data, (500, 2_000, 4_500)),
        ("nasbench201 table", data.space, "evolution", data, (500, 2_000, 4_500)),
        ("15 edges, 5 ops", big, "random", Counted(), MARKS),
        ("15 edges, 5 ops", big, "evolution", Counted(), MARKS),
    ]
    runs: list[dict[str, Any]] = []
    table: list[list[object]] = []
    for name, space, strategy, evaluator, marks in cases:
        ms = measure(space, strategy, evaluator, marks)
        wall = list(ms["wall"].values())
        runs.append({"space": name, "strategy": strategy, "ms": ms, "last_to_500": wall[2] / wall[0]})
        last = f"{wall[2]:.2f} (at {marks[2]:,})"
        table.append([name, strategy, f"{wall[0]:.2f}", f"{wall[1]:.2f}", last, f"{wall[2] / wall[0]:.2f}"])
    text = [
        "## What a study costs",
        "Milliseconds for each evaluation (wall) at batch size 1 on a real file, the evaluation itself being a "
        "look-up. NAS-Bench-201 has 5,260 distinct networks: near 4,500 of them evolution spends its time on "
        "finding a fresh mutant. Made by `bench/study_overhead.py`.",
        markdown(["space", "strategy", "at 500", "at 2,000", "at the end", "end : 500"], table),
    ]
    publish(NAME, {"window": WINDOW, "batch": 1, "runs": runs}, "\n\n".join(text))


if __name__ == "__main__":
    main()
