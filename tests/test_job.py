"""One evaluation: how a function is called, what it may give back, and what becomes of everything else."""

from __future__ import annotations

import functools
import sqlite3
from decimal import Decimal

import numpy as np
import pytest

from tierwise.architecture import Architecture
from tierwise.errors import BadSetting
from tierwise.job import LONGEST_ERROR, Job, as_metrics, check_budget, check_evaluator, evaluate, job_seed

ARCH = Architecture("tiny", (1, 2, 3))
JOB = Job(trial=3, seed=9)


class Callable:
    def __call__(self, arch, job):
        return {"accuracy": job.seed}


class OneArgument:
    def evaluate(self, arch):
        return 9.0


def three(arch, job, more):
    return 1.0


FORMS = {
    "one argument": lambda arch: 9,
    "two arguments": lambda arch, job: job.seed,
    "any arguments": lambda *given: given[1].seed,
    "a job by name": lambda arch, epochs=12, *, job: job.seed,
    "a job with a default": lambda arch, job=None: job.seed,
    "a setting with a default is not a job": lambda arch, epochs=9: epochs,
    "callable object": Callable(),
    "bound method": OneArgument().evaluate,
    "partial": functools.partial(lambda scale, arch, job: scale * job.seed, 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_function_is_called_as_it_is_made(form: str):
    check_evaluator(FORMS[form])
    outcome = evaluate(FORMS[form], ARCH, JOB, "accuracy")
    assert (outcome.error, outcome.metrics) == (None, {"accuracy": 9.0})
    assert outcome.ended >= outcome.started > 1e9


@pytest.mark.parametrize("wrong", [None, 3, "module:f", three, lambda: 1, Callable])
def test_what_can_never_be_called_is_refused_beforehand(wrong):
    with pytest.raises(BadSetting, match="architecture|f\\(arch\\)"):
        check_evaluator(wrong)


@pytest.mark.parametrize("form", FORMS)
def test_a_cheap_evaluation_needs_a_function_that_is_told_of_it(form: str):
    check_budget(FORMS[form], 0)
    if form in ("one argument", "a setting with a default is not a job", "bound method"):
        with pytest.raises(BadSetting, match="budget = 12.*job.budget"):
            check_budget(FORMS[form], 12)
    else:
        check_budget(FORMS[form], 12)


@pytest.mark.parametrize(("budgets", "said"), [((4, 36), "has, 4, 36"), ((), "none: every evaluation")])
def test_a_cheap_evaluation_that_is_not_offered_is_refused(budgets, said):
    def evaluator(arch, job):
        return 1.0

    evaluator.budgets = budgets
    with pytest.raises(BadSetting, match=said):
        check_budget(evaluator, 12)
    for budget in (0, *budgets):
        check_budget(evaluator, budget)


@pytest.mark.parametrize(
    ("result", "metrics"),
    [
        (1, {"accuracy": 1.0}),
        (True, {"accuracy": 1.0}),
        (np.float32(0.5), {"accuracy": 0.5}),
        (np.array(0.25), {"accuracy": 0.25}),
        (Decimal("0.5"), {"accuracy": 0.5}),
        ({"accuracy": np.int16(3), "loss": 2}, {"accuracy": 3.0, "loss": 2.0}),
        ({"accuracy": 1.0, "loss": float("nan")}, {"accuracy": 1.0}),
    ],
)
def test_numbers_of_every_kind(result, metrics):
    assert as_metrics(result, "accuracy") == metrics


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (None, "NoneType"),
        ("0.9", "'str'"),
        ([0.9], "'list'"),
        ({}, "'accuracy' among them"),
        ({"loss": 1.0}, "'accuracy' among them"),
        ({"accuracy": None}, "metric accuracy = None"),
        ({"accuracy": "0.9"}, "metric accuracy = '0.9'"),
        ({"accuracy": 1.0, "note": "good"}, "metric note = 'good'"),
        ({"accuracy": float("nan")}, "finite"),
        ({"accuracy": float("inf")}, "finite"),
        ({"accuracy": 1.0, "loss": float("-inf")}, "metric loss"),
        ({"accuracy": 10**400}, "too large"),
        ({"accuracy": 1.0, "seconds": -1.0}, "seconds 0 or more"),
        (np.array([1.0, 2.0]), "one number"),
    ],
)
def test_everything_else_is_refused_and_named(result, complaint: str):
    with pytest.raises(BadSetting, match=complaint):
        as_metrics(result, "accuracy")
    outcome = evaluate(lambda arch: result, ARCH, JOB, "accuracy")
    assert outcome.metrics == {}
    assert outcome.error is not None
    assert complaint in outcome.error


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even its text")


ERRORS = [
    ZeroDivisionError("x"),
    SystemExit("cannot go on"),
    MemoryError(),
    RecursionError("deep"),
    OSError("bad name \udcff"),
    RuntimeError("long " * 20_000),
    RuntimeError("nul \0 byte"),
    Unspeakable(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_becomes_a_text_that_a_file_can_hold(error: BaseException):
    def fails(arch):
        raise error

    outcome = evaluate(fails, ARCH, JOB, "accuracy")
    assert outcome.error is not None
    assert type(error).__name__ in outcome.error or len(outcome.error) == LONGEST_ERROR
    assert len(outcome.error) <= 2 * LONGEST_ERROR
    db = sqlite3.connect(":memory:")
    assert db.execute("SELECT ?", [outcome.error]).fetchone()[0] == outcome.error
    db.close()


def test_ctrl_c_is_not_an_evaluations_error():
    def stopped(arch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(stopped, ARCH, JOB, "accuracy")


def test_seeds_depend_on_study_and_trial_alone():
    assert [job_seed(0, k) for k in (1, 2)] == [3964924996, 3141116543]
    seeds = {job_seed(study, trial) for study in range(10) for trial in range(1, 201)}
    assert len(seeds) == 2000
