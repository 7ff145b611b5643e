"""What the supernet of a region costs, against the number of stages and of candidates, beside training every path.

CPU seconds of an epoch on one thread, the mean of the ten that a region has (``equal`` looks at its candidates after
the last), all candidates of equal size, least of a few. The exponent is the slope of the logarithm of the cost over
that of the number.

    python bench/speed_fade.py
"""

from __future__ import annotations

import time

import numpy as np
from fade_regions import ACTIVATIONS, CLASSES, VERTICES, digits
from stopwatch import markdown, one_thread, publish

from tierwise.evaluators.fit import Alone, Fit
from tierwise.evaluators.recipe import Recipe
from tierwise.registry import make
from tierwise.spaces import dags
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.supernets.region import Region
from tierwise.supernets.search import search
from tierwise.supernets.stages import supernet

STAGES, CANDIDATES = (1, 2, 3, 4, 5, 6), (2, 3, 4, 5, 6, 7, 8)
TIMES, EPOCHS = 3, 10
RECIPE = Recipe(epochs=1, batch=50, rate=0.02)
SETTINGS = {"equal": {}, "one_level": {"warmup": 0.0}, "fair": {"warmup": 0.0}}


def region(stages: int, candidates: int) -> Region:
    """Candidates of one width with five operations each."""
    space = Stages("equal", VERTICES, [StageOptions(16, (8,), ("linear",), ACTIVATIONS[:2])] * stages)
    masks = dags.classes(VERTICES)
    masks = masks[dags.wiring(masks, VERTICES)[:, 1:].sum((1, 2)) == 5]
    rows = np.zeros((candidates, 9), np.int16)
    rows[:, :6] = dags.bits(np.resize(masks, candidates), VERTICES)
    rows[:, -1] = np.arange(candidates) >= len(masks)
    return Region(space, [rows] * stages)


def of_supernet(chosen: Region, optimiser: str) -> float:
    """CPU seconds of an epoch of everything."""
    data, spent = digits(), list[float]()
    for _ in range(TIMES):
        net = supernet(chosen, shape=data.train.shape, classes=CLASSES, batch=RECIPE.batch)
        start = time.process_time()
        search(net, data, make("optimiser", optimiser, **SETTINGS[optimiser]), epochs=EPOCHS, recipe=RECIPE)
        spent.append((time.process_time() - start) / EPOCHS)
    return min(spent)


def of_path(chosen: Region) -> float:
    """CPU seconds of one epoch of one network alone."""
    data, spent = digits(), list[float]()
    for _ in range(TIMES):
        net = supernet(chosen, shape=data.train.shape, classes=CLASSES, batch=RECIPE.batch)
        fit = Fit(Alone(net.discrete([0] * len(chosen.counts))), [0], RECIPE, 1, "cpu")
        start = time.process_time()
        fit.epoch(0, data.train)
        spent.append(time.process_time() - start)
    return min(spent)


def exponent(numbers: tuple[int, ...], seconds: list[float]) -> float:
    """The slope of the logarithms."""
    return float(np.polyfit(np.log(numbers), np.log(seconds), 1)[0])


def main() -> None:
    """Measure, write the results, print the section."""
    one_thread()
    alone = {d: of_path(region(d, 2)) for d in STAGES}
    deep = {name: [of_supernet(region(d, 4), name) for d in STAGES] for name in SETTINGS}
    wide = {name: [of_supernet(region(3, m), name) for m in CANDIDATES] for name in SETTINGS}
    slopes = {name: [exponent(STAGES, deep[name]), exponent(CANDIDATES, wide[name])] for name in SETTINGS}
    rows = [
        [f"{d} x 4", *(f"{deep[name][k]:.3f}" for name in SETTINGS), f"{4**d * alone[d]:.2f}",
         f"{4**d * alone[d] / deep['equal'][k]:.1f}"]
        for k, d in enumerate(STAGES)
    ]  # fmt: skip
    rows += [
        [f"3 x {m}", *(f"{wide[name][k]:.3f}" for name in SETTINGS), f"{m**3 * alone[3]:.2f}",
         f"{m**3 * alone[3] / wide['equal'][k]:.1f}"]
        for k, m in enumerate(CANDIDATES)
    ]  # fmt: skip
    header = ["stages x candidates", *(f"{name}, s" for name in SETTINGS), "every path alone, s", "ratio to equal"]
    told = "; ".join(f"{name}: {d:.2f} by stages, {m:.2f} by candidates" for name, (d, m) in slopes.items())
    text = (
        "## Speed: the supernet of a region\n\nCPU seconds of an epoch on 1,000 digits, mean of ten. Fitted exponents "
        f"of the cost: {told}.\n\n{markdown(header, rows)}\n\n`python bench/speed_fade.py`\n"
    )
    figures = {"alone": alone, "by stages": deep, "by candidates": wide, "exponents": slopes}
    publish("speed-fade", figures, text)


if __name__ == "__main__":
    main()
