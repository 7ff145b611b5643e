"""Training small networks together in one program, against one after the other on the same core; and what an executor
adds to an evaluation.

CPU seconds on one thread, each pair in one run, alternating.

    python bench/speed_training.py
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from stopwatch import markdown, one_thread, publish

from tierwise import Architecture, Job, Study, load_space, make
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train

NETWORKS, EPOCHS, TIMES = 32, 8, 1
EVALUATIONS = 200
CELLS = {
    "kind": "edges", "nodes": 4, "ops": ["none", "skip", "conv1x1", "conv3x3", "avg_pool3x3"], "zero": "none",
    "identity": "skip", "network": {"stages": [{"cells": 1, "channels": 8, "size": 8}]},
}  # fmt: skip
UNITS = {"op": ["linear"], "activation": ["relu", "gelu", "tanh"], "channels": 24, "repeat": 2}
ACTIVATIONS = {"kind": "chain", "layers": [UNITS]}
WIDTHS = {"kind": "sizes", "stages": [{"widths": [16, 32], "depths": [1, 2]}]}
KERNELS = {
    "kind": "chain",
    "layers": [
        {"op": ["conv"], "kernel": [1, 3], "channels": 8},
        {"op": ["conv"], "kernel": [1, 3], "channels": [4, 8]},
    ],
}


def digits(vectors: bool) -> tuple[Any, Any]:
    """1,797 real handwritten digits of 8 x 8."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x if vectors else x.reshape(-1, 1, 8, 8)), y


def compared(declared: dict[str, Any], vectors: bool, batch: int) -> tuple[float, float, float]:
    """CPU seconds of `NETWORKS` trainings together and alone, and the mean difference of their accuracies."""
    space = load_space({"name": "timed", **declared})
    recipe = Recipe(epochs=EPOCHS, batch=batch, rate=0.02)
    data = digits(vectors)
    together = Train(data, 10, recipe=recipe, together=NETWORKS, space=space)
    alone = Train(data, 10, recipe=recipe, space=space)
    archs, seeds = space.sample(NETWORKS, np.random.default_rng(0)), list(range(NETWORKS))
    spent = np.zeros((TIMES, 2))
    accuracy = np.zeros((2, NETWORKS))
    for k in range(TIMES):
        start = time.process_time()
        accuracy[0] = together.many(archs, seeds)["accuracy"]
        spent[k, 0] = time.process_time() - start
        start = time.process_time()
        accuracy[1] = [alone(arch, Job(1, seed))["accuracy"] for arch, seed in zip(archs, seeds, strict=True)]
        spent[k, 1] = time.process_time() - start
    best = spent.min(0)
    return float(best[0]), float(best[1]), float(np.abs(accuracy.mean(1) @ [1, -1]))


def nothing(arch: Architecture, job: Job) -> float:
    """An evaluation that takes no time."""
    return float(sum(arch.genes))


def overhead(executor: str) -> tuple[float, float]:
    """Seconds of the clock until the first result, and milliseconds of each further evaluation, two at once."""
    engine, space = make("executor", executor, workers=1 if executor == "inline" else 2), make("space", "nasbench201")
    try:
        with Study(None, space, "random", nothing) as study:
            start = time.perf_counter()
            study.run(2, executor=engine)
            first = time.perf_counter() - start
            start = time.perf_counter()
            study.run(2 + EVALUATIONS, executor=engine)
            return first, 1e3 * (time.perf_counter() - start) / EVALUATIONS
    finally:
        engine.shutdown()


def main() -> None:
    """Measure, write the results, print the section."""
    one_thread()
    cases = {
        "two layers of 24 units, 3 activations, 64 numbers": (ACTIVATIONS, True),
        "layers of 16 or 32 units, 64 numbers": (WIDTHS, True),
        "convolutions of 4 or 8 channels, 8 x 8": (KERNELS, False),
        "cells of 8 channels, 6 edges, 5 operations, 8 x 8": (CELLS, False),
    }
    rows, figures = list[list[str]](), dict[str, Any]()
    for name, (space, vectors) in cases.items():
        for batch in (16, 64):
            together, alone, apart = compared(space, vectors, batch)
            figures[f"{name}, batch {batch}"] = {"together": together, "alone": alone, "accuracy apart": apart}
            rows.append(
                [name, str(batch), f"{together:.2f}", f"{alone:.2f}", f"**{alone / together:.1f}**", f"{apart:.2f}"]
            )
    engines = {executor: overhead(executor) for executor in ("inline", "local", "ray")}
    header = ["networks", "batch", "together, s", "alone, s", "ratio", "mean accuracy apart"]
    text = [
        "## Speed: training\n",
        f"{NETWORKS} networks of {EPOCHS} epochs on 1,797 digits, CPU seconds on one core. "
        "Together is `Train(together=32)`. It pays where calling operations takes longer than computing them.\n",
        markdown(header, rows),
        f"\nWhat an executor adds to an evaluation that does nothing, {EVALUATIONS} of them, two at once:\n",
        markdown(
            ["executor", "first result after, s", "each further one, ms"],
            [[name, f"{first:.2f}", f"{each:.1f}"] for name, (first, each) in engines.items()],
        ),
        "\n`python bench/speed_training.py`\n",
    ]
    publish("speed-training", {"training": figures, "executors": engines}, "\n".join(text))


if __name__ == "__main__":
    main()
