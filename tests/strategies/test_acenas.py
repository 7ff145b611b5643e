"""Long rounds: what each place of a round is for, in whatever pieces it is asked for; k-centre selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered, tiny
from tests.strategies.stand_ins import regrets, use_ridge
from tierwise import Study
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.acenas import AceNAS, k_centre
from tierwise.strategies.random import Random
from tierwise.testing import check_strategy

WEIGHTS = np.array([100.0, 37.0, 11.0, 5.0, 2.0, 1.0])


def value(arch: Any) -> float:
    return float(WEIGHTS @ np.array(arch.genes))


def kinds(study: Study) -> list[str]:
    return [trial.why["step"].split()[0] for trial in study.trials()]


@pytest.mark.parametrize("explore", ["random", "k-centre"])
@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered()], ids=repr)
def test_conforms(space: Any, explore: Any, monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "ace")
    check_strategy(lambda: AceNAS(predictor="ace", explore=explore, pool=200, draws=400), space, trials=60)


def test_conforms_with_a_forest():
    check_strategy(lambda: AceNAS(predictor="forest"), tiny(), trials=30)


@pytest.mark.parametrize("batch", [1, 7, 20, 100])
def test_rounds_are_the_same_in_any_pieces(batch: int, monkeypatch: pytest.MonkeyPatch):
    fits = use_ridge(monkeypatch, f"pieces {batch}")
    strategy = AceNAS(predictor=f"pieces {batch}")
    with Study(None, NASBench201(), strategy, value, seed=1) as study:
        study.run(103, batch=batch)
        assert kinds(study) == ["random"] * 20 + (["top"] * 10 + ["random"] * 10) * 4 + ["top"] * 3
        assert [t.why["step"] for t in study.trials()][20::20] == [f"top on {n} labels" for n in (20, 40, 60, 80, 100)]
    assert fits == [20, 40, 60, 80, 100]  # once a round, from the rounds before


def test_the_top_is_the_best_of_all_that_is_left(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "exact")
    space = NASBench201()
    with Study(None, space, AceNAS(predictor="exact", rounds=2), value, seed=2) as study:
        study.run(120, batch=60)
        history = study.history()
    first = history.archs[:60]
    every = space.enumerate()
    _, once = np.unique(space.canonical(every), return_index=True)  # each network by its first row
    networks = every[once]
    left = networks[np.flatnonzero(~np.isin(space.canonical(networks), space.canonical(first)))]
    np.testing.assert_allclose(history.y[60:90], np.sort(left.genes @ WEIGHTS)[::-1][:30])
    assert kinds(study)[60:] == ["top"] * 30 + ["random"] * 30


def test_a_study_without_a_plan_has_rounds_of_twenty(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "unplanned")
    with Study(None, NASBench201(), AceNAS(predictor="unplanned"), value, seed=3) as study:
        for _ in range(8):
            for trial in study.ask(5):
                study.tell(trial, value(trial.arch))
        assert kinds(study) == ["random"] * 20 + ["top"] * 10 + ["random"] * 10


def test_k_centre_is_the_greedy_one():
    rng = np.random.default_rng(4)
    points, centres = rng.normal(size=(60, 5)), rng.normal(size=(1_203, 5)) * 0.3
    taken: list[int] = []
    for _ in range(12):
        held = np.concatenate([centres, points[taken]])
        taken.append(int(np.linalg.norm(points[:, None] - held, axis=2).min(1).argmax()))
    assert k_centre(points, centres, 12).tolist() == taken
    assert sorted(k_centre(np.ones((5, 2)), np.ones((1, 2)), 5).tolist()) == [0, 1, 2, 3, 4]


def test_k_centre_explores_farther_than_random_does(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "far")
    nearest: list[float] = []
    for explore in ("k-centre", "random"):
        strategy = AceNAS(predictor="far", explore=explore, draws=400)
        with Study(None, Flat(), strategy, lambda arch: float(sum(arch.genes)), seed=5) as study:
            study.run(100)
            assert kinds(study)[20:] == (["top"] * 10 + [explore] * 10) * 4
            genes = study.history().archs.genes
        nearest.append(np.mean([(genes[:row] != genes[row]).sum(1).min() for row in range(90, 100)]))
    assert nearest[0] > nearest[1] + 3  # choices, of 80


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"explore": "nowhere"}, 'explore.*"random" or "k-centre"'),
        ({"rounds": 1}, "rounds.*2 or more"),
        ({"pool": 0}, "pool.*1 or more"),
        ({"draws": 1}, "draws.*2 or more"),
    ],
    ids=str,
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any], said: str):
    with pytest.raises(BadSetting, match=said):
        AceNAS(**wrong)


@pytest.mark.parametrize("explore", ["random", "k-centre"])
def test_it_beats_random_search(explore: Any):
    ours, random = (regrets(s, seeds=3, trials=100) for s in (AceNAS(predictor="forest", explore=explore), Random()))
    print("regret after 100 trials:", ours, "random:", random)
    assert max(ours) < min(random)
