"""One evaluation as a worker process sees it."""

from __future__ import annotations

import inspect
import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from tierwise.architecture import Architecture
from tierwise.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Job:
    """What an evaluator is told beside the architecture.

    trial: row of the study. seed: of this evaluation, from study seed and trial alone. attempt: 1, or more after a crash.
    """

    trial: int
    seed: int
    attempt: int = 1


class Evaluator(Protocol):
    """Any function of an architecture and a job, giving numbers by name; one argument is enough.

    A metric called ``seconds`` drives the clock of the study (a table's recorded training time).
    It may have ``many(archs, seeds) -> name -> (n,) column`` for whole batches, ``known(name, archs) -> (n,) | None``
    for costs known before any evaluation, and ``space``.
    """

    def __call__(self, arch: Architecture, job: Job) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """Metrics, or the error of a failed evaluation; and when it ran (seconds since the epoch)."""

    metrics: dict[str, float]
    error: str | None
    started: float
    ended: float


def job_seed(study_seed: int, trial: int) -> int:
    """The seed of an evaluation: the same on every machine and in every order."""
    return int(np.random.SeedSequence([study_seed, trial]).generate_state(1)[0])


def evaluate(evaluator: Callable[..., Mapping[str, Any]], arch: Architecture, job: Job, objective: str) -> Outcome:
    """Run one evaluation; whatever it raises becomes the outcome's error."""
    started = time.time()
    try:
        result = evaluator(arch, job) if arguments(evaluator) > 1 else evaluator(arch)
        metrics = as_metrics(result, objective)
    except Exception as error:  # noqa: BLE001  a failing evaluation is a row, whatever a stranger's function raises
        trace = "".join(traceback.format_exception(error, limit=-5))
        return Outcome({}, trace.strip(), started, time.time())
    return Outcome(metrics, None, started, time.time())


def as_metrics(result: object, objective: str) -> dict[str, float]:
    """Numbers by name, the objective among them and finite. Raises BadSetting."""
    if isinstance(result, int | float | np.number):
        result = {objective: result}
    if not isinstance(result, Mapping):
        raise BadSetting("result of the evaluator", type(result).__name__, "a number, or numbers by name")
    metrics = {str(name): float(value) for name, value in cast(Mapping[Any, Any], result).items()}
    if objective not in metrics:
        raise BadSetting("result of the evaluator", sorted(metrics), f"metrics with {objective!r} among them")
    if not math.isfinite(metrics[objective]):
        raise BadSetting(f"metric {objective}", metrics[objective], "a finite number")
    return metrics


def arguments(function: Callable[..., Any]) -> int:
    """How many positional arguments a function takes: 1 for f(arch), 2 for f(arch, job)."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return 2
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters)
