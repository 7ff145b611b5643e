"""Weak predictors: labels of every round are used, and draws are uniform in the top of what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered, tiny
from tests.strategies.stand_ins import regrets, use_ridge
from tierwise import Study
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.random import Random
from tierwise.strategies.weaknas import WeakNAS
from tierwise.testing import check_strategy

WEIGHTS = np.array([100.0, 37.0, 11.0, 5.0, 2.0, 1.0])


def value(arch: Any) -> float:
    return float(WEIGHTS @ np.array(arch.genes))


@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered()], ids=repr)
def test_conforms(space: Any, monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "weak")
    check_strategy(lambda: WeakNAS(predictor="weak", top=20, draws=400), space)


def test_conforms_with_a_forest():
    check_strategy(lambda: WeakNAS(predictor="forest"), tiny(), trials=20)


def test_every_round_learns_from_all_labels(monkeypatch: pytest.MonkeyPatch):
    fits = use_ridge(monkeypatch, "counted")
    with Study(None, NASBench201(), WeakNAS(predictor="counted", first=15), value, seed=1) as study:
        study.run(55, batch=10)
        steps = [trial.why["step"] for trial in study.trials()]
    assert steps[:15] == ["random"] * 15
    assert steps[15:] == [f"round on {n} labels" for n in (15, 25, 35, 45) for _ in range(10)]
    assert fits == [15, 25, 35, 45]


def test_a_round_is_a_uniform_draw_from_the_top_of_what_is_left(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "exact")
    space = NASBench201()
    strategy = WeakNAS(predictor="exact", first=40, top=30)
    with Study(None, space, strategy, value, seed=2) as study:
        study.run(60, batch=10)
        history = study.history()
    every = space.enumerate()
    left = every[np.flatnonzero(~np.isin(space.canonical(every), history.canon))]
    worth = left.genes @ WEIGHTS
    keys = space.canonical(left)
    best_of_network = {key: worth[keys == key].max() for key in np.unique(keys[worth >= np.sort(worth)[-300]])}
    bar = sorted(best_of_network.values())[-30]
    drawn = [p for s in range(200) for p in strategy.ask(history, 3, np.random.default_rng(s))]
    assert min(value(p.arch) for p in drawn) >= bar - 5.0  # equal networks may be held by another of their rows
    places = np.bincount([p.why["place"] for p in drawn], minlength=31)[1:]
    assert len(places) == 30
    assert places.sum() == 600
    assert places.min() >= 5  # 20 expected each
    assert ((places - 20) ** 2 / 20).sum() < 60  # chi-square, 29 degrees of freedom: 58.3 is passed once in 1,000


def test_a_space_too_large_to_list_is_climbed(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "large")
    wide = lambda arch: float(sum(g == 1 for g in arch.genes))  # noqa: E731
    means: list[float] = []
    for strategy in (WeakNAS(predictor="large", top=10, draws=1_000), Random()):
        with Study(None, Flat(), strategy, wide, seed=3) as study:
            study.run(80)
            means.append(float(np.mean(study.history().y[60:])))
    assert means[0] > means[1] + 8  # a random one has 33 of 80, with a standard deviation of 4.4


@pytest.mark.parametrize(
    ("wrong", "named"), [({"first": 9}, "first"), ({"top": 0}, "top"), ({"draws": 1}, "draws")], ids=str
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any], named: str):
    with pytest.raises(BadSetting, match=f"{named}.*or more"):
        WeakNAS(**wrong)


def test_it_beats_random_search():
    ours, random = (regrets(s, seeds=3, trials=70) for s in (WeakNAS(predictor="forest"), Random()))
    print("regret after 70 trials:", ours, "random:", random)
    assert max(ours) < min(random)
