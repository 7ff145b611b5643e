"""FaDE ranks: aggregations, permutations, dead candidates, fair sampling, and agreement with real trainings."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.supernets.staged import digits, drawn, region, vectors
from tierwise import metrics, registry
from tierwise.errors import BadSetting, UnknownName
from tierwise.evaluators.recipe import Recipe
from tierwise.supernets.correlation import retrained
from tierwise.supernets.fade import AGGREGATIONS, FadeRanks, fade_ranks
from tierwise.supernets.search import search
from tierwise.supernets.stages import StagedSupernet, supernet
from tierwise.supernets.supernet import Mixture

WEIGHTS = (np.array([[0.5, 0.5], [0.7, 0.3]]), np.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]]))


def ranks(aggregation: str = "mean") -> FadeRanks:
    return FadeRanks(drawn(vectors(), 2, 3), WEIGHTS, aggregation)


def test_scores_are_the_mean_the_product_or_the_least_of_the_mean_weights() -> None:
    paths = np.array([[0, 1], [1, 2]])
    chosen = np.array([[0.6, 0.55], [0.4, 0.3]])
    np.testing.assert_allclose(ranks().score(paths), chosen.mean(1))
    np.testing.assert_allclose(np.exp(ranks("log-sum").score(paths)), chosen.prod(1))
    np.testing.assert_allclose(ranks("min").score(paths), chosen.min(1))
    np.testing.assert_allclose(ranks().score_by_run(paths), [[0.4, 0.5], [0.75, 0.2]])


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_best_paths_have_the_highest_scores(aggregation: str) -> None:
    found = ranks(aggregation)
    paths, scores = found.top(4)
    every = found.score(found.region.paths())
    np.testing.assert_allclose(scores, np.sort(every)[::-1][:4])
    np.testing.assert_allclose(found.score(paths), scores)


def test_reliability_is_the_agreement_of_runs() -> None:
    rng = np.random.default_rng(0)
    paths = list(itertools.product(range(2), range(3)))
    one, two = ([(a[i] + b[j]) / 2 for i, j in paths] for a, b in zip(*WEIGHTS, strict=True))
    assert ranks().reliability(rng) == pytest.approx(metrics.spearman(one, two))
    alone = FadeRanks(ranks().region, tuple(stage[:1] for stage in WEIGHTS))
    assert np.isnan(alone.reliability(rng))


def test_bad_settings_are_named() -> None:
    with pytest.raises(UnknownName, match="log-sum"):
        ranks("logsum")
    with pytest.raises(BadSetting, match="runs"):
        fade_ranks(ranks().region, digits(), classes=10, runs=0)


class Dead(nn.Module):
    """A candidate that gives nothing, whatever it learns."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x) * 0


def mixture(net: StagedSupernet, stage: int) -> Mixture:
    found = net.stages[stage]
    assert isinstance(found, Mixture)
    return found


@pytest.mark.parametrize("name", ["one_level", "fair"])
def test_a_dead_candidate_ranks_last(name: str) -> None:
    data, chosen = digits(), drawn(vectors(), 3, 3, seed=1)
    net = supernet(chosen, shape=(64,), classes=10, batch=32, seed=0)
    candidates = mixture(net, 1).candidates
    candidates[1] = Dead(candidates[1])
    optimiser = registry.make("optimiser", name)
    found = search(net, data, optimiser, epochs=2, recipe=Recipe(batch=32, rate=0.05))
    assert found.weights[1].argmin() == 1


@pytest.mark.parametrize("name", ["one_level", "fair"])
def test_the_order_of_candidates_does_not_matter(name: str) -> None:
    data, chosen, order = digits(64, 32), drawn(vectors(1), 3), [2, 0, 1]
    space: Any = chosen.space
    moved = type(chosen)(space, [chosen.candidates[0][order]])
    nets = [supernet(each, shape=(64,), classes=10, batch=16, seed=0) for each in (chosen, moved)]
    nets[1].before.load_state_dict(nets[0].before.state_dict())
    nets[1].end.load_state_dict(nets[0].end.state_dict())
    for place, number in enumerate(order):
        nets[1].candidate(0, place).load_state_dict(nets[0].candidate(0, number).state_dict())
    optimiser, recipe = registry.make("optimiser", name, warmup=0.0), Recipe(batch=16, rate=0.02)
    one, two = (search(net, data, optimiser, epochs=1, recipe=recipe).weights[0] for net in nets)
    assert one.std() > 1e-4
    np.testing.assert_allclose(two, one[order], rtol=1e-3)


def test_fair_sampling_takes_every_candidate_as_often_as_any_other() -> None:
    data, chosen = digits(64, 32), drawn(vectors(), 4, 2)
    net = supernet(chosen, shape=(64,), classes=10, batch=16, seed=0)
    seen: list[list[int]] = []
    plain = net.one_hot
    net.one_hot = lambda genes: seen.append([*genes]) or plain(genes)  # type: ignore[method-assign]
    search(net, data, registry.make("optimiser", "fair"), epochs=1, recipe=Recipe(batch=16))
    steps = np.array(seen).reshape(4, 4, 2)  # 64 inputs in batches of 16
    assert (np.sort(steps[:, :, 0]) == np.arange(4)).all()
    assert (np.sort(steps[:, :, 1]) == [0, 0, 1, 1]).all()


def test_ranks_are_repeatable_and_told_about() -> None:
    chosen, told = drawn(vectors(), 2, 2), list[tuple[int, int]]()
    settings: dict[str, Any] = {"classes": 10, "runs": 2, "epochs": 2, "recipe": Recipe(batch=32, rate=0.05)}
    before = torch.get_rng_state()
    one = fade_ranks(chosen, digits(96, 32), **settings, progress=lambda run, epoch, loss: told.append((run, epoch)))
    two = fade_ranks(chosen, digits(96, 32), **settings)
    assert torch.equal(torch.get_rng_state(), before)
    assert told == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for a, b in zip(one.runs, two.runs, strict=True):
        assert a.shape == (2, 2)
        np.testing.assert_allclose(a.sum(1), 1, rtol=1e-6)
        assert (a == b).all()
    assert not np.allclose(one.runs[0][0], one.runs[0][1])


def test_ranks_agree_with_trainings_where_candidates_differ_much() -> None:
    """Widths of 1 and 16, with and without a rectifier: 9 networks of real digits, 2 seeds each."""
    data, recipe = digits(), Recipe(epochs=6, batch=32, rate=0.05)
    chosen = region(
        vectors(),
        ["01.12 1 linear relu", "01.12 4 linear relu", "01.12 16 linear tanh"],
        ["01 1 linear tanh", "01.02 4 linear tanh", "02.12 16 linear relu"],
    )
    truth = retrained(chosen, chosen.paths(), data, classes=10, seeds=2, recipe=recipe).mean(1)
    found = fade_ranks(
        chosen, data, classes=10, runs=2, epochs=8, optimiser=registry.make("optimiser", "fair"), recipe=recipe
    )
    scores = found.score(chosen.paths())
    assert metrics.spearman(scores, truth) >= 0.6
    assert truth[scores.argmax()] >= np.sort(truth)[-3]
