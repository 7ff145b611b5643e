"""Two tasks with a space, a supernet and a search of their own, each against random networks of equal cost.

Stereo matching: operations and ways of both networks at once, by gradients. Text lines: a supernet trained part by
part, then draws from a distribution that natural gradients move, within a limit of FLOPs (measured latencies of so
small networks are not steady enough on a machine that does other things). What is found is trained anew; random
networks of the same space, within the same limit, are trained until they have cost as much as search and training
together, and the best on the validation part is what random search answers. All that is told is of the test part, which
nothing has seen.

Every training is a line of ``results/two-stage-tasks.jsonl``: stopped at any time, it goes on when run again.

    python bench/two_stage_tasks.py [seeds]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from stopwatch import HERE, markdown, one_thread, publish

from tierwise import Architecture, Job, make
from tierwise.architecture import Architectures
from tierwise.harness.tables import mean_sd

LINES = HERE / "results" / "two-stage-tasks.jsonl"
LIMITS = {"stereo": float("inf"), "textline": 0.7e6}  # FLOPs
ERROR = {"stereo": "epe", "textline": "cer"}
SAMPLE = 3_000  # in which the largest network within the limit is looked for
Row = dict[str, Any]


class Rows:
    """What has been measured, by task, seed and what it is."""

    def __init__(self) -> None:
        text = LINES.read_text() if LINES.is_file() else ""
        self.kept = {self._key(row): row for row in map(json.loads, text.splitlines())}

    def get(self, task: str, seed: int, what: str, measure: Callable[[], Row]) -> Row:
        """The row; measured if it is not there."""
        key = task, seed, what
        if key not in self.kept:
            self.kept[key] = row = {"task": task, "seed": seed, "what": what, **measure()}
            with LINES.open("a") as file:
                file.write(json.dumps(row) + "\n")
            shown = {name: round(v, 3) if isinstance(v, float) else v for name, v in row.items() if name != "metrics"}
            print(shown, round(row.get("metrics", {}).get(f"test_{ERROR[task]}", np.nan), 3), file=sys.stderr)
        return self.kept[key]

    def of(self, task: str, seed: int, start: str) -> list[Row]:
        """All of this seed whose names begin so."""
        return [row for key, row in self.kept.items() if key[:2] == (task, seed) and key[2].startswith(start)]

    @staticmethod
    def _key(row: Row) -> tuple[str, int, str]:
        return row["task"], row["seed"], row["what"]


def searched(task: Any, seed: int) -> Row:
    """The architecture that a search ends with, and its CPU seconds."""
    from tierwise.tasks import two_stage

    started = time.process_time()
    if task.name == "stereo":
        arch, found = two_stage.search_stereo(task, make("optimiser", "one_level"), seed=seed)
        notes = {"weights": [own.round(4).tolist() for own in found.weights]}
    else:
        supernet = two_stage.train_progressively(task, seed=seed)
        drawn = two_stage.search_textline(task, supernet, two_stage.Limit("flops", LIMITS["textline"]), seed=seed)
        arch, notes = drawn.best[0], {"entropy": drawn.entropy[-1], "scored": len(drawn.archs)}
    return {"arch": str(arch), "seconds": time.process_time() - started, **notes}


def trained(task: Any, arch: Architecture, seed: int) -> Row:
    """A training of its own."""
    metrics = task(arch, Job(1, seed))
    flops = float(task.known("flops", Architectures.of([arch], task.space))[0])
    return {"arch": str(arch), "seconds": metrics["seconds"], "flops": flops, "metrics": metrics}


def compared(rows: Rows, task: Any, seed: int) -> None:
    """One search, its network twice, random ones of equal cost, and the largest one."""
    name = task.name
    search = rows.get(name, seed, "search", lambda: searched(task, seed))
    found = task.space.parse(search["arch"])
    first = rows.get(name, seed, "found", lambda: trained(task, found, seed))
    rows.get(name, seed, "again", lambda: trained(task, found, seed + 1_000))
    drawn = task.space.sample(SAMPLE, np.random.default_rng([seed, 7]))
    flops = task.known("flops", drawn)
    feasible = np.flatnonzero(flops <= LIMITS[name])
    largest = drawn[int(feasible[flops[feasible].argmax()])]
    rows.get(name, seed, "largest", lambda: trained(task, largest, seed))
    spent, budget = 0.0, search["seconds"] + first["seconds"]
    for k, place in enumerate(feasible.tolist()):
        if spent >= budget:
            break
        arch = drawn[place]
        spent += rows.get(name, seed, f"random {k}", lambda arch=arch, k=k: trained(task, arch, seed + k))["seconds"]


def best(rows: Iterable[Row], objective: str) -> Row:
    """By the validation part."""
    return max(rows, key=lambda row: row["metrics"][objective])


def table(rows: Rows, task: Any, seeds: int) -> str:
    """Errors on the test part, costs and sizes."""
    error, objective = f"test_{ERROR[task.name]}", task.metrics[0]
    each = {
        what: [rows.of(task.name, s, what)[0] for s in range(seeds)] for what in ("search", "found", "again", "largest")
    }
    randoms = [rows.of(task.name, s, "random") for s in range(seeds)]
    kinds = {
        "found, trained anew": each["found"],
        "best of random networks, at equal cost": [best(own, objective) for own in randoms],
        "random networks, mean": [row for own in randoms for row in own],
        "most FLOPs within the limit": each["largest"],
    }
    told = [
        [
            kind,
            mean_sd((row["metrics"][error] for row in own), 3),
            f"{np.mean([row['flops'] for row in own]) / 1e6:.2f}",
            f"{np.mean([row['metrics']['params'] for row in own]) / 1e3:.1f}",
            f"{np.mean([row['seconds'] for row in own]):.0f}",
        ]
        for kind, own in kinds.items()
    ]
    apart = [a["metrics"][error] - b["metrics"][error] for a, b in zip(each["found"], each["again"], strict=True)]
    unit = "end-point error, pixels" if task.name == "stereo" else "character error rate, %"
    noise = np.sqrt(np.mean(np.square(apart)) / 2)
    return "\n\n".join(
        [
            markdown([task.name, unit, "MFLOPs", "thousand parameters", "CPU s of a training"], told),
            f"Two trainings of one network from different seeds: standard deviation {noise:.3f}. A search takes "
            f"{np.mean([row['seconds'] for row in each['search']]):.0f} CPU seconds, and at its cost "
            f"{np.mean([len(own) for own in randoms]):.1f} random networks are trained.",
        ]
    )


def main() -> None:
    """Measure what is missing, write, print."""
    one_thread()
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rows, tasks = Rows(), [make("benchmark", name) for name in ("stereo", "textline")]
    for seed in range(seeds):
        for task in tasks:
            compared(rows, task, seed)
    parts = [
        "## Two-stage task spaces",
        f"Data made by `tierwise.tasks`, see [two_stage_tasks.md](two_stage_tasks.md); {seeds} seeds of search and "
        "training, mean ± standard deviation, errors on the test part. Equal cost is in CPU seconds, search and "
        "training of what it found against trainings of random networks. Text lines: within "
        f"{LIMITS['textline'] / 1e6:g} million FLOPs. Made by `bench/two_stage_tasks.py`.",
        *(table(rows, task, seeds) for task in tasks),
    ]
    publish("two-stage-tasks", {"seeds": seeds, "limits": LIMITS["textline"]}, "\n\n".join(parts))


if __name__ == "__main__":
    main()
