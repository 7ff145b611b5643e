"""Several goals at once: the laws of fronts and hypervolumes, against brute force."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import Study
from tierwise.architecture import Architectures
from tierwise.benchmarks.nasbench201 import load
from tierwise.errors import BadSetting, MissingExtra
from tierwise.history import History
from tierwise.pareto import (
    REFERENCE,
    chosen,
    goals_of,
    hypervolume,
    improvements,
    knee,
    non_dominated,
    scaled,
)
from tierwise.strategies.random import Random

quick = settings(deadline=None, max_examples=60)
SIDE = 4  # of the grid of whole numbers on which volumes are counted


@st.composite
def grids(draw: st.DrawFn, least: int = 0, most: int = 8, goals: int | None = None) -> Any:
    """Rows of whole numbers, many of them equal."""
    m = goals or draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(st.integers(-1, SIDE), min_size=m, max_size=m), min_size=least, max_size=most))
    return np.array(rows, dtype=np.float64).reshape(len(rows), m)


def beats(a: Any, b: Any) -> bool:
    return bool((a >= b).all() and (a > b).any())


def counted(goals: Any) -> float:
    """Unit cells between 0 and the rows, one by one."""
    m = goals.shape[1]
    corners = np.indices((SIDE,) * m).reshape(m, -1).T
    return float(sum(any((row >= cell + 1).all() for row in goals) for cell in corners))


@quick
@given(grids())
def test_a_front_has_no_beaten_row_and_beats_all_others(goals: Any) -> None:
    front = non_dominated(goals)
    for k, row in enumerate(goals):
        assert front[k] == (not any(beats(other, row) for other in goals))
        assert front[k] or any(beats(other, row) for other in goals[front])


def test_a_row_with_a_nan_is_in_no_front() -> None:
    goals = np.array([[1.0, np.nan], [0.0, 0.0], [np.nan, np.nan]])
    assert non_dominated(goals).tolist() == [False, True, False]
    assert not non_dominated(goals[:1]).any()
    assert improvements(goals[1:2], goals, np.array([-1.0, -1.0])).tolist() == [0.0, 0.0, 0.0]
    assert hypervolume(goals, np.array([-1.0, -1.0])) == 1.0


@quick
@given(grids())
def test_hypervolume_counts_cells(goals: Any) -> None:
    assert hypervolume(goals, np.zeros(goals.shape[1])) == pytest.approx(counted(goals))


@quick
@given(grids(least=1), st.data())
def test_hypervolume_never_falls_and_only_the_front_counts(goals: Any, data: st.DataObject) -> None:
    reference = np.zeros(goals.shape[1])
    whole = hypervolume(goals, reference)
    assert whole == pytest.approx(hypervolume(goals[non_dominated(goals)], reference))
    part = goals[: data.draw(st.integers(0, len(goals)))]
    assert hypervolume(part, reference) <= whole + 1e-9
    better = goals + np.eye(len(goals), goals.shape[1])
    assert hypervolume(better, reference) >= whole - 1e-9


@quick
@given(st.integers(1, 4).flatmap(lambda m: st.tuples(grids(goals=m), grids(goals=m))))
def test_improvements_are_what_each_row_alone_adds(both: Any) -> None:
    front, goals = both
    reference = np.zeros(goals.shape[1])
    before = counted(front)
    expected = [counted(np.vstack([front, row])) - before for row in goals]
    assert improvements(front, goals, reference) == pytest.approx(expected, abs=1e-9)


def test_improvements_of_a_whole_space_in_odd_units() -> None:
    rng = np.random.default_rng(0)
    for m in (2, 3):
        goals = rng.normal(size=(500, m)) * np.array([10.0, 1e-3, 1e6])[:m]
        front, reference = goals[:100], goals.min(0)
        gain = improvements(front, goals, reference)
        before = hypervolume(front, reference)
        added = [hypervolume(np.vstack([front, row]), reference) - before for row in goals[::25]]
        assert gain[::25] == pytest.approx(added, abs=1e-9 * before)
        assert (gain[:100] <= 1e-9 * before).all()


def test_what_does_not_fit_together_is_named() -> None:
    with pytest.raises(BadSetting, match="finite numbers"):
        hypervolume(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(BadSetting, match="finite numbers"):
        improvements(np.zeros((3, 2)), np.zeros((3, 2)), np.array([0.0, np.nan]))


def test_three_goals_name_the_extra_and_two_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moocore", None)
    assert hypervolume(np.ones((1, 2)), np.zeros(2)) == 1.0
    with pytest.raises(MissingExtra, match=r"tierwise\[pareto\]"):
        hypervolume(np.ones((1, 3)), np.zeros(3))


def test_scale_and_knee() -> None:
    known = np.array([[10.0, -4.0], [90.0, -2.0], [50.0, np.nan]])
    assert scaled(known[:2], known).tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert scaled(np.array([[7.0]]), np.array([[5.0], [5.0]])).tolist() == [[2.0]]
    front = np.array([[90.0, -20.0], [85.0, -5.0], [50.0, -2.0], [10.0, -1.0]])
    assert knee(front) == 1
    assert knee(front[:1]) == 0


@pytest.fixture(scope="module")
def history() -> History:
    table = load()
    with Study(None, table.space, Random(), table, against=("latency",), seed=1) as study:
        study.run(40)
        return study.history()


def greedy(front: Any, goals: Any, n: int) -> list[int]:
    """One after the other by the difference of two hypervolumes."""
    reference, picked = np.full(goals.shape[1], REFERENCE), list[int]()
    for _ in range(n):
        before = hypervolume(front, reference)
        gain = np.array([hypervolume(np.vstack([front, row]), reference) - before for row in goals])
        gain[picked] = -1.0
        picked.append(int(np.argmax(gain)))
        front = np.vstack([front, goals[picked[-1]]])
    return picked


@pytest.mark.parametrize("against", [("latency",), ("latency", "params")])
def test_chosen_are_the_best_one_after_the_other(history: History, against: tuple[str, ...]) -> None:
    table = load()
    costs = {name: lambda archs, name=name: table.known(name, archs) for name in against}
    seen = replace(history, against=against, costs=costs)
    among = table.space.at(range(0, 15_625, 100))
    optimistic = table.metrics["accuracy"][::100] + 0.3
    ours = goals_of(seen, seen.done.archs, seen.done.y)
    goals = scaled(goals_of(seen, among, optimistic), ours)
    rows = chosen(seen, among, optimistic, 6)
    assert rows.tolist() == greedy(scaled(ours, ours), goals, 6)
    assert len(set(rows.tolist())) == 6


def test_the_unit_of_the_objective_does_not_count(history: History) -> None:
    among, rng = history.space.at(range(0, 15_625, 10)), np.random.default_rng(0)
    optimistic = rng.normal(90.0, 2.0, len(among))
    rows = chosen(history, among, optimistic, 5)
    other = chosen(history, among, 3.0 * optimistic - 7.0, 5, known=3.0 * history.done.y - 7.0)
    assert rows.tolist() == other.tolist()


def test_where_nothing_adds_the_most_optimistic_are_chosen(history: History) -> None:
    among = history.done.archs
    low = np.linspace(-50.0, -40.0, len(among))
    assert chosen(history, among, low, 2).tolist() == [len(among) - 1, len(among) - 2]
    assert chosen(history, among[:0], low[:0], 2).tolist() == []


def test_with_the_objective_alone_the_highest_is_chosen(history: History) -> None:
    alone = replace(history, against=())
    among = history.space.at(range(200))
    assert chosen(alone, among, np.arange(200.0), 3).tolist() == [199, 198, 197]


def test_before_any_result_nothing_can_be_chosen(history: History) -> None:
    nothing = history.rows(np.zeros(len(history), dtype=bool))
    with pytest.raises(BadSetting, match="finished trials with costs"):
        chosen(nothing, Architectures(history.space, history.archs.genes), history.y, 1)


def test_the_front_of_a_study_is_that_of_its_goals(history: History) -> None:
    table = load()
    with Study(None, table.space, Random(), table, against=("latency", "params"), seed=1) as study:
        study.run(40)
        front = study.front()
        done = study.history().done
        goals = goals_of(done, done.archs, done.y)
    assert sorted(trial.id - 1 for trial in front) == np.flatnonzero(non_dominated(goals)).tolist()
    values = [trial.metrics["accuracy"] for trial in front]
    assert values == sorted(values, reverse=True)
