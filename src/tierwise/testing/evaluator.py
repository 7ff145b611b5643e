"""What every evaluator must do: a function of the user, a training, a table."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tierwise.architecture import Architectures
from tierwise.job import Job, Outcome, evaluate, job_seed
from tierwise.space import Space
from tierwise.testing.suite import (
    distinct,
    expect,
    expect_equal,
    expect_no_global_draw,
    expect_rows,
    run_checks,
)

Evaluate = Callable[..., Any]


@dataclass(frozen=True)
class EvaluatorCase:
    """The evaluator under test, architectures and the seeds of their evaluations."""

    evaluator: Evaluate
    space: Space
    objective: str
    some: Architectures
    seeds: list[int]

    def one(self, row: int, evaluator: Evaluate | None = None) -> Outcome:
        """One evaluation, as a worker runs it."""
        return evaluate(evaluator or self.evaluator, self.some[row], Job(row + 1, self.seeds[row]), self.objective)


def check_evaluator(
    evaluator: Evaluate,
    space: Space,
    *,
    objective: str = "accuracy",
    archs: int = 4,
    expected_failures: Collection[str] = (),
) -> None:
    """Raises NotConforming unless `evaluator` does on `space` all that a study relies on.

    archs: how many architectures are evaluated, some four times over.
    """
    some = distinct(space, archs, np.random.default_rng(0))
    seeds = [job_seed(0, k + 1) for k in range(len(some))]
    run_checks("check_evaluator", CHECKS, EvaluatorCase(evaluator, space, objective, some, seeds), expected_failures)


def answers_numbers(case: EvaluatorCase) -> None:
    for row, arch in enumerate(case.some):
        outcome = case.one(row)
        expect(outcome.error is None, f"evaluation of {arch}: expected numbers, seen {outcome.error}")
        value = outcome.metrics.get(case.objective, math.nan)
        expect(math.isfinite(value), f"{case.objective} of {arch}: expected a finite number, seen {value}")
        seconds = outcome.metrics.get("seconds", 0.0)
        expect(seconds >= 0, f"seconds of {arch}: expected 0 or more, seen {seconds}")


def equal_seeds_give_equal_numbers(case: EvaluatorCase) -> None:
    for row in range(len(case.some)):
        first = _timeless(case.one(row))
        expect_equal(f"metrics of {case.some[row]}, a second time", _timeless(case.one(row)), first)


def global_random_numbers_are_left_alone(case: EvaluatorCase) -> None:
    expect_no_global_draw(lambda: case.one(0))


def many_equals_one_by_one(case: EvaluatorCase) -> None:
    many = getattr(case.evaluator, "many", None)
    if many is None:
        return
    genes = case.some.genes.copy()
    columns: Mapping[str, Any] = many(case.some, case.seeds)
    expect_rows("genes after many", case.some.genes, genes)
    expect(
        case.objective in columns,
        f"columns of many: expected {case.objective!r} among them, seen {sorted(columns)}",
    )
    for name, column in columns.items():
        one_by_one = [case.one(row).metrics.get(name, math.nan) for row in range(len(case.some))]
        expect_rows(
            f"column {name} of many, against one by one",
            np.nan_to_num(column),
            np.nan_to_num(np.array(one_by_one)),
        )


def known_costs_are_columns(case: EvaluatorCase) -> None:
    known = getattr(case.evaluator, "known", None)
    if known is None:
        return
    expect_equal("known of an unknown name", known("no such cost", case.some), None)
    for name in ("params", "flops", "latency"):
        column = known(name, case.some)
        if column is not None:
            parts = [known(name, case.some[k : k + 1]) for k in range(len(case.some))]
            expect_rows(f"known {name}, against one by one", column, np.concatenate(parts))
            expect(np.isfinite(column).all(), f"known {name}: expected finite numbers, seen {column}")


def its_space_is_the_space(case: EvaluatorCase) -> None:
    space = getattr(case.evaluator, "space", None)
    if space is not None:
        expect_equal("name of the evaluator's space", space.name, case.space.name)


def travels_to_a_worker(case: EvaluatorCase) -> None:
    copied = pickle.loads(pickle.dumps(case.evaluator))  # noqa: S301  our own bytes: how a worker process gets it
    expect_equal("metrics in a worker", _timeless(case.one(0, copied)), _timeless(case.one(0)))


def _timeless(outcome: Outcome) -> dict[str, float]:
    """Metrics but the seconds, which a training measures."""
    return {name: value for name, value in outcome.metrics.items() if name != "seconds"}


CHECKS = (
    answers_numbers,
    equal_seeds_give_equal_numbers,
    global_random_numbers_are_left_alone,
    many_equals_one_by_one,
    known_costs_are_columns,
    its_space_is_the_space,
    travels_to_a_worker,
)
