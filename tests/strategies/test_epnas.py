"""Progressive growth: where it starts, its steps, its two ways to draw, and whether it finds anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tierwise import Study, make, registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.epnas import EPNAS, draw, learn_policy, move_logits, present_step, smallest
from tierwise.testing import check_strategy

VARIANTS = ("temperature", "policy")


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch):
    make_any = registry.make

    def cheap(kind: Any, name: str, **settings: Any) -> Any:
        return make_any(kind, name, **({"trees": 15} if name == "forest" else {}), **settings)

    monkeypatch.setattr(registry, "make", cheap)


def studied(space: Any, strategy: Any, trials: int = 60, **more: Any) -> Any:
    with Study(None, space, strategy, lambda arch: float(sum(arch.genes)), seed=2, **more) as study:
        study.run(trials)
        return study.history()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered()], ids=repr)
def test_it_conforms(space, variant):
    check_strategy(lambda: EPNAS(variant), space)


def test_it_starts_from_the_fewest_flops_or_the_first_options():
    costed = studied(tiny(cls=Costed), EPNAS(), 12)
    every = costed.space.enumerate()
    assert costed.space.totals(costed.archs[:1])[0, 0] == costed.space.totals(every)[:, 0].min()
    assert costed.why(0)["step"] == "smallest"
    assert studied(Flat(), EPNAS(), 12).archs.genes[0].tolist() == [0] * 80


def test_the_smallest_is_within_the_limits():
    history = studied(tiny(cls=Costed), EPNAS(), 12, limits={"flops": (300_000, 10**9)})
    assert history.feasible(smallest(history)).all()
    assert history.space.totals(smallest(history))[0, 0] >= 300_000


def test_every_step_of_a_sweep_departs_in_one_more_choice():
    history = studied(Flat(), EPNAS(k=5), 60)
    start, grown = history.archs.genes[0], [row for row in range(60) if "parent" in history.why(row)]
    assert len(grown) == 40
    steps = [history.why(row)["step"] for row in grown]
    assert steps == sorted(steps)
    assert Counter(steps) == dict.fromkeys(range(1, 9), 5)
    for row in grown:
        why, genes = history.why(row), history.archs.genes[row]
        parent = np.array(history.space.parse(why["parent"]).genes)
        assert (genes != start).sum() == why["step"] == (parent != start).sum() + 1
        assert (genes != parent).sum() == 1


def test_parents_are_the_best_of_the_step_before():
    history = studied(Flat(), EPNAS(k=5), 60)
    for row in range(20, 60):
        why = history.why(row)
        if why["step"] == 1:
            continue
        before = [r for r in range(row) if (history.archs.genes[r] != history.archs.genes[0]).sum() == why["step"] - 1]
        best = sorted(before, key=lambda r: -history.y[r])[:5]
        assert why["parent"] in {str(history.archs[r]) for r in best}


def test_temperature_falls_from_the_warmest_to_the_coldest():
    history = studied(Flat(), EPNAS(k=5, warmest=2.0, coldest=0.5), 60)
    seen = [history.why(row)["temperature"] for row in range(20, 60)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(2.0 * 0.25 ** (20 / 60), rel=1e-4)
    assert seen[-1] == pytest.approx(2.0 * 0.25 ** (55 / 60), rel=1e-4)


def test_draws_follow_the_softmax_and_never_repeat():
    logits, rng = np.log([0.6, 0.3, 0.1]), np.random.default_rng(0)
    first = Counter(int(draw(logits, 1, rng)[0]) for _ in range(4_000))
    assert [first[row] / 4_000 for row in range(3)] == pytest.approx([0.6, 0.3, 0.1], abs=0.03)
    assert sorted(draw(logits, 3, rng)) == [0, 1, 2]


def test_where_a_sweep_stands():
    whys = [{"strategy": "epnas", "step": step} for step in ("random", 1, 1, 2, 2, 2)]
    assert present_step(whys) == (2, 3)
    assert present_step([*whys, {"strategy": "tiers", "step": 7}]) == (2, 3)
    assert present_step(whys[:1]) == (1, 0)


def test_the_policy_takes_steps_of_reinforce():
    """Against the gradient of the logarithm of the chance, by differences."""
    space = tiny(cls=Costed)
    history = studied(space, "random", 12)
    parent, child = np.array([0, 1, 2], np.int16), np.array([0, 3, 2], np.int16)
    theta = learn_policy(history, [(parent, child), (parent, child)], [0.5, 0.9], 1.0)
    # the first reward is the average that it is compared with, so that only the second is learnt from
    options = space.neighbours(Architectures(space, parent[None]))[0].genes

    def log_chance(table: Any) -> float:
        logits = move_logits(table, parent, options)
        return float(logits[(options == child).all(1)][0] - np.log(np.exp(logits).sum()))

    expected, zero = np.zeros_like(theta), np.zeros_like(theta)
    for at in np.ndindex(*theta.shape):
        nudge = zero.copy()
        nudge[at] = 1e-6
        expected[at] = 0.4 * (log_chance(nudge) - log_chance(-nudge)) / 2e-6
    np.testing.assert_allclose(theta, expected, atol=1e-6)
    assert theta[1, 4] > 0 > theta[1, 3]


def test_the_policy_comes_to_prefer_what_is_rewarded():
    history = studied(Flat(), EPNAS("policy", k=5), 120)
    later = [row for row in range(60, 120) if "parent" in history.why(row)]
    up = [history.y[row] > sum(history.space.parse(history.why(row)["parent"]).genes) for row in later]
    assert np.mean(up) > 0.9


def test_the_soft_constraint_lowers_the_reward():
    history = studied(tiny(cls=Costed), EPNAS("policy"), 40)
    done = history.done
    flops = history.space.totals(done.archs)[:, 0]
    most = float(np.median(flops))
    plain, soft = EPNAS("policy")._rewards(done), EPNAS("policy", flops=most)._rewards(done)
    assert (soft[flops <= most] == plain[flops <= most]).all()
    over = flops > most
    np.testing.assert_allclose(soft[over], plain[over] * most / flops[over])


def test_a_step_ends_with_its_k_children():
    history = studied(Flat(), EPNAS(k=5), 23)  # two of a step are left
    assert len(EPNAS(k=5).ask(replace(history, total=100), 16, np.random.default_rng(0))) == 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_beats_random_search_on_a_real_table(variant: Any):
    data = make("benchmark", "nasbench201", dataset="cifar10")

    def later(strategy: Any, seed: int) -> float:
        with Study(None, data.space, strategy, data, seed=seed) as study:
            study.run(100)
            return float(np.median([t.metrics["accuracy"] for t in study.trials()[60:]]))

    ours = [later(EPNAS(variant), seed) for seed in range(3)]
    chance = [later("random", seed) for seed in range(3)]
    print(f"{variant}: median accuracy after 60 of 100: {np.mean(ours):.2f}, random {np.mean(chance):.2f}")
    assert np.mean(ours) > np.mean(chance) + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"variant": "hourly"},
        {"first": 3},
        {"k": 0},
        {"coldest": 0.0},
        {"warmest": 0.01},
        {"learning_rate": 0.0},
        {"flops": -1.0},
    ],
    ids=repr,
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match=f"{next(iter(wrong))}.*allowed: .+"):
        EPNAS(**wrong)
