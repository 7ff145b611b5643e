"""How a search is doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.metrics import kendall_tau
from tierwise.navigator.population import PopulationFacts
from tierwise.navigator.record import Best

FEWEST_PAIRS = 10  # predictions and results that tell how well they agree
MOST_PAIRS = 300  # the latest that count
DRAWN, SHARE = 200, 0.95  # of the bootstrap
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PredictorFacts:
    """Who predicts, from how many labels; tau of predictions made before the result was known, with its interval."""

    name: str
    labels: int
    tau: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class State:
    """total: evaluations aimed at, None where nobody has said. rate: results an hour. seconds: spent on evaluations.
    rev: steering rows. error: why the study file can not be read any more.
    """

    driving: bool
    can_start: bool
    paused: bool
    stopped: bool
    finished: int
    running: int
    proposed: int
    failed: int
    total: int | None
    best: Best | None
    rate: float | None
    seconds_left: float | None
    seconds: float
    predictor: PredictorFacts | None
    rev: int
    population: PopulationFacts
    error: str | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's tau of predictions made beforehand and results, after so many results."""

    finished: int
    tau: float


def pairs(before: Mapping[int, float], done: NDArray[np.int64], y: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """How many results there were at each trial whose prediction is known, (k) predictions and results."""
    kept = [
        (place + 1, before[k], y[place]) for place, k in enumerate(done.tolist()) if np.isfinite(before.get(k, np.nan))
    ]
    table = np.array(kept, dtype=np.float64).reshape(len(kept), 3)
    return table[:, 0].astype(np.int64), table[:, 1], table[:, 2]


def agreement(predicted: Floats, y: Floats, seed: int) -> tuple[float, float, float] | None:
    """Tau over the latest pairs, and the interval of its bootstrap (Efron, "Bootstrap Methods", 1979)."""
    predicted, y = predicted[-MOST_PAIRS:], y[-MOST_PAIRS:]
    if len(y) < FEWEST_PAIRS or not np.ptp(predicted) or not np.ptp(y):
        return None
    one, other = (np.sign(np.subtract.outer(values, values)) for values in (predicted, y))
    weights = (
        np.random.default_rng(seed).multinomial(len(y), np.full(len(y), 1 / len(y)), size=DRAWN).astype(np.float64)
    )

    def total(table: Floats) -> Floats:
        return ((weights @ table) * weights).sum(1)

    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = total(one * other) / np.sqrt(total(one * one) * total(other * other))
    low, high = np.nanquantile(drawn, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return kendall_tau(predicted, y), float(low), float(high)


def agreements(
    at: NDArray[np.int64], predicted: Floats, y: Floats, window: int = 50, most: int = 60
) -> list[Agreement]:
    """Tau over a moving window, at no more than so many places."""
    step, found = max(1, len(at) // most), list[Agreement]()
    for end in range(FEWEST_PAIRS, len(at) + 1, step):
        part = slice(max(0, end - window), end)
        if np.ptp(predicted[part]) and np.ptp(y[part]):
            found.append(Agreement(int(at[end - 1]), kendall_tau(predicted[part], y[part])))
    return found


def predictor_facts(
    name: str, labels: int, before: Any, done: NDArray[np.int64], y: Floats, seed: int
) -> PredictorFacts:
    """before: what was predicted of trials before their results, by position."""
    _, predicted, told = pairs(before, done, y)
    found = agreement(predicted, told, seed)
    tau, low, high = (None, None, None) if found is None else found
    return PredictorFacts(name, labels, tau, low, high)
