"""Studies of NAS-Bench-201's space with made-up results: the space needs no data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.small_spaces import Flat
from tierwise import Study, make
from tierwise.architecture import Architecture
from tierwise.navigator import Navigator
from tierwise.navigator.scoring import Scores

Start = Callable[..., Navigator]
WORTH = (-3.0, 0.5, 2.0, 3.0, 1.0)  # none, skip, conv 1x1, conv 3x3, pool


def made_up(arch: Architecture) -> float:
    """An accuracy in percent: convolutions are good, dead edges are bad."""
    return 70 + sum(WORTH[gene] * (1 + place / 10) for place, gene in enumerate(arch.genes))


def _worths() -> np.ndarray:
    """(options, choices) the same as a table."""
    return np.outer(WORTH, 1 + np.arange(6) / 10)


@pytest.fixture
def start() -> Iterator[Start]:
    """A navigator of a study in memory, with so many results; space: another one."""
    opened: list[Navigator] = []

    def begin(results: int = 40, space: str = "nasbench201", **settings: object) -> Navigator:
        chosen = Flat() if space == "flat" else make("space", space)
        evaluator = made_up if space == "nasbench201" else (lambda arch: float(sum(arch.genes)))
        study = Study(None, chosen, "random", evaluator, seed=3, **settings)  # pyright: ignore[reportArgumentType]
        if results:
            study.run(results)
        opened.append(Navigator(study))
        return opened[-1]

    yield begin
    for navigator in opened:
        navigator.close()
        navigator.study.close()


def foretell(navigator: Navigator) -> np.ndarray:
    """Give a navigator the predictions of a perfect predictor; these."""
    score = _worths()[navigator.population.archs.genes, np.arange(6)].sum(1) + 70
    edges = np.quantile(score, (0.8, 0.6, 0.4, 0.2))
    tier = (edges[None, :] > score[:, None]).sum(1).astype(np.uint8)
    navigator.predictions.scores = Scores(score, np.full(len(score), 0.5), tier, edges, "perfect", 40)
    navigator._predicted()
    navigator._snapshot = None
    return score
