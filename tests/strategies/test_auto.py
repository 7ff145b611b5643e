"""The default search: opens with what promises much, spreads its batches, and finds the best in few evaluations."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")
pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from tests.small_spaces import Flat, tiny
from tierwise import Study, pareto, registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.history import Prior
from tierwise.predictors.auto import Auto as AutoPredictor
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies import auto
from tierwise.strategies.auto import Auto
from tierwise.testing import check_strategy

SPACE = NASBench201()
CELLS = SPACE.enumerate()


@pytest.fixture(scope="module")
def table():
    return registry.make("benchmark", "nasbench201")


def test_conforms_on_a_space_too_large_to_list():
    check_strategy(lambda: Auto(draws=500), Flat(), trials=16)


def test_opens_with_promising_and_random_cells_by_turns(table):
    with Study(None, SPACE, Auto(first=8), table) as study:
        trials = study.ask(3) + study.ask(5)
    promise = auto._promise(CELLS)
    own = promise[SPACE.index(Architectures.of([trial.arch for trial in trials], SPACE))]
    places = [float((promise < each).mean()) for each in own]
    assert [trial.why["step"] for trial in trials] == ["promising before any label", "random"] * 4
    assert min(places[::2]) > 0.9
    assert min(places[1::2]) < 0.9


def test_finds_one_of_the_best_sixteen_of_15625_in_forty_evaluations(table):
    accuracy = table.expected("accuracy")
    best = np.sort(accuracy)[-16]
    for seed in (1, 2):
        with Study(None, SPACE, Auto(), table, seed=seed) as study:
            study.run(40, batch=4)
            assert study.history().done.y.max() >= best - 0.05


def test_one_row_at_a_time_or_a_batch_picks_the_same_first(table):
    accuracy = table.expected("accuracy")
    drawn = np.random.default_rng(0).permutation(SPACE.size)[:40]
    predictor = AutoPredictor(members=()).fit(CELLS[drawn], accuracy[drawn])
    among, none = CELLS[::7], CELLS[:0]
    rows, score, std = predictor.pick(among, 5, 1.5, none)
    mean, spread = predictor._moments(predictor.process_, among)
    assert rows[0] == np.argmax(mean + 1.5 * spread)
    np.testing.assert_allclose(score, mean[rows], atol=2e-3)  # a believed label changes no mean
    assert (std <= spread[rows] + 1e-4).all()
    greedy = np.argsort(-(mean + 1.5 * spread))[:5]
    assert set(rows.tolist()) != set(greedy.tolist())  # a batch is more than the five best of one look


def test_what_runs_is_not_asked_for_in_another_guise(table):
    accuracy = table.expected("accuracy")
    drawn = np.random.default_rng(0).permutation(SPACE.size)[:40]
    predictor = AutoPredictor(members=()).fit(CELLS[drawn], accuracy[drawn])
    among = CELLS[::7]
    alone = predictor.pick(among, 1, 3.0, CELLS[:0])
    beside = predictor.pick(among, 1, 3.0, among[alone[0]])
    assert beside[0][0] != alone[0][0]


def test_labels_are_learnt_anew_when_they_have_grown_by_a_quarter(table):
    with Study(None, SPACE, Auto(), table) as study:
        study.run(20, batch=5)
        done = study.history().done
    auto._chosen.cache_clear()
    for n in (18, 19, 20):
        auto._fitted(0, done.rows(np.arange(n)))
    assert auto._chosen.cache_info().misses == 1  # all three start from the first eighteen


def test_limits_and_narrowing_hold_from_the_opening_on(table):
    smaller = SPACE.narrow(SPACE.choices[0].path, ["none", "skip_connect"])
    with Study(None, SPACE, Auto(), table, limits={"params": 400_000}) as study:
        study.run(16, batch=4)
        history = study.history()
        assert (SPACE.totals(history.archs)[:, 1] <= 400_000).all()
        steered = replace(history, space=smaller)
        asked = [p.arch for p in Auto().ask(steered, 4, np.random.default_rng(0))]
    assert all(arch in smaller for arch in asked)


def test_a_space_without_costs_and_one_of_few_members():
    with Study(None, tiny(), Auto(), lambda arch: float(sum(arch.genes))) as study:
        study.run(20)
        assert study.finished == 20


@pytest.mark.parametrize("settings", [{"first": 3}, {"draws": 0}, {"optimism": -1.0}, {"cheap": -1}, {"screened": 3}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(BadSetting, match="first and screened of 4 or more"):
        Auto(**settings)


class Epochs:
    """The table with a noisier, far cheaper accuracy under budget 12."""

    def __init__(self, table):
        self.table, self.accuracy = table, table.expected("accuracy")
        self.early = self.accuracy + np.random.default_rng(3).normal(0, 1.0, SPACE.size)

    def __call__(self, arch, job):
        column = self.early if job.budget else self.accuracy
        return float(column[SPACE.index(Architectures.of([arch], SPACE))[0]])


def test_cheap_evaluations_come_first_and_teach_the_opening(table):
    with Study(None, SPACE, Auto(cheap=12, screened=20), Epochs(table)) as study:
        study.run(30, batch=5)
        history, trials = study.history(), study.trials()
    assert [trial.budget for trial in trials] == [12] * 20 + [0] * 10
    assert len(history.done) == 10
    assert {trial.why["step"] for trial in trials[20:24]} == {"best by what is known"}
    assert (history.done.y[:4] > np.median(table.expected("accuracy"))).all()


def test_labels_of_another_task_open_the_search_and_are_no_trials(table):
    drawn = np.random.default_rng(1).permutation(SPACE.size)[:100]
    other = registry.make("benchmark", "nasbench201", dataset="cifar100").expected("accuracy")
    prior = Prior(CELLS[drawn], other[drawn], "cifar100")
    with Study(None, SPACE, Auto(), table, prior=prior) as study:
        first = [trial.arch for trial in study.ask(6)]
        assert study.finished == 0
    found = table.expected("accuracy")[SPACE.index(Architectures.of(first, SPACE))]
    assert (found > np.quantile(table.expected("accuracy"), 0.9)).all()


def test_what_one_more_evaluation_may_gain_falls_with_distance_and_certainty():
    y = np.linspace(80, 90, 40)
    gain = auto.expected_gain(y, np.linspace(-2, 2, 40), np.array([3.0, 2.0, 1.0, 1.0]), np.array([0.3, 0.3, 0.3, 0.1]))
    assert (np.diff(gain) < 0).all()
    assert (gain > 0).all()
    assert auto.expected_gain(np.full(5, 3.0), np.zeros(5), np.zeros(2), np.ones(2)) == pytest.approx(0.0)


def test_a_search_ends_when_one_more_evaluation_would_gain_too_little(table):
    with Study(None, SPACE, Auto(), table) as study:
        reasons = study.run(120, batch=1, gain=0.05)
        assert reasons["expected gain"] < 0.05
        assert 20 < study.finished < 120


def test_against_a_cost_the_front_grows_faster_than_by_chance(table):
    covered = {}
    goals = np.stack([table.expected("accuracy"), -table.known_columns["latency"]], 1)
    for strategy in (Auto(), registry.make("strategy", "random")):
        with Study(None, SPACE, strategy, table, against=("latency",), seed=2) as study:
            study.run(40, batch=5)
            known = pareto.goals_of(study.history(), study.history().done.archs, study.history().done.y)
            assert len(study.front()) > 3
        covered[type(strategy).__name__] = pareto.hypervolume(pareto.scaled(known, goals), np.zeros(2))
    assert covered["Auto"] > covered["Random"]
