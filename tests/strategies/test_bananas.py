"""Bayesian optimisation: its acquisitions, its candidates, and what it finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered
from tierwise import Study, make
from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.bananas import ACQUISITIONS, Bananas, acquisition
from tierwise.testing import check_strategy
from tierwise.testing.strategy_case import StrategyCase, synthetic


def sum_of_genes(arch: Any) -> float:
    return float(sum(arch.genes))


@pytest.mark.parametrize(
    ("kind", "space"),
    [("its", NASBench201()), ("ei", NASBench201()), ("ucb", Unordered()), ("its", Flat())],
    ids=lambda x: getattr(x, "name", x),
)
def test_it_does_all_that_a_study_relies_on(kind: Any, space: Space):
    check_strategy(lambda: Bananas(acquisition=kind, candidates=200), space)


SCORE, STD = np.array([0.2, 1.0, 1.3, -4.0]), np.array([1.0, 0.1, 0.5, 0.0])


def test_thompson_sampling_draws_from_each_prediction_by_itself():
    rng = np.random.default_rng(0)
    draws = np.array([acquisition("its", SCORE, STD, 1.1, rng) for _ in range(4_000)])
    assert draws.mean(0) == pytest.approx(SCORE, abs=0.06)
    assert draws.std(0) == pytest.approx(STD, abs=0.06)
    assert np.abs(np.corrcoef(draws[:, :3].T) - np.eye(3)).max() < 0.06


def test_expected_improvement_is_the_mean_of_what_a_draw_is_better():
    draws = np.random.default_rng(1).normal(SCORE, STD, (200_000, 4))
    expected = np.maximum(draws - 1.1, 0).mean(0)
    assert acquisition("ei", SCORE, STD, 1.1, np.random.default_rng(0)) == pytest.approx(expected, abs=3e-3)
    sure = acquisition("ei", np.array([3.0, 1.0]), np.zeros(2), 2.0, np.random.default_rng(0))
    assert sure == pytest.approx([1.0, 0.0])


def test_the_other_acquisitions():
    rng = np.random.default_rng(0)
    assert acquisition("mean", SCORE, STD, 1.1, rng) == pytest.approx(SCORE)
    assert acquisition("ucb", SCORE, STD, 1.1, rng) == pytest.approx([0.7, 1.05, 1.55, -4.0])


def test_the_best_of_the_whole_space_are_proposed_where_it_can_be_listed():
    history = StrategyCase(Bananas, NASBench201(), synthetic, 30).history(40)
    proposals = Bananas(acquisition="mean").ask(history, 8, np.random.default_rng(0))
    predictor = make("predictor", "gp", seed=0).fit(history.archs, history.y)
    every = history.space.enumerate()
    every = every[np.flatnonzero(history.fresh(every))]
    top = np.sort(predictor.predict(every))[::-1][:8]
    assert [p.why["score"] for p in proposals] == pytest.approx(top.tolist(), abs=1e-4)
    assert proposals[0].why["step"] == "mean on 40 labels"


@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_the_unit_of_the_labels_does_not_matter(kind: Any):
    history = StrategyCase(Bananas, NASBench201(), synthetic, 30).history(40)
    other = replace(history, metrics={"accuracy": history.y / 100 - 7})
    asked = [Bananas(acquisition=kind).ask(h, 6, np.random.default_rng(4)) for h in (history, other)]
    assert asked[0] == asked[1]


def test_a_large_space_is_searched_around_its_best_results_and_at_random():
    space = Flat()
    strategy = Bananas(acquisition="mean", parents=2, candidates=40)
    with Study(None, space, strategy, sum_of_genes, seed=1) as study:
        study.run(20)
        history = study.history()
    proposals = strategy.ask(history, 40, np.random.default_rng(0))
    best = history.best(2).archs.genes
    differ = np.array([(best != p.arch.genes).sum(1).min() for p in proposals])
    assert 15 <= (differ == 1).sum() <= 20  # twice the same mutant is proposed once
    assert (differ > 10).sum() == 20


def test_it_beats_random_search_on_the_table():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    found: dict[str, list[float]] = {}
    strategies = {"random": "random", "its": Bananas(), "ei": Bananas(acquisition="ei")}
    for name, strategy in strategies.items():
        for seed in range(4):
            with Study(None, data.space, strategy, data, seed=seed) as study:
                study.run(60)
                found.setdefault(name, []).append(study.best()[0].metrics["accuracy"])
    means = {name: float(np.mean(values)) for name, values in found.items()}
    print(means)
    assert min(means["its"], means["ei"]) > means["random"] + 0.3


def test_a_predictor_that_is_not_sure_of_anything_is_refused_before_the_first_label():
    history = StrategyCase(Bananas, NASBench201(), synthetic, 30).history(0)
    with pytest.raises(BadSetting, match="standard deviations") as error:
        Bananas(predictor="trees").ask(history, 1, np.random.default_rng(0))
    assert error.value.setting == "predictor"
    assert Bananas(predictor="trees", acquisition="mean").ask(history, 1, np.random.default_rng(0))
    with pytest.raises(UnknownName, match="gpp"):
        Bananas(predictor="gpp").ask(history, 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"acquisition": "pi"}, '"its" or "ei" or "ucb" or "mean"'),
        ({"first": 9}, "10 or more"),
        ({"parents": 0}, "1 or more"),
        ({"candidates": 0}, "1 or more"),
    ],
    ids=lambda x: next(iter(x)),
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any], allowed: str):
    with pytest.raises(BadSetting, match=allowed) as error:
        Bananas(**wrong)
    assert error.value.setting == next(iter(wrong))
