"""The outer search of FaDE: memory-less, by the order of candidates alone, and it climbs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import Study
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.job import Job
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.strategies.fade import Fade, pseudo_gradient

SPACE = Stages("stages", 4, [StageOptions(16, (1, 2, 4, 8, 16), ("linear",), ("relu", "tanh"))] * 2)


class Weights:
    """A region whose candidates are worth what `value` says of their genes, in each stage for itself."""

    def __init__(self, value: Any):
        self.value, self.regions = value, list[Architectures]()

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        return {"accuracy": sum(self.value(arch.genes[block]) for block in SPACE.blocks)}

    def many(self, archs: Architectures, seeds: Any, budget: int = 0) -> dict[str, np.ndarray]:
        columns = {}
        if budget:
            self.regions.append(archs)
            for k, block in enumerate(SPACE.blocks, start=1):
                worth = np.exp([self.value(row) for row in archs.genes[:, block].tolist()])
                columns[f"stage{k}"] = worth / worth.sum()
        return {"accuracy": np.array([self(arch, Job(0, 0))["accuracy"] for arch in archs]), **columns}


def linear(genes: Any) -> float:
    """Every edge and the width count for themselves."""
    return float(np.dot(genes, [1, -1, 1, 1, -1, 1, 0.8, 0, 0]))


def walk(seed: int = 0, value: Any = linear, **settings: Any) -> tuple[Study, Weights]:
    evaluator = Weights(value)
    strategy = Fade(**{"candidates": 8, "epochs": 5, "regions": 12, **settings})
    study = Study(None, SPACE, strategy, evaluator, seed=seed)
    assert "exhausted" in study.run(1_000, batch=strategy.candidates)
    return study, evaluator


def test_what_is_linear_in_the_bits_is_found_within_a_few_regions() -> None:
    best = max(linear(genes) for genes in np.array(np.meshgrid(*[[0, 1]] * 6, range(5), [0], [0])).reshape(9, -1).T)
    for seed in range(3):
        study, evaluator = walk(seed)
        means = [
            np.mean([linear(row) for row in rows.genes[:, SPACE.blocks[0]].tolist()]) for rows in evaluator.regions
        ]
        assert means[-1] > means[0] + 2
        (answer,) = study.best()
        found = sum(linear(answer.arch.genes[block]) for block in SPACE.blocks)
        assert found >= 2 * best - 2.5  # of 2 x 7.2; random architectures have 2 x 2.6 on average
        assert answer.why == {"strategy": "fade", "answer": 1}


def test_only_full_evaluations_are_results() -> None:
    study, evaluator = walk()
    assert len(evaluator.regions) == 12
    assert [trial.budget for trial in study.trials()] == [5] * 96 + [0]
    assert len(study.history().done) == 1


def test_only_the_order_in_the_last_region_counts() -> None:
    plain, _ = walk(regions=4)
    bent, _ = walk(regions=4, value=lambda genes: 10 * np.tanh(linear(genes) / 8) - 50)
    assert [trial.arch for trial in plain.trials()] == [trial.arch for trial in bent.trials()]


def test_a_region_has_each_candidate_once_and_keeps_the_best() -> None:
    _, evaluator = walk(regions=3, elites=2)
    for before, rows in zip(evaluator.regions, evaluator.regions[1:], strict=False):
        for k, block in enumerate(SPACE.blocks):
            keys = SPACE.block_keys(k, rows.genes[:, block])
            assert len(set(keys.tolist())) == 8
            order = np.argsort([-linear(row) for row in before.genes[:, block].tolist()], kind="stable")
            best = SPACE.block_keys(k, before.genes[order[:1]][:, block])
            assert best[0] in keys


def test_what_a_batch_has_begun_a_smaller_one_completes() -> None:
    evaluator = Weights(linear)
    with Study(None, SPACE, Fade(candidates=6, epochs=5, regions=3), evaluator) as study:
        study.run(1_000, batch=4)
        regions = [why["region"] for why in (trial.why for trial in study.trials()) if "region" in why]
        assert regions == [1] * 6 + [2] * 6 + [3] * 6


def test_with_any_other_evaluator_an_architecture_stands_for_its_candidates() -> None:
    with Study(None, SPACE, Fade(candidates=8), lambda arch: sum(linear(arch.genes[b]) for b in SPACE.blocks)) as study:
        study.run(120, batch=8)
        y = study.history().y
        assert y[-24:].mean() > y[:24].mean() + 2


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_the_pseudo_gradient_is_a_rank_weighted_covariance(scores: list[int]) -> None:
    features = np.random.default_rng(0).random((len(scores), 3))
    gradient = pseudo_gradient(np.array(scores, dtype=float), features)
    order = [sum(b < a for b in scores) + sum(b == a for b in scores) / 2 for a in scores]
    utility = np.array(order) - np.mean(order)
    size = np.abs(utility).sum()
    expected = np.zeros(3) if size == 0 else utility / max(size, 1.0) @ features
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"moves": "jump"}, "gradient, neighbours"), ({"step": 0.0}, "probability"), ({"candidates": 1}, "2 or more"),
        ({"candidates": 3, "elites": 3}, "no fewer"), ({"exploration": "fade"}, "another strategy"),
        ({"answers": 0}, "answers"),
    ],
)  # fmt: skip
def test_settings_that_make_no_search(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        Fade(**settings)
