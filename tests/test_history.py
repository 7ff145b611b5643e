"""What a strategy sees: columns as they were when it asked, and what counts as fresh."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluators import score
from tests.small_spaces import tiny
from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.history import DONE, FAILED, WAITING, History, Known
from tierwise.space import Space


def history_of(space: Space, genes: np.ndarray, values: np.ndarray | None = None, limits=None, costs=None) -> History:
    archs = Architectures(space, genes)
    n = len(archs)
    return History(
        space=space,
        objective="accuracy",
        seed=0,
        total=n,
        archs=archs,
        state=np.full(n, DONE, np.uint8),
        canon=space.canonical(archs),
        metrics={} if values is None else {"accuracy": values},
        ids=np.arange(n),
        whys=[{"row": k} for k in range(n)],
        limits=limits or {},
        costs=costs or {},
    )


def fresh_one_by_one(history: History, archs: Architectures) -> list[bool]:
    """The definition, row by row."""
    known = set(history.space.canonical(history.archs).tolist())
    answer: list[bool] = []
    for key in history.space.canonical(archs).tolist():
        answer.append(key not in known)
        known.add(key)
    return answer


@settings(max_examples=60, deadline=None)
@given(known=st.lists(st.integers(0, 124), max_size=30), asked=st.lists(st.integers(0, 124), max_size=30))
def test_fresh_is_its_definition(known: list[int], asked: list[int]):
    space = tiny()
    every = space.enumerate()
    history = history_of(space, every.genes[known])
    assert history.fresh(every[asked]).tolist() == fresh_one_by_one(history, every[asked])


def test_equal_networks_are_not_fresh():
    space = make("space", "nasbench201")
    # a cell whose first edge is cut: what hangs on its node alone cannot matter
    first, same = [0, 3, 0, 3, 0, 3], [0, 3, 2, 3, 2, 3]
    history = history_of(space, np.array([first]))
    assert history.fresh(Architectures(space, np.array([first, same, [0, 3, 0, 0, 0, 3]]))).tolist() == [
        False,
        False,
        True,
    ]


def test_of_equal_networks_the_feasible_one_is_fresh():
    space = make("space", "nasbench201")
    # the same network twice, the first with convolutions that nothing feeds
    both = Architectures(space, np.array([[0, 3, 2, 3, 2, 3], [0, 3, 0, 3, 0, 3]]))
    limit = float(space.totals(both)[1, 1])
    assert space.totals(both)[0, 1] > limit
    assert len(set(space.canonical(both).tolist())) == 1

    def params(archs: Architectures) -> np.ndarray:
        return space.totals(archs)[:, 1].astype(float)

    history = history_of(space, np.zeros((0, 6)), limits={"params": (0.0, limit)}, costs={"params": params})
    assert history.fresh(both).tolist() == [False, True]


def test_rows_of_a_history_know_the_whole_study():
    space = tiny()
    history = history_of(space, space.enumerate().genes[[1, 2, 3]], np.array([1.0, 2, 3]))
    assert not history.rows(np.array([2])).fresh(space.at([1])).any()


def test_with_running_makes_known_and_leaves_the_first_alone():
    space = tiny()
    convolutions = Architectures(space, np.array([[2, 2, 2], [2, 3, 2], [3, 3, 2], [3, 3, 3]]))
    history = history_of(space, convolutions.genes[:2], np.array([1.0, 2]))
    more = history.with_running(convolutions[2:])
    assert (len(more), len(history)) == (4, 2)
    assert not more.fresh(convolutions[2:]).any()
    assert history.fresh(convolutions).tolist() == [False, False, True, True]
    assert more.running.archs.genes.tolist() == convolutions.genes[2:].tolist()
    assert np.isnan(more.y[2:]).all()
    assert [more.why(k) for k in range(4)] == [{"row": 0}, {"row": 1}, {}, {}]
    assert history.with_running(space.at([])) is history


def test_known_does_not_see_what_came_later():
    place = {11: 0, 12: 1}
    known = Known(place, 2)
    place[13] = 2
    keys = np.array([11, 13, 14], np.uint64)
    assert known.has(keys).tolist() == [True, False, False]
    assert known.plus(keys[2:]).has(keys).tolist() == [True, False, True]


def test_a_history_stays_what_it_was():
    with Study(None, tiny(), "random", score) as study:
        asked = study.ask(3)
        study.tell(asked[0], 1.0)
        before = study.history()
        copy = dataclasses.replace(
            before, state=before.state.copy(), metrics={k: v.copy() for k, v in before.metrics.items()}
        )
        study.tell(asked[1], 2.0)
        study.ask(5)
        assert len(before) == 3
        assert before.state.tolist() == copy.state.tolist() == [DONE, WAITING, WAITING]
        np.testing.assert_array_equal(before.y, copy.y)
        assert before.fresh(study.history().archs[3:]).all()


def test_states_and_views():
    space = tiny()
    history = dataclasses.replace(
        history_of(space, space.enumerate().genes[:5], np.array([1.0, np.nan, 3, np.nan, 3])),
        state=np.array([DONE, FAILED, DONE, WAITING, DONE], np.uint8),
    )
    assert history.done.ids.tolist() == [0, 2, 4]
    assert history.running.ids.tolist() == [3]
    assert history.best(2).ids.tolist() == [2, 4]  # the earlier wins a tie
    assert history.best(9).ids.tolist() == [2, 4, 0]
    assert history.rows(history.state == FAILED).ids.tolist() == [1]
    assert history.rows(np.zeros(5, bool)).ids.tolist() == []
    assert np.isnan(history_of(space, space.enumerate().genes[:2]).y).all()


@pytest.mark.parametrize("prefix", [0, 1, 3, 5])
def test_rows_of_a_prefix_are_rows(prefix: int):
    space = tiny()
    history = history_of(space, space.enumerate().genes[:5], np.arange(5.0))
    mask = np.arange(5) < prefix
    one, other = history.rows(mask), history.rows(np.flatnonzero(mask))
    assert one.ids.tolist() == other.ids.tolist()
    assert one.archs.genes.tolist() == other.archs.genes.tolist()
    assert one.y.tolist() == other.y.tolist()


def test_limits_are_masks_of_least_and_most():
    space = tiny()

    def third(archs: Architectures):
        return archs.genes[:, 2]

    history = history_of(space, np.zeros((0, 3)), limits={"third": (1.0, 2.0)}, costs={"third": third})
    every = space.enumerate()
    feasible = history.feasible(every)
    assert (feasible == np.isin(every.genes[:, 2], [1, 2])).all()
    drawn = history.sample(20, np.random.default_rng(0))
    assert set(drawn.genes[:, 2].tolist()) <= {1, 2}


def test_a_narrowed_space_samples_inside_only():
    space = tiny().narrow("cell/0-1", ["conv1x1"])
    history = history_of(space, np.zeros((0, 3)))
    assert set(history.sample(10, np.random.default_rng(0)).genes[:, 0].tolist()) == {2}
    assert not history.feasible(tiny().at([0])).any()


def test_sample_finds_the_very_last_fresh_one_and_then_nothing():
    space = tiny()
    every = space.enumerate()
    keys = space.canonical(every)
    _, first = np.unique(keys, return_index=True)
    all_but_one = history_of(space, every.genes[first[:-1]])
    last = all_but_one.sample(5, np.random.default_rng(1))
    assert space.canonical(last).tolist() == [keys[first[-1]]]
    assert len(all_but_one.with_running(last).sample(5, np.random.default_rng(1))) == 0
