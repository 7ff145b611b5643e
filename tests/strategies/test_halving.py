"""Successive halving: who is promoted and when, how a space ends, and which evaluators it may not be used with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_spaces import Flat, Grid, Unordered, tiny
from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.benchmarks.table import Table
from tierwise.errors import BadSetting
from tierwise.history import DONE, FAILED, WAITING, History, Known, Proposal
from tierwise.job import Job
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.halving import Halving
from tierwise.testing import check_strategy
from tierwise.testing.suite import NotConforming

Trials = Sequence[tuple[int, int, int, float]]  # row of the space, budget, state, accuracy
SPACE = Grid()  # 256 networks, each row another one


def history_of(trials: Trials) -> History:
    rows, budgets, states, values = (np.array(column) for column in zip(*trials, strict=True))
    canon = SPACE.canonical(SPACE.at(rows))
    return History(
        space=SPACE,
        objective="accuracy",
        seed=0,
        total=100,
        archs=SPACE.at(rows),
        state=states.astype(np.uint8),
        canon=canon,
        metrics={"accuracy": np.where(states == DONE, values.astype(float), np.nan)},
        ids=np.arange(len(rows)),
        whys=[{} for _ in rows],
        known=Known.of(canon[budgets == 0]),
        budget=budgets.astype(np.int64),
    )


def asked(trials: Trials, n: int, **given: Any) -> list[tuple[int, int]]:
    """Rows and budgets of what is proposed."""
    found = Halving(**given).ask(history_of(trials), n, np.random.default_rng(0))
    return [(int(SPACE.index(Architectures.of([p.arch], SPACE))[0]), p.budget) for p in found]


def table() -> Table:
    """Made-up results of NAS-Bench-201's cells after 4, 12 and 200 epochs, the shorter the noisier."""
    space = NASBench201()
    rng = np.random.default_rng(0)
    accuracy = 80 + space.enumerate().genes @ rng.random(6)

    def columns(epochs: int, noise: float) -> dict[str, Any]:
        return {"accuracy": accuracy + rng.normal(0, noise, len(accuracy)), "seconds": np.full(len(accuracy), epochs)}

    return Table("made", space, columns(200, 0.01), cheaper={12: columns(12, 0.2), 4: columns(4, 0.5)})


# ---- the published suite -------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [NASBench201(), tiny(), Flat(), Unordered()], ids=repr)
@pytest.mark.parametrize(
    "given", [{}, {"budgets": "4,12,36", "eta": 2}, {"budgets": 4, "source": "evolution"}], ids=str
)
def test_conforms(space: Any, given: dict[str, Any]):
    check_strategy(lambda: Halving(**given), space)


@dataclass(frozen=True)
class Repeating(Halving):
    """Starts what has started."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        known = history.cheap(12).archs[:n]
        return [Proposal(arch, {"strategy": "again"}, 12) for arch in known] or super().ask(history, n, rng)


@pytest.mark.filterwarnings("ignore:strategy proposed known")
def test_the_suite_sees_a_cheap_evaluation_that_is_repeated():
    with pytest.raises(NotConforming) as caught:
        check_strategy(Repeating, SPACE)
    assert "of budget 12" in caught.value.failures["proposals_are_fresh"]


# ---- who is promoted -----------------------------------------------------------------------------------


def test_one_of_eta_finished_ones_is_promoted_the_best():
    three = [(1, 12, DONE, 0.5), (2, 12, DONE, 0.9), (3, 12, DONE, 0.7)]
    assert asked(three[:2], 1)[0][1] == 12
    assert asked(three, 1) == [(2, 0)]
    assert [budget for _, budget in asked(three, 4)] == [0, 12, 12, 12]
    assert asked(three, 1, eta=2) == [(2, 0)]
    assert asked([*three, (4, 12, DONE, 0.95)], 2, eta=2) == [(4, 0), (2, 0)]
    why = Halving().ask(history_of(three), 1, np.random.default_rng(0))[0].why
    assert why == {"strategy": "halving", "step": "promoted from 12", "result": 0.9, "place": 1, "of": 3}


@pytest.mark.parametrize("state", [WAITING, FAILED, DONE])
def test_what_was_promoted_is_not_promoted_again_whatever_became_of_it(state: int):
    three = [(1, 12, DONE, 0.5), (2, 12, DONE, 0.9), (3, 12, DONE, 0.7), (2, 0, state, 0.1)]
    assert asked(three, 1)[0][1] == 12
    assert asked([*three, *((k, 12, DONE, 0.1) for k in (4, 5, 6))], 2)[0] == (3, 0)


def test_running_ones_are_not_counted_as_finished_and_failures_are_never_promoted():
    running = [(1, 12, DONE, 0.5), (2, 12, DONE, 0.9), (3, 12, WAITING, 0.0)]
    assert asked(running, 1)[0][1] == 12
    failed = [(k, 12, FAILED, 0.0) for k in range(6)]
    assert all(budget == 12 and row >= 6 for row, budget in asked(failed, 20))
    assert asked([*failed, (9, 12, DONE, 0.1)], 3)[0] == (9, 0)


def test_the_most_costly_budget_comes_first():
    low = [(k, 4, DONE, k / 10) for k in range(9)]
    middle = [(k, 12, DONE, -k / 10) for k in (8, 7, 6)]
    assert asked([*low, *middle], 2, budgets=(4, 12))[0] == (6, 0)
    assert asked(low, 3, budgets=(4, 12)) == [(8, 12), (7, 12), (6, 12)]
    assert asked([*low, (8, 12, WAITING, 0.0), (7, 12, FAILED, 0.0)], 2, budgets=(4, 12))[0] == (6, 12)


states = st.sampled_from([DONE, DONE, DONE, WAITING, FAILED])


@settings(max_examples=80, deadline=None)
@given(
    first=st.lists(st.tuples(states, st.integers(0, 5)), min_size=1, max_size=30),
    second=st.lists(states, max_size=8),
    eta=st.integers(2, 4),
)
def test_promotions_are_those_of_the_published_rule(first: list[tuple[int, int]], second: list[int], eta: int):
    rung = [(row, 4, state, float(value)) for row, (state, value) in enumerate(first)]
    order = sorted((trial for trial in rung if trial[2] != WAITING), key=lambda t: -t[3] if t[2] == DONE else 9)
    top = [row for row, _, state, _ in order[: len(order) // eta] if state == DONE]
    upper = list(zip(top, second, strict=False))
    done = sorted((top.index(row) for row, state in upper if state != WAITING))
    trials = [*rung, *((row, 12, state, 1.0) for row, state in upper)]
    share = [top[k] for k in done if upper[k][1] == DONE][: len(done) // eta]
    wanted = [(row, 0) for row in share] + [(row, 12) for row in top[len(upper) :]]
    assert asked(trials, 50, budgets=(4, 12), eta=eta)[: len(wanted)] == wanted


# ---- a space that ends ---------------------------------------------------------------------------------


def test_where_nothing_new_is_left_the_rest_is_evaluated_in_full_the_most_costly_first():
    cheap = [(row, 4, DONE, row / 256) for row in range(256)]
    middle = [(row, 12, DONE, 1.0) for row in range(171, 256)]
    full = [(row, 0, DONE, 1.0) for row in range(171, 250)]
    found = asked([*cheap, *middle, *full, (0, 0, FAILED, 0.0), (170, 12, FAILED, 0.0)], 10, budgets=(4, 12))
    assert found == [*((row, 0) for row in range(250, 256)), *((row, 0) for row in range(169, 165, -1))]


def test_a_narrowed_space_counts_its_own_trials_alone():
    trials = [(row, 12, DONE, row / 256) for row in range(0, 256, 16)]
    smaller = SPACE.narrow("layer/0", ["a"])
    history = replace(history_of(trials), space=smaller)
    found = Halving().ask(history, 3, np.random.default_rng(0))
    assert [p.budget for p in found] == [0, 12, 12]
    assert all(p.arch.genes[0] == 0 for p in found)
    assert found[0].why["of"] == 4


# ---- in a study ----------------------------------------------------------------------------------------


def test_a_study_with_a_table_resumes_to_the_same_trials(tmp_path: Path):
    data = table()

    def rows(study: Study) -> list[Any]:
        return [(t.id, t.arch, t.budget, t.state, dict(t.why), dict(t.metrics)) for t in study.trials()]

    with Study(None, data.space, Halving((4, 12), source="random"), data, seed=3) as study:
        study.run(120)
        straight = rows(study)
        history = study.history()
    for trials in (7, 40, 95, 120):
        with Study(tmp_path / "study.db", data.space, Halving((4, 12), source="random"), data, seed=3) as study:
            study.run(trials)
    with Study(tmp_path / "study.db", data.space, Halving((4, 12), source="random"), data, seed=3) as study:
        assert len(rows(study)) == 120
        assert {row[2] for row in rows(study)} == {0, 4, 12}
        study.run(160)
    counts = [int((history.budget == budget).sum()) for budget in (4, 12, 0)]
    assert counts[0] > 2 * counts[1] > 3 * counts[2] > 0
    assert [t[5]["seconds"] for t in straight] == [t[2] or 200 for t in straight]
    promoted = history.done
    cheap = history.cheap(4)
    assert np.isin(promoted.canon, cheap.canon).all()
    assert cheap.y[np.isin(cheap.canon, promoted.canon)].min() > np.median(cheap.y)


def test_interrupted_between_batches_it_goes_on_bit_by_bit(tmp_path: Path):
    data = table()
    found: list[list[Any]] = []
    for name, stops in (("straight", [60]), ("stopped", [10, 30, 60])):
        for trials in stops:
            with Study(tmp_path / f"{name}.db", data.space, "halving", data) as study:
                study.run(trials, batch=10)
                last = [(t.arch, t.budget, dict(t.why), dict(t.metrics)) for t in study.trials()]
        found.append(last)
    assert found[0] == found[1]


def test_cheap_results_are_no_labels():
    data = table()
    with Study(None, data.space, Halving((12,)), data) as study:
        study.run(2)
        assert study.best() == []
        assert study.finished == 2
        study.run(60)
        full = [t for t in study.trials() if not t.budget]
        assert 0 < len(full) == len(study.history().done) < 20
        assert {t.id for t in study.best(60)} == {t.id for t in full}


def test_new_networks_come_from_a_strategy_that_learns_from_the_cheapest_results():
    data = table()
    with Study(None, data.space, Halving((4, 12), source="evolution"), data) as study:
        study.run(90)
        children = [t for t in study.trials() if t.why["strategy"] == "evolution"]
        values = {str(t.arch): t.metrics["accuracy"] for t in study.trials() if t.budget == 4}
    assert len(children) > 20
    assert {t.budget for t in children} == {4}
    assert all(values[t.why["parent"]] == t.why["parent_value"] for t in children)


def blind(arch: Architecture) -> float:
    raise AssertionError("it was evaluated")


class Coarse:
    """An evaluator that says which budgets it has."""

    budgets = (3, 9)

    def __call__(self, arch: Architecture, job: Job) -> float:
        return sum(arch.genes) + job.budget


@pytest.mark.parametrize(
    ("evaluator", "said"),
    [
        (blind, "f(arch, job)"),
        (make("benchmark", "nasbench201"), "none: every evaluation of it is a full one"),
        (Coarse(), "what the evaluator has, 3, 9"),
    ],
)
def test_an_evaluator_without_this_budget_is_refused_before_there_is_a_study(tmp_path: Path, evaluator: Any, said: str):
    with pytest.raises(BadSetting) as caught:
        Study(tmp_path / "study.db", NASBench201(), Halving(), evaluator)
    assert said in str(caught.value)
    assert not (tmp_path / "study.db").exists()
    with Study(tmp_path / "study.db", NASBench201(), Halving()) as study:
        study.evaluator = evaluator
        with pytest.raises(BadSetting):
            study.run(10)
        assert {t.state for t in study.trials()} == {"waiting"}
        study.evaluator = lambda arch, job: float(sum(arch.genes)) + job.budget  # put right, the study goes on
        study.run(10)
        assert study.finished == 10


def test_an_evaluator_with_these_budgets_is_asked_for_them():
    with Study(None, NASBench201(), Halving((3, 9)), Coarse()) as study:
        study.run(30)
        assert all(t.metrics["accuracy"] == sum(t.arch.genes) + t.budget for t in study.trials())


@pytest.mark.parametrize(
    ("given", "budgets"), [("12", (12,)), (12, (12,)), ("4,12, 36", (4, 12, 36)), ([1, 2], (1, 2)), ((5,), (5,))]
)
def test_budgets_as_the_command_line_gives_them(given: Any, budgets: tuple[int, ...]):
    assert make("strategy", "halving", budgets=given) == Halving(budgets)


@pytest.mark.parametrize(
    "given",
    [
        *({"budgets": wrong} for wrong in ((), "", "a,b", (12, 4), (4, 4), (0, 4), -1, 1.5, "1.5", None)),
        {"eta": 1},
        {"source": "halving"},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]):
    with pytest.raises(BadSetting, match=next(iter(given))):
        Halving(**given)
