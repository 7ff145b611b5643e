"""What predictors cost in seconds and memory, each work in a process of its own, all in one run.

1. `auto`: fit on 156 labels and rank all of NAS-Bench-201; rank all 423,624 cells of NAS-Bench-101 with standard
   deviations; learn from 5,000 labels and rank a sixteenth of these cells.
2. `auto` with five labels more, against a new fit; `tier` and `nar` on the same cells.

    python bench/speed_predictors.py
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from stopwatch import DATA, markdown, one_thread, publish

from tierwise import make
from tierwise.spaces.nasbench101 import NASBench101

LABELS, MORE, MANY = 156, 5, 5_000
PART = 16  # of NAS-Bench-101, one cell in so many is ranked after 5,000 labels
EPOCHS, PUBLISHED_EPOCHS = 3, 55  # of nar: run here, and those of a whole fit
Costs = dict[str, float]


def timed(work: Callable[[], object]) -> Costs:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def cells201(labels: int) -> tuple[Any, Any, Any]:
    """Every cell of NAS-Bench-201, rows of labelled ones, and the labels of all."""
    data = make("benchmark", "nasbench201", dataset="cifar10")
    cells = data.space.enumerate()
    return cells, np.random.default_rng(0).permutation(len(cells))[:labels], data.metrics["accuracy"]


def cells101(labels: int) -> tuple[Any, Any, Any]:
    """Every cell of NAS-Bench-101, labelled ones, and their labels."""
    with np.load(DATA / "nb101.npz", allow_pickle=False) as arrays:
        rows, accuracy = arrays["labelled_space_index"], arrays["labelled_val108"]
    drawn = np.random.default_rng(0).permutation(len(rows))[:labels]
    space = NASBench101()
    return space.enumerate(), space.at(rows[drawn]), accuracy[drawn]


def nasbench201(name: str, **settings: Any) -> dict[str, Costs]:
    """Fit on 156 labels, rank 15,625 cells."""
    cells, drawn, accuracy = cells201(LABELS)
    predictor = make("predictor", name, seed=0, **settings)
    fitted = timed(lambda: predictor.fit(cells[drawn], accuracy[drawn]))
    return {"fit": fitted, "rank": timed(lambda: predictor.predict(cells))}


def nasbench101(name: str, labels: int, part: int = 1) -> dict[str, Costs]:
    """Fit, and rank every cell, or one in `part`, with standard deviations."""
    cells, known, accuracy = cells101(labels)
    predictor = make("predictor", name, seed=0)
    fitted = timed(lambda: predictor.fit(known, accuracy))
    return {"fit": fitted, "rank": timed(lambda: predictor.predict(cells[::part], return_std=True))}


def more_labels() -> dict[str, Costs]:
    """Five labels beside 156, against a fit on all of them."""
    cells, drawn, accuracy = cells201(LABELS + MORE)
    old, new, both = drawn[:LABELS], drawn[LABELS:], make("predictor", "auto", seed=0)
    predictor = make("predictor", "auto", seed=0).fit(cells[old], accuracy[old])
    again = timed(lambda: both.fit(cells[drawn], accuracy[drawn]))
    return {"fit": again, "partial_fit": timed(lambda: predictor.partial_fit(cells[new], accuracy[new]))}


WORKS: dict[str, Callable[[], dict[str, Costs]]] = {
    "auto: 156 labels, 15,625 cells": lambda: nasbench201("auto"),
    "auto: 156 labels, 423,624 cells, with standard deviations": lambda: nasbench101("auto", LABELS),
    f"auto: 5,000 labels, {423_624 // PART + 1:,} cells, with standard deviations": lambda: nasbench101(
        "auto", MANY, PART
    ),
    "tier: 156 labels, 15,625 cells": lambda: nasbench201("tier"),
    "tier: 156 labels, 423,624 cells, with standard deviations": lambda: nasbench101("tier", LABELS),
    f"nar: 156 labels, {EPOCHS} of {PUBLISHED_EPOCHS} epochs, 15,625 cells": lambda: nasbench201("nar", epochs=EPOCHS),
    "auto: five labels more than 156": more_labels,
}


def alone(work: str) -> dict[str, Any]:
    """Its seconds and the peak memory (MB) of its process."""
    done = subprocess.run([sys.executable, __file__, "--work", work], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(measured: dict[str, dict[str, Any]], load: float) -> None:
    """Publish seconds, memory and ratios."""
    refit = measured["auto: five labels more than 156"]
    ratio = refit["fit"]["cpu"] / refit["partial_fit"]["cpu"]
    auto, nar = (
        next(each for name, each in measured.items() if name.startswith(f"{kind}:")) for kind in ("auto", "nar")
    )
    scaled = nar["fit"]["cpu"] * PUBLISHED_EPOCHS / EPOCHS
    rows = [
        [
            name,
            *(f"{each[step][kind]:.1f}" for step in list(each)[:2] for kind in ("wall", "cpu")),
            f"{each['mb']:,.0f}",
        ]
        for name, each in measured.items()
        if each is not refit
    ]
    text = [
        "## Speed of predictors",
        f"On {os.cpu_count()} cores with a load of {load:.1f} when it began. Every row is a process of its own.",
        markdown(["work", "fit, s", "fit, CPU s", "rank, s", "rank, CPU s", "peak memory, MB"], rows),
        f"Five labels more: `auto.partial_fit` takes 1/{ratio:.1f} of the CPU time of a new fit. A whole fit of `nar` "
        f"at its published sizes, scaled from {EPOCHS} epochs to {PUBLISHED_EPOCHS}, takes {scaled:.0f} CPU seconds, "
        f"**{scaled / auto['fit']['cpu']:.0f} times** those of `auto`. Made by `bench/speed_predictors.py`.",
    ]
    content = {"load_before": load, "costs": measured, "fit_to_partial_fit": ratio, "nar_fit_cpu_scaled": scaled}
    publish("speed-predictors", content, "\n\n".join(text))


def main() -> None:
    """Measure, write, print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", choices=WORKS, help="measure this alone, and print it as JSON")
    work = parser.parse_args().work
    if work:
        costs = WORKS[work]()
        print(json.dumps({**costs, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    elif not (DATA / "nb101.npz").is_file():
        sys.exit("this benchmark needs the labels of nb101.npz in the folder TIERWISE_DATA names")
    else:
        load = os.getloadavg()[0]
        report({name: alone(name) for name in WORKS}, load)


if __name__ == "__main__":
    main()
