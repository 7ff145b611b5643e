"""Novelty search: its two networks, what it covers, and what a long study costs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered, tiny
from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies import novelty
from tierwise.strategies.novelty import Novelty
from tierwise.testing import check_strategy
from tierwise.testing.strategy_case import StrategyCase, synthetic


@pytest.mark.parametrize(
    ("encoding", "space"),
    [("onehot", NASBench201()), ("paths", tiny()), ("onehot", Flat()), ("onehot", Unordered())],
    ids=lambda x: getattr(x, "name", x),
)
def test_it_does_all_that_a_study_relies_on(encoding: str, space: Space):
    check_strategy(lambda: Novelty(encoding=encoding, passes=3, candidates=100), space)


def fresh_encoders(inputs: int = 7) -> Any:
    return novelty._Encoders.new(inputs, np.random.default_rng(0))


def test_the_networks_have_the_published_depth():
    encoders = fresh_encoders(7)
    width, outputs = novelty.WIDTH, novelty.OUTPUTS

    def weights(hidden: int) -> int:
        return 7 * width + width + (hidden - 1) * (width * width + width) + width * outputs + outputs

    assert (len(encoders.frozen), len(encoders.learnt)) == (weights(3), weights(5))


def test_the_gradient_is_that_of_the_squared_error():
    rng = np.random.default_rng(3)
    sizes = novelty._sizes(4, 2)
    weights = novelty._random_weights(sizes, rng).astype(np.float64)
    x, target = rng.normal(size=(6, 4)), rng.normal(size=(6, novelty.OUTPUTS))

    def error(w: Any) -> float:
        return float(((novelty._outputs(w, sizes, x)[-1] - target) ** 2).sum() / len(x))

    gradient = novelty._gradient(weights, sizes, x, target)
    for place in rng.integers(len(weights), size=40):
        moved = np.zeros_like(weights)
        moved[place] = 1e-6
        slope = (error(weights + moved) - error(weights - moved)) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_what_was_learnt_is_not_novel_and_the_frozen_network_stays():
    rng = np.random.default_rng(1)
    seen, unseen = (rng.choice([-1.0, 1.0], (40, 12)).astype(np.float32) for _ in range(2))
    before = fresh_encoders(12)
    after = before
    for _ in range(100):
        after = after.step(seen)
    assert np.array_equal(after.frozen, before.frozen)
    assert np.median(after.novelty(seen)) < np.median(after.novelty(unseen)) / 3
    assert np.median(after.novelty(seen)) < np.median(before.novelty(seen)) / 10


def test_the_most_novel_are_unlike_what_was_seen():
    """Trials that all have one operation on the first edge: what has another one there is new."""
    space = NASBench201()
    path = space.choices[0].path
    part = space.narrow(path, ["nor_conv_3x3"])
    case = StrategyCase(Novelty, space, synthetic, 30)
    known = part.sample(120, np.random.default_rng(0))
    history = case.history(0).with_running(Architectures(space, known.genes))
    proposals = case.ask(history, 20)
    assert {p.why["step"] for p in proposals} == {"novel"}
    assert sum(p.arch.genes[0] != known.genes[0, 0] for p in proposals) >= 19  # four in five of random ones
    values = [p.why["novelty"] for p in proposals]
    assert values == sorted(values, reverse=True)


def test_what_still_runs_is_not_novel_any_more():
    case = StrategyCase(Novelty, NASBench201(), synthetic, 30)
    history = case.history(40)
    asked = Architectures.of([p.arch for p in case.ask(history, 5)], history.space)
    x = novelty._features("onehot", asked, history.seed)
    later = history.with_running(asked)
    assert Novelty()._trained(later).novelty(x).mean() < Novelty()._trained(history).novelty(x).mean() / 2


def test_a_narrowed_space_leaves_what_was_learnt_as_it_is():
    case = StrategyCase(Novelty, NASBench201(), synthetic, 30)
    history = case.history(40)
    path = history.space.choices[2].path
    steered = replace(history, space=history.space.narrow(path, ["none", "skip_connect"]))
    proposals = case.ask(steered, 4)
    archs = Architectures.of([p.arch for p in proposals], history.space)
    learnt = Novelty()._trained(history).novelty(novelty._features("onehot", archs, history.seed))
    assert [p.why["novelty"] for p in proposals] == pytest.approx(learnt.tolist(), abs=1e-3)


def explored(strategy: Any, encoding: str, trials: int, seed: int) -> Any:
    """Features of the trials of a study in units of their spread over the space."""
    space = NASBench201()
    with Study(None, space, strategy, lambda arch: 1.0, seed=seed) as study:
        study.run(trials)
        archs = study.history().archs
    encode = make("encoding", encoding).transform
    every = encode(space.enumerate()).astype(np.float64)
    spread = every.std(0)
    return encode(archs) / np.where(spread > 0, spread, 1)


@pytest.mark.parametrize("encoding", ["paths", "node_costs"])
def test_it_covers_the_features_better_than_random_sampling(encoding: str):
    every = explored("random", encoding, 2_000, seed=99)
    apart: dict[str, list[float]] = {"random": [], "novelty": []}
    gap: dict[str, list[float]] = {"random": [], "novelty": []}
    for name, strategy in (("random", "random"), ("novelty", Novelty(encoding=encoding))):
        for seed in range(3):
            x = explored(strategy, encoding, 150, seed)
            apart[name].append(float(distances(x, x).mean()))
            gap[name].append(float(distances(every, x).min(1).max()))
    print(
        encoding, {k: np.mean(v).round(2) for k, v in apart.items()}, {k: np.mean(v).round(2) for k, v in gap.items()}
    )
    assert np.mean(apart["novelty"]) > 1.2 * np.mean(apart["random"])  # mean pairwise distance
    assert np.mean(gap["novelty"]) < 0.85 * np.mean(gap["random"])  # the largest distance to the nearest trial


def distances(a: Any, b: Any) -> Any:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def test_a_replay_from_nothing_changes_nothing_however_long_it_is():
    case = StrategyCase(lambda: Novelty(generation=1, population=5, passes=1), Flat(), synthetic, 30)
    history = case.history(1_500)
    novelty._replayed.cache_clear()
    cold = case.ask(history, 3)
    short = case.ask(history.rows(np.arange(1_499)), 3)
    assert case.ask(history, 3) == cold  # remembered
    novelty._replayed.cache_clear()
    assert case.ask(history.rows(np.arange(1_499)), 3) == short


def test_a_generation_costs_the_same_early_and_late():
    strategy, steps, seconds = Novelty(generation=10, passes=3), list[int](), list[float]()
    case = StrategyCase(lambda: strategy, Flat(), synthetic, 30)
    history = case.history(2_000)
    counted = novelty._Encoders.step
    with pytest.MonkeyPatch.context() as patch:
        count = 0

        def step(self: Any, x: Any) -> Any:
            nonlocal count
            count += 1
            return counted(self, x)

        patch.setattr(novelty._Encoders, "step", step)
        for size in (*range(0, 400, 10), *range(1_600, 2_000, 10)):
            if size == 1_600:
                case.ask(history.rows(np.arange(1_590)), 1)  # the generations between, all at once
            before, begun = count, time.perf_counter()
            case.ask(history.rows(np.arange(size)), 1)
            steps.append(count - before)
            seconds.append(time.perf_counter() - begun)
    assert set(steps[1:]) == {3}
    print("ms an ask, early and late:", 1e3 * np.median(seconds[10:40]), 1e3 * np.median(seconds[50:]))
    assert novelty._replayed.cache_info().currsize <= 2 * novelty.STRIDE


@pytest.mark.parametrize("setting", ["generation", "population", "passes", "candidates"])
def test_settings_outside_what_is_allowed(setting: str):
    with pytest.raises(BadSetting, match="or more") as error:
        Novelty(**{setting: 0})
    assert error.value.setting == setting
