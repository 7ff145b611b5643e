"""What the next proposal of `auto` costs, by the number of trials known; and a whole search. CPU seconds, which on one
thread are those of the clock.

A first ask fits everything anew, as after a restart; the following ones start from what is remembered.

    python bench/speed_search.py
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from stopwatch import DATA, markdown, one_thread, publish

from tierwise import Architectures, Study, make
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.strategies import auto

KNOWN = (25, 50, 100, 150, 300, 600)
ASKS = 3  # after the first one
TRIALS = 150


def study_of(space: Any, archs: Architectures, accuracy: Any) -> Study:
    """A study that knows these results."""
    study = Study(None, space, "auto", seed=0)
    study.include(archs, accuracy, "table")
    return study


def asks(study: Study) -> tuple[float, float]:
    """CPU seconds of a first ask, and the mean of the next ones."""
    auto._chosen.cache_clear()  # as in a new process
    seconds: list[float] = []
    for _ in range(1 + ASKS):
        start = time.process_time()
        (trial,) = study.ask(1)
        seconds.append(time.process_time() - start)
        study.tell(trial, float(np.median(study.history().done.y)))
    return seconds[0], float(np.mean(seconds[1:]))


def nasbench201() -> dict[int, tuple[float, float]]:
    """Trials known -> CPU seconds of an ask over 15,625 cells."""
    data = make("benchmark", "nasbench201")
    cells, accuracy = data.space.enumerate(), data.expected("accuracy")
    order = np.random.default_rng(0).permutation(len(cells))
    order = order[np.sort(np.unique(data.space.canonical(cells[order]), return_index=True)[1])]  # each network once

    def known(n: int) -> tuple[float, float]:
        return asks(study_of(data.space, cells[order[:n]], accuracy[order[:n]]))

    known(KNOWN[0])  # the encodings learn a space once in a process, whatever the search
    return {n: known(n) for n in KNOWN}


def nasbench101() -> tuple[float, float]:
    """CPU seconds of an ask over 423,624 cells with 150 trials known."""
    with np.load(DATA / "nb101.npz", allow_pickle=False) as arrays:
        rows, accuracy = arrays["labelled_space_index"], arrays["labelled_val108"]
    drawn = np.random.default_rng(0).permutation(len(rows))[:TRIALS]
    space = NASBench101()
    return asks(study_of(space, space.at(rows[drawn]), accuracy[drawn]))


def whole(batch: int) -> float:
    """CPU seconds of a search of 150 evaluations."""
    data = make("benchmark", "nasbench201")
    auto._chosen.cache_clear()
    start = time.process_time()
    with Study(None, data.space, "auto", data, seed=0) as study:
        study.run(TRIALS, batch=batch)
    return time.process_time() - start


def main() -> None:
    one_thread()
    small, large = nasbench201(), nasbench101()
    searches = {batch: whole(batch) for batch in (1, 10)}
    growth = small[600][0] / small[150][0]
    rows = [[f"NAS-Bench-201, {n} known", *(f"{s:.2f}" for s in small[n])] for n in KNOWN]
    rows.append([f"NAS-Bench-101 (423,624 cells), {TRIALS} known", *(f"{s:.2f}" for s in large)])
    text = "\n\n".join(
        [
            "## What a proposal of `auto` costs",
            "CPU seconds. The first ask of a process fits everything anew; four times as many trials cost "
            f"**{growth:.1f} times** as much. A whole search of {TRIALS} evaluations takes {searches[1]:.0f} s one by "
            f"one and {searches[10]:.0f} s in batches of 10. Made by `bench/speed_search.py`.",
            markdown(["CPU seconds for one proposal", "first ask", "later asks, mean"], rows),
        ]
    )
    content = {"nasbench201": small, "nasbench101": large, "search": searches}
    publish("speed-search", content, text)


if __name__ == "__main__":
    main()
