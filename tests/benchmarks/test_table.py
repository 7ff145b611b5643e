"""A table with cheap evaluations beside the full ones."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Grid
from tierwise.benchmarks.table import Table
from tierwise.errors import BadArchitecture, BadSetting, BadTable
from tierwise.job import Job
from tierwise.spaces.subset import Subset

ROWS = np.arange(256.0)


def table(**given: Any) -> Table:
    runs = np.stack([ROWS, ROWS + 1000], 1)
    cheaper: Any = {36: {"accuracy": ROWS / 2, "seconds": ROWS * 0 + 3}, 4: {"accuracy": runs}}
    return Table("made", Grid(), {"accuracy": ROWS, "loss": -ROWS}, **{"cheaper": cheaper, **given})


def test_each_budget_has_its_own_columns():
    made = table()
    archs = made.space.at([3, 200])
    assert made.budgets == (4, 36)
    assert {k: v.tolist() for k, v in made.many(archs, [0, 0]).items()} == {"accuracy": [3, 200], "loss": [-3, -200]}
    assert {k: v.tolist() for k, v in made.many(archs, [0, 0], 36).items()} == {
        "accuracy": [1.5, 100],
        "seconds": [3, 3],
    }
    assert made(archs[1], Job(1, 0, budget=36)) == {"accuracy": 100.0, "seconds": 3.0}
    assert made(archs[1], Job(1, 0)) == {"accuracy": 200.0, "loss": -200.0}


def test_recorded_runs_of_a_budget_are_picked_by_the_seed():
    made = table()
    assert made.many(made.space.at([7, 7]), [0, 1], 4)["accuracy"].tolist() == [7, 1007]


def test_a_budget_that_is_not_recorded_names_those_that_are():
    with pytest.raises(BadSetting, match="budget = 12.*made has: 0, 4, 36"):
        table()(table().space.at([0])[0], Job(1, 0, budget=12))
    with pytest.raises(BadSetting, match="made has: 0"):
        table(cheaper={}).many(table().space.at([0]), [0], 4)


def test_one_that_is_not_recorded_cheaply_says_so():
    holes = np.where(ROWS == 5, np.nan, ROWS)
    made = table(cheaper={12: {"accuracy": holes}})
    with pytest.raises(BadArchitecture, match="no accuracy"):
        made(made.space.at([5])[0], Job(1, 0, budget=12))
    assert made(made.space.at([5])[0], Job(1, 0))["accuracy"] == 5.0


def test_a_part_and_a_worker_keep_the_budgets():
    made = table()
    rows = np.array([9, 100, 255])
    smaller = Subset(made.space, made.space.at([9, 255]))
    for part, left in ((made.part(rows), [9, 100, 255]), (made.within(smaller, "two"), [9, 255])):
        assert part.budgets == (4, 36)
        told = part.many(part.space.enumerate(), [0] * len(left), 36)["accuracy"]
        assert told.tolist() == [row / 2 for row in left]
    copied = pickle.loads(pickle.dumps(made))  # noqa: S301  our own bytes
    assert copied.many(made.space.at([8]), [0], 36)["accuracy"].tolist() == [4]


@pytest.mark.parametrize("column", [ROWS[:-1], np.zeros((256, 2, 2))])
def test_a_column_of_another_shape_is_refused_when_it_is_asked_for(column: Any):
    made = table(cheaper={12: {"accuracy": column}})
    with pytest.raises(BadTable, match="column accuracy has shape"):
        made.many(made.space.at([0]), [0], 12)


@pytest.mark.parametrize("budget", [0, -4])
def test_a_budget_is_a_number_of_one_or_more(budget: int):
    with pytest.raises(BadSetting, match="0 is a full evaluation"):
        table(cheaper={budget: {"accuracy": ROWS}})
