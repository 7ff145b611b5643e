"""One evaluation as a worker process sees it."""

from __future__ import annotations

import contextlib
import inspect
import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, SupportsFloat, cast

import numpy as np
from numpy.typing import NDArray

from tierwise import trial_folder
from tierwise.architecture import Architecture
from tierwise.errors import BadSetting

LONGEST_ERROR = 20_000  # characters of a traceback that the study keeps: its end


@dataclass(frozen=True, slots=True)
class Job:
    """What an evaluator is told beside the architecture.

    trial: row of the study. seed: of this evaluation, from study seed and trial alone.
    attempt: 1, or more after a crash. budget: of a cheap evaluation, such as its epochs; 0 asks for the full one.
    folder: of this trial, made when something is first written; None for a study in memory, which keeps nothing.
    """

    trial: int
    seed: int
    attempt: int = 1
    budget: int = 0
    folder: Path | None = None

    def report(self, step: int, **metrics: float) -> None:
        """One step of the learning curve, such as an epoch; see ``Study.curve``. Raises Superseded."""
        if self.folder is not None:
            trial_folder.claim(self.folder, self.attempt)
            trial_folder.add_to_curve(self.folder, step, metrics)

    def save(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Arrays by name, from which an attempt after a crash goes on; the last ones count. Raises Superseded."""
        if self.folder is not None:
            trial_folder.claim(self.folder, self.attempt)
            trial_folder.save_checkpoint(self.folder, state)

    def restore(self) -> dict[str, NDArray[Any]] | None:
        """What an earlier attempt saved last, None if nothing was saved. Raises BadSetting, Superseded."""
        if self.folder is None or not self.folder.exists():
            return None
        trial_folder.claim(self.folder, self.attempt)
        return trial_folder.load_checkpoint(self.folder)


class Evaluator(Protocol):
    """Any function of an architecture and a job, giving numbers by name; one argument is enough.

    A metric called ``seconds`` drives the clock of the study (a table's recorded training time).
    NaN means not measured. It may have ``many(archs, seeds) -> name -> (n,) column`` for whole batches (with a third
    argument ``budget`` for cheap ones), ``budgets`` (which cheap ones it has; without it any is asked for),
    ``known(name, archs) -> (n,) | None`` for costs known before any evaluation, ``space``, and ``for_space(space)``,
    the evaluator for a space that a study gives it.
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


def evaluate(evaluator: Callable[..., Any], arch: Architecture, job: Job, objective: str) -> Outcome:
    """Run one evaluation; whatever it raises becomes the outcome's error."""
    started, clock = time.time(), time.perf_counter()
    metrics, trace = dict[str, float](), None
    try:
        metrics = as_metrics(call(evaluator, arch, job), objective)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a failing evaluation is a row, whatever a stranger's function raises
        trace = error_text(error)
    outcome = Outcome(metrics, trace, started, started + time.perf_counter() - clock)
    if job.folder is not None and trace is None and job.folder.exists():  # it was no look-up in a table
        with contextlib.suppress(OSError):  # the driver hears of it all the same
            timing = {"started": outcome.started, "ended": outcome.ended}
            trial_folder.keep_result(job.folder, {**_identity(arch, job), "metrics": metrics, **timing})
    return outcome


def _identity(arch: Architecture, job: Job) -> dict[str, Any]:
    return {"architecture": str(arch), "seed": job.seed, "budget": job.budget}


def earlier_outcome(arch: Architecture, job: Job, objective: str) -> Outcome | None:
    """The result that a worker left behind after its driver had died."""
    kept = None if job.folder is None else trial_folder.kept_result(job.folder, _identity(arch, job))
    if kept is None or objective not in kept["metrics"]:
        return None
    return Outcome(kept["metrics"], None, kept["started"], kept["ended"])


def call(evaluator: Callable[..., Any], arch: Architecture, job: Job) -> Any:
    """``f(arch, job)``, ``f(arch, ..., job=job)`` or ``f(arch)``, as the function is made."""
    needed, by_name = arguments(evaluator)
    if needed > 1:
        return evaluator(arch, job)
    return evaluator(arch, job=job) if by_name else evaluator(arch)


def error_text(error: BaseException) -> str:
    """The end of the traceback, in characters that every file can hold."""
    trace = "".join(traceback.format_exception(error, limit=-5)).strip()
    return trace[-LONGEST_ERROR:].encode(errors="backslashreplace").decode()


def as_metrics(result: object, objective: str) -> dict[str, float]:
    """Numbers by name, the objective among them; NaN of any other is left out. Raises BadSetting."""
    if isinstance(result, SupportsFloat):
        result = {objective: result}
    if not isinstance(result, Mapping):
        raise BadSetting("result of the evaluator", type(result).__name__, "a number, or numbers by name")
    metrics: dict[str, float] = {}
    for name, value in cast(Mapping[Any, Any], result).items():
        number = _number(f"metric {name}", value)
        if name == objective or not math.isnan(number):
            metrics[str(name)] = number
    if objective not in metrics:
        raise BadSetting("result of the evaluator", sorted(metrics), f"metrics with {objective!r} among them")
    for name, number in metrics.items():
        if not math.isfinite(number) or (name == "seconds" and number < 0):
            raise BadSetting(f"metric {name}", number, "a finite number; seconds 0 or more")
    return metrics


def _number(name: str, value: object) -> float:
    try:
        if isinstance(value, SupportsFloat):
            return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadSetting(name, type(value).__name__, f"one number ({error})") from error
    raise BadSetting(name, value, "a number")


def arguments(function: Callable[..., Any]) -> tuple[int, bool]:
    """How many positional arguments a function needs, and whether one is called ``job``."""
    try:
        parameters = inspect.signature(function).parameters
    except (ValueError, TypeError):  # built-in functions do not say
        return 1, False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters.values()):
        return 2, False
    needed = sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters.values())
    return needed, "job" in parameters


def check_evaluator(function: object) -> None:
    """Raises BadSetting for what can never be an evaluator, before anything is evaluated."""
    if not callable(function) or isinstance(function, type):
        raise BadSetting("evaluator", function, "a function of an architecture, or of an architecture and a job")
    needed, _ = arguments(function)
    if needed not in (1, 2):
        raise BadSetting("evaluator", f"{function!r} of {needed} arguments", "f(arch) or f(arch, job)")


def check_budget(evaluator: Callable[..., Any], budget: int) -> None:
    """Raises BadSetting for a cheap evaluation that the evaluator has not, or would answer by a full one."""
    if not budget:
        return
    needed, by_name = arguments(evaluator)
    if needed < 2 and not by_name:
        allowed = "0, a full evaluation, of a function of the architecture alone; f(arch, job) may heed job.budget"
        raise BadSetting("budget", budget, allowed)
    budgets = getattr(evaluator, "budgets", None)
    if budgets is not None and budget not in budgets:
        named = ", ".join(map(str, budgets)) or "none: every evaluation of it is a full one"
        raise BadSetting("budget", budget, f"what the evaluator has, {named}")
