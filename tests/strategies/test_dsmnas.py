"""Subspace mining: its gradients, its centres by hand, what the policy learns, and the real table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered
from tierwise import Study, make
from tierwise.architecture import Architecture
from tierwise.errors import BadSetting
from tierwise.history import Trial
from tierwise.space import Space
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.dsmnas import DSMNAS, ENTROPY, ascent, choice
from tierwise.strategies.random import Random
from tierwise.testing import check_strategy

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered()], ids=repr)
def test_conforms(space: Space):
    check_strategy(DSMNAS, space)


def test_the_step_is_the_gradient_of_reward_and_entropy():
    raw, allowed = np.array([0.3, -0.8, 1.1, 0.1]), np.array([True, True, False, True])

    def gain(x: Any, reward: float) -> float:
        logits = (0.6 * np.tanh(x))[allowed]
        chance = np.exp(logits) / np.exp(logits).sum()
        return float(reward * np.log(chance[1]) - ENTROPY * (chance * np.log(chance)).sum())

    for reward in (0.7, -2.0, 0.0):
        slope = [(gain(raw + step, reward) - gain(raw - step, reward)) / 2e-6 for step in 1e-6 * np.eye(4)]
        assert ascent(*choice(raw, 0.6, allowed), 1, reward) == pytest.approx(slope, abs=1e-8)


def value(arch: Architecture) -> float:
    return float(sum((gene == 3) + 0.01 * gene for gene in arch.genes))


def large() -> Space:
    return Edges("large", 6, OPS, shared=("avg_pool_3x3",))


def centres_by_hand(trials: list[Trial]) -> list[tuple[str, float]]:
    """Three centres: random trials in turn, children to the centre they come from; only better ones stay."""
    held: list[tuple[str, float]] = []
    for position, trial in enumerate(trials):
        found = str(trial.arch), trial.metrics["accuracy"]
        if len(held) < 3:
            held.append(found)
            continue
        place = trial.why["centre"] if "edits" in trial.why else position % 3
        if found[1] > held[place][1]:
            held[place] = found
    return held


def test_a_better_child_takes_the_place_of_its_centre():
    with Study(None, large(), DSMNAS(), value, seed=1) as study:
        study.run(60, batch=5)
        trials = study.trials()
    assert [trial.why.get("step") for trial in trials[:10]] == ["random"] * 10
    for start in range(10, 60, 5):
        held = centres_by_hand(trials[:start])
        for trial in trials[start : start + 5]:
            assert list(zip(trial.why["centres"], trial.why["values"], strict=True)) == held
            child = list(Architecture.parse(trial.why["centres"][trial.why["centre"]]).genes)
            for position, option in trial.why["edits"]:
                child[position] = option
            assert tuple(child) == trial.arch.genes
            assert len(trial.why["edits"]) == 4


def test_the_policy_comes_to_prefer_the_better_centre_and_the_better_option():
    with Study(None, large(), DSMNAS(), value, seed=2) as study:
        study.run(500)
        late = [trial.why for trial in study.trials()[-200:]]
    options = [option for why in late for _, option in why["edits"]]
    share = np.bincount(options, minlength=5) / len(options)
    print(f"shares of the options {share.round(3)}")
    assert share[3] > 0.25  # of 800 choices: three and a half standard deviations above an even share
    assert share[3] == share.max()


@pytest.mark.parametrize("kept", [OPS[:2], OPS[3:]], ids=str)
def test_narrowed_spaces_have_no_centres_outside(kept: tuple[str, ...]):
    with Study(None, NASBench201(), DSMNAS(), value, seed=3) as study:
        study.run(40)
        history = study.history()
    smaller = history.space.narrow(history.space.choices[0].path, kept)
    steered = replace(history, space=smaller)
    for proposal in DSMNAS().ask(steered, 5, np.random.default_rng(0)):
        assert proposal.arch in smaller
        assert all(Architecture.parse(centre) in smaller for centre in proposal.why.get("centres", ()))


def test_it_beats_random_search():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    best: dict[str, list[float]] = {"DSMNAS": [], "Random": []}
    for seed in range(10):
        for strategy in (DSMNAS(), Random()):
            with Study(None, data.space, strategy, data, seed=seed) as study:
                study.run(150)
                best[type(strategy).__name__].append(float(np.nanmax(study.history().y)))
    mean = {name: float(np.mean(values)) for name, values in best.items()}
    print(mean)
    assert mean["DSMNAS"] > mean["Random"] + 0.1


@pytest.mark.parametrize("wrong", [{"centres": 1}, {"edits": 0}, {"first": 9}, {"centres": 12}], ids=str)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match="centres of 2 or more") as caught:
        DSMNAS(**wrong)
    assert caught.value.setting == "dsmnas"
