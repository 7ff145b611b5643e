"""What a study itself costs: milliseconds for each evaluation at 500, 2,000 and 5,000 evaluations.

    python bench/study_overhead.py [--out bench/results/study-overhead.json]

Batch size 1, so every evaluation is one ask and two transactions on a real file. The evaluator is a look-up
of microseconds. Each number is the median over the 200 evaluations before the mark, in one run.
NAS-Bench-201 has 5,260 distinct networks: near 4,500, evolution spends its time on finding fresh mutants.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import tierwise
from tierwise import Architectures, Study, make
from tierwise.spaces.edges import Edges

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


def cpu() -> str:
    """The processor's name."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str | None:
    """The commit of this checkout, if it is one."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def main() -> None:
    """Measure, print a table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "study-overhead.json")
    out: Path = parser.parse_args().out
    data = make("benchmark", "nasbench201", dataset="cifar10")
    big = Edges("big", 6, OPS, shared=("avg_pool_3x3",))
    cases = [
        ("nasbench201 table", data.space, "random", data, (500, 2_000, 4_500)),
        ("nasbench201 table", data.space, "evolution", data, (500, 2_000, 4_500)),
        ("15 edges, 5 ops", big, "random", Counted(), MARKS),
        ("15 edges, 5 ops", big, "evolution", Counted(), MARKS),
    ]
    rows: list[dict[str, Any]] = []
    print("milliseconds for each evaluation, on the wall (of the processor)")
    print(f"{'space':<20}{'strategy':<12}{'500':>14}{'2,000':>14}{'last':>14}{'last:500':>14}")
    for name, space, strategy, evaluator, marks in cases:
        ms = measure(space, strategy, evaluator, marks)
        wall, cpu_ms = list(ms["wall"].values()), list(ms["cpu"].values())
        ratio = [round(wall[2] / wall[0], 2), round(cpu_ms[2] / cpu_ms[0], 2)]
        rows.append({"space": name, "strategy": strategy, "ms": ms, "ratio": {"wall": ratio[0], "cpu": ratio[1]}})
        cells = [f"{w:.2f} ({c:.2f})" for w, c in zip(wall, cpu_ms, strict=True)] + [f"{ratio[0]} ({ratio[1]})"]
        print(f"{name:<20}{strategy:<12}" + "".join(f"{c:>14}" for c in cells) + f"   last: {marks[-1]:,}")
    about = {
        "tierwise": tierwise.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "commit": commit(),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"about": about, "window": WINDOW, "batch": 1, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
