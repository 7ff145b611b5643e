"""The map: which architectures are on it, where, and with what columns."""

from __future__ import annotations

import numpy as np
import pytest

from tests.navigator.conftest import Start, foretell, made_up
from tests.small_spaces import Flat, tiny
from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.navigator import Navigator
from tierwise.navigator.columns import wire
from tierwise.navigator.embedding import Embedding
from tierwise.navigator.population import Population


def test_the_map_is_the_whole_space_where_it_can_be_listed():
    space = make("space", "nasbench201")
    population = Population(space)
    assert population.whole
    assert len(population) == 15_625
    some = space.sample(50, np.random.default_rng(0))
    assert (population.archs.genes[population.rows(some)] == some.genes).all()


def test_what_is_evaluated_joins_a_sampled_map_behind_the_others():
    space = Flat()
    population = Population(space, seed=1)
    n, before = len(population), population.hash
    assert not population.whole
    assert (population.archs.genes == Population(space, seed=1).archs.genes).all()
    some = space.sample(3, np.random.default_rng(5))
    assert population.rows(some).tolist() == [-1, -1, -1]
    twice = Architectures(space, np.concatenate([some.genes, some.genes[:1]]))
    assert population.add(twice).tolist() == [n, n + 1, n + 2, n]
    assert population.add(some).tolist() == [n, n + 1, n + 2]
    assert population.hash != before
    assert (population.archs[n:].genes == some.genes).all()


def test_alike_architectures_lie_near_each_other_and_places_never_change():
    space = make("space", "nasbench201")
    archs = space.enumerate()
    costs = {"flops": space.totals(archs)[:, 0].astype(np.float64)}
    x, y = Embedding.of(archs, costs, 0).place(np.ascontiguousarray(archs.genes.T), costs)
    again = Embedding.of(archs, costs, 0).place(np.ascontiguousarray(archs.genes.T), costs)
    assert (np.stack([x, y]) == again).all()
    assert x.dtype == np.uint16
    assert len(set(zip(x.tolist(), y.tolist(), strict=True))) > 0.95 * len(x)  # points do not pile up
    assert np.ptp(x) > 60_000
    assert np.ptp(y) > 60_000
    rng = np.random.default_rng(1)
    rows = rng.integers(0, len(archs), 2_000)
    near, parent = space.neighbours(archs[rows])
    place = np.column_stack([x, y]).astype(np.float64)
    moved = np.linalg.norm(place[space.index(near)] - place[rows[parent]], axis=1).mean()
    anywhere = np.linalg.norm(place[rng.permutation(rows)] - place[rows], axis=1).mean()
    assert moved < 0.8 * anywhere


@pytest.mark.parametrize("space", [tiny(), Flat()])
def test_a_map_is_drawn_of_any_space(space):
    study = Study(None, space, "random", lambda arch: float(sum(arch.genes)))
    study.run(12)
    navigator = Navigator(study)
    names = set(navigator.columns.described)
    assert {"map_x", "map_y", "result", "predicted", "sd", "tier", "depth"} <= names
    assert navigator.columns.described["result"].known == 12
    assert {len(values) for values in navigator.columns.values.values()} == {len(navigator.population)}
    for trial in navigator.trials():
        assert str(navigator.population.archs[trial.row]) == trial.text
    navigator.close()


def test_results_are_columns_that_change_their_hash(start: Start):
    navigator = start(5)
    before = navigator.columns.described["result"]
    navigator._told_at = 0.0
    navigator.study.run(8)
    changes = navigator.refresh()
    assert changes.trials == (6, 7, 8)
    assert "result" in changes.columns
    assert navigator.columns.described["result"].hash != before.hash
    assert navigator.columns.described["result"].known == 8
    assert navigator.refresh().columns == ()
    row = navigator.trials([7])[0].row
    assert navigator.columns.number("result", row) == made_up(navigator.population.archs[row])


def test_depth_is_the_longest_way(start: Start):
    navigator = start(0)
    depth = dict(zip(map(str, navigator.population.archs), navigator.columns.values["depth"], strict=True))
    # cells of NAS-Bench-201: edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3; options none, skip, conv 1x1, conv 3x3, pool
    assert depth["nasbench201/3-3-3-3-3-3"] == 3
    assert depth["nasbench201/0-0-0-3-0-0"] == 1
    assert depth["nasbench201/3-1-1-0-0-3"] == 2  # 0-1-2-3 with a skip in its middle
    assert depth["nasbench201/0-0-0-0-0-0"] == 0
    assert depth["nasbench201/0-0-0-1-0-0"] == 0


def test_values_are_sent_as_little_endian_numbers_of_four_bytes():
    sent = wire(np.array([1.5, np.nan, 1e300]))
    assert sent.dtype.str == "<f4"
    assert sent.tobytes()[:4] == b"\x00\x00\xc0\x3f"
    assert np.isfinite(sent[2])
    assert np.isnan(sent[1])


def test_predictions_become_columns(start: Start):
    navigator = start()
    score = foretell(navigator)
    described = navigator.columns.described
    assert described["predicted"].known == described["tier"].known == 15_625
    assert described["predicted"].unit == "%"
    assert described["result"].unit == "%"
    assert navigator.percentile(float(score.max())) == 100
    assert navigator.percentile(None) is None


def test_a_search_does_not_see_the_columns_of_the_table():
    data = make("benchmark", "nasbench201")
    study = Study(None, data.space, "random", data)
    hidden, shown = Navigator(study, data), Navigator(study, data, truth=True)
    truth = {name for name, column in shown.columns.described.items() if column.kind == "truth"}
    assert "true_accuracy" in truth
    assert not any(column.kind == "truth" for column in hidden.columns.described.values())
    assert np.array_equal(shown.columns.values["true_accuracy"], data.expected("accuracy"), equal_nan=True)
    for navigator in (hidden, shown):
        navigator.close()
