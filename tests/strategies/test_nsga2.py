"""NSGA-II: fronts and crowding by definition, survivors, where children come from, and the real table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_spaces import Flat, Unordered, tiny
from tierwise import Study
from tierwise.architecture import Architecture, Architectures
from tierwise.benchmarks.nasbench201 import load
from tierwise.errors import BadSetting
from tierwise.history import DONE, History
from tierwise.pareto import goals_of, hypervolume, non_dominated, scaled
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.nsga2 import NSGA2, crowding_distance, standing
from tierwise.strategies.random import Random
from tierwise.testing import check_strategy

SPACE = NASBench201()


def ones(archs: Architectures) -> Any:
    """A cost: how many genes are not 0."""
    return (archs.genes > 0).sum(1).astype(np.float64)


@pytest.mark.parametrize("space", [NASBench201(), tiny(), Flat(), Unordered()], ids=lambda s: s.name)
def test_conforms(space: Space) -> None:
    check_strategy(lambda: NSGA2(population=8), space)


def history(genes: Any, y: Any, against: bool = True) -> History:
    archs = Architectures(SPACE, np.array(genes, dtype=np.int16))
    return History(
        space=SPACE,
        objective="accuracy",
        seed=0,
        total=100,
        archs=archs,
        state=np.full(len(archs), DONE, np.uint8),
        canon=SPACE.canonical(archs),
        metrics={"accuracy": np.asarray(y, dtype=np.float64)},
        ids=np.arange(len(archs)),
        whys=[{} for _ in archs],
        costs={"ones": ones},
        against=("ones",) if against else (),
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20), st.integers(1, 20))
def test_fronts_are_peeled_one_after_the_other(rows: list[tuple[int, int]], least: int) -> None:
    goals = np.array(rows, dtype=np.float64)
    place, crowding = standing(goals, least)
    for k in range(int(place.max()) + 1):
        behind = np.flatnonzero(place >= k)
        front = set(behind[non_dominated(goals[behind])].tolist())
        if int((place < k).sum()) < least:
            assert front == set(np.flatnonzero(place == k).tolist())
            assert np.isinf(crowding[place == k]).any()
        else:
            assert k == place.max()
            assert not crowding[place == k].any()


def test_crowding_is_the_gap_between_neighbours() -> None:
    front = np.array([[0.0, 10.0], [1.0, 8.0], [3.0, 2.0], [4.0, 0.0]])
    assert crowding_distance(front) == pytest.approx([np.inf, 3 / 4 + 8 / 10, 3 / 4 + 8 / 10, np.inf])
    assert crowding_distance(np.ones((3, 2))).tolist() == [np.inf, 0.0, np.inf]
    assert crowding_distance(front[:1]).tolist() == [np.inf]


def test_costs_that_nobody_knows_end_behind_all_others() -> None:
    place, _ = standing(np.array([[5.0, np.nan], [1.0, 1.0], [0.0, 0.0], [9.0, np.nan]]), 4)
    assert place.tolist() == [2, 0, 1, 2]


def parents_of(known: History, strategy: NSGA2, n: int) -> list[list[Architecture]]:
    asked = strategy.ask(known, n, np.random.default_rng(0))
    return [[Architecture.parse(text) for text in p.why["parents"].split(" and ")] for p in asked if "parents" in p.why]


def test_parents_are_survivors_and_the_better_ones_more_often() -> None:
    """Three costs with two results each: the better of each is the first front, the ends of it crowd least."""
    genes = [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]]
    genes.append([0, 1, 1, 1, 0, 0])
    known = history(genes, [5, 4, 7, 6, 9, 8])
    parents = parents_of(known, NSGA2(population=3), 60)
    seen = Counter(arch.genes for pair in parents for arch in pair)
    assert set(seen) == {tuple(genes[k]) for k in (0, 2, 4)}
    assert seen[tuple(genes[2])] < min(seen[tuple(genes[0])], seen[tuple(genes[4])])


def test_every_gene_of_a_child_is_of_a_parent_or_one_of_few_that_changed() -> None:
    genes = SPACE.sample(30, np.random.default_rng(3)).genes
    known = history(genes, np.arange(30.0))
    strategy, changed, mixed = NSGA2(population=10), [], 0
    for proposal in strategy.ask(known, 80, np.random.default_rng(0)):
        if "parents" in proposal.why:
            pair = [Architecture.parse(text).genes for text in proposal.why["parents"].split(" and ")]
            changed.append(sum(gene not in {each[k] for each in pair} for k, gene in enumerate(proposal.arch.genes)))
            mixed += len(pair) == 2
    assert len(changed) == 80
    assert np.mean(changed) < 1.5
    assert mixed > 50


def test_with_one_objective_the_best_survive() -> None:
    genes = SPACE.sample(30, np.random.default_rng(3)).genes
    known = history(genes, np.arange(30.0), against=False)
    parents = {arch.genes for pair in parents_of(known, NSGA2(population=5), 40) for arch in pair}
    assert parents <= {tuple(row) for row in genes[-5:].tolist()}
    limited = replace(known, limits={"ones": (0.0, 3.0)})
    asked = NSGA2(population=5).ask(limited, 20, np.random.default_rng(0))
    assert all(ones(Architectures.of([p.arch], SPACE))[0] <= 3 for p in asked)


def test_a_population_of_one_is_refused() -> None:
    with pytest.raises(BadSetting, match="2 or more"):
        NSGA2(population=1)


def test_on_the_real_table_its_front_covers_more_than_that_of_random_search() -> None:
    table, covered = load(), dict[str, float]()
    every = np.stack([table.metrics["accuracy"], -table.known_columns["latency"]], 1)
    for strategy in (NSGA2(), Random()):
        found = list[float]()
        for seed in range(4):
            with Study(None, table.space, strategy, table, against=("latency",), seed=seed) as study:
                study.run(100)
                done = study.history().done
                goals = scaled(goals_of(done, done.archs, done.y), every)
            found.append(hypervolume(goals, np.array([0.0, 0.0])))
        covered[type(strategy).__name__] = float(np.mean(found))
    assert covered["NSGA2"] > covered["Random"]
