"""Costs as ratios, everything in one run on one thread.

1. `tier` against `nar` at its published sizes: fit on 150 labels, then rank all 15,625 cells of NAS-Bench-201.
2. Start of the command: `tierwise --help` and `tierwise ls` against a bare Python, and which heavy packages they
import.

    python bench/speed.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from stopwatch import markdown, one_thread, publish

from tierwise import make

LABELS = 150
HEAVY = ("torch", "sklearn", "pandas", "matplotlib", "scipy")


def fit_and_rank(name: str) -> dict[str, float]:
    """CPU seconds to fit on 150 labels and to score every cell."""
    data = make("benchmark", "nasbench201", dataset="cifar10")
    cells = data.space.enumerate()
    drawn = np.random.default_rng(0).permutation(len(cells))[:LABELS]
    predictor = make("predictor", name, seed=0)
    begin = time.process_time()
    predictor.fit(cells[drawn], data.metrics["accuracy"][drawn])
    fitted = time.process_time()
    predictor.predict(cells)
    return {"fit": fitted - begin, "rank": time.process_time() - fitted, "total": time.process_time() - begin}


def start(arguments: list[str], repeats: int = 7) -> float:
    """Median wall seconds of a command."""
    walls: list[float] = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        walls.append(time.perf_counter() - begin)
    return statistics.median(walls)


def imported(arguments: list[str]) -> list[str]:
    """Heavy packages that a command of tierwise imports."""
    code = (
        f"import sys; sys.argv = ['tierwise', *{arguments!r}]\n"
        "from tierwise.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('\\n' + ' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    return (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        .stdout.split("\n")[-2]
        .split()
    )


def main() -> None:
    """Measure, write, print."""
    one_thread()
    fit_and_rank("tier")  # the first call imports and warms up
    costs = {name: fit_and_rank(name) for name in ("tier", "nar")}
    command = [str(Path(sys.executable).parent / "tierwise")]
    with tempfile.TemporaryDirectory() as folder:
        bare = start([sys.executable, "-c", "pass"])
        starts = {"--help": start([*command, "--help"]), "ls": start([*command, "ls", folder])}
        heavy = {"--help": imported(["--help"]), "ls": imported(["ls", folder])}
    ratio = costs["nar"]["total"] / costs["tier"]["total"]
    rows = [[f"`{n}`", f"{c['fit']:.1f}", f"{c['rank']:.1f}", f"{c['total']:.1f}"] for n, c in costs.items()]
    text = [
        "## Speed",
        f"Fit on {LABELS} labels and rank 15,625 cells, one thread: `nar` (published sizes) costs "
        f"**{ratio:.0f} times** as much CPU time as `tier`. Made by `bench/speed.py`.",
        markdown(["predictor", "fit, CPU s", "rank, CPU s", "both"], rows),
        markdown(
            ["command", "seconds", "times a bare Python", "heavy imports"],
            [
                [f"`tierwise {n}`", f"{s:.2f}", f"{s / bare:.1f}", ", ".join(heavy[n]) or "none"]
                for n, s in starts.items()
            ],
        ),
    ]
    publish(
        "speed",
        {"cpu_seconds": costs, "nar_to_tier": ratio, "start_seconds": {"python": bare, **starts}, "heavy": heavy},
        "\n\n".join(text),
    )


if __name__ == "__main__":
    main()
