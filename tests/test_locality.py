"""Shrinking by locality: against a brute-force shrinkage, with the theory of random walks, and on the real table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Grid
from tierwise import make, registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.locality import autocorrelation, near_moves, rank_distance, shrunk

WEIGHTS = np.random.default_rng(3).normal(size=(4, 4))


def truth(archs: Architectures) -> Any:
    return WEIGHTS[np.arange(4), archs.genes].sum(1)


class Oracle:
    def fit(self, archs: Architectures, y: Any) -> Oracle:
        return self

    def predict(self, archs: Architectures) -> Any:
        return truth(archs)


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
def test_the_shrunk_space_is_that_of_a_search_by_hand(margin: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "make", lambda kind, name, **settings: Oracle())
    space = Grid()
    every = space.enumerate()
    labelled = every[np.arange(0, 256, 25)]
    left = shrunk(labelled, truth(labelled), space, np.random.default_rng(1), sample=5_000, seeds=6, margin=margin)

    value = {tuple(map(int, genes)): float(v) for genes, v in zip(every.genes, truth(every), strict=True)}
    known = {tuple(map(int, genes)) for genes in labelled.genes}
    now, spread = set(value), margin * float(np.std(list(value.values())))
    while True:  # one move is near here: after two, the correlation is (1 - 5/16)² < 0.5
        seeds = sorted(now | known, key=value.__getitem__)[-6:]
        after = {
            x
            for x in value
            if any(sum(a != b for a, b in zip(x, s, strict=True)) <= 1 and value[x] >= value[s] - spread for s in seeds)
        }
        if np.mean([value[x] for x in after]) <= np.mean([value[x] for x in now]):
            break
        now = after
    assert {tuple(map(int, genes)) for genes in left.genes} == now
    assert len(left) == len(now) < 256


def test_autocorrelation_is_that_of_a_sum_of_independent_options():
    space = Flat()  # a move changes one of 80 genes; of those with two options, half count
    rng = np.random.default_rng(0)
    weights = rng.normal(size=40)
    seen = autocorrelation(space, lambda archs: archs.genes[:, ::2] @ weights, rng, 20)
    assert seen == pytest.approx((1 - 2 / 80) ** np.arange(1, 21), abs=0.08)
    assert np.isnan(autocorrelation(space, lambda archs: np.zeros(len(archs)), rng, 2)).all()


def test_ranks_drift_apart_along_a_walk():
    rng = np.random.default_rng(0)
    near = rank_distance(Grid(), truth, rng, 12)
    assert near[0] < 0.2 < near[3]
    assert near[-1] == pytest.approx(1 / 3, abs=0.04)
    assert rank_distance(Grid(), lambda archs: rng.random(len(archs)), rng, 1) == pytest.approx(1 / 3, abs=0.04)
    assert rank_distance(Grid(), lambda archs: np.ones(len(archs)), rng, 1) == 0.0


def test_what_is_left_of_the_real_space_is_small_and_good():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    every = data.space.enumerate()
    accuracy = data.many(every, [0] * len(every))["accuracy"]
    rows = np.random.default_rng(0).permutation(len(every))[:50]
    left = shrunk(every[rows], accuracy[rows], data.space, np.random.default_rng(1))
    quality = accuracy[data.space.index(left)]
    print(f"{len(left)} left, median {np.median(quality):.2f} of {np.median(accuracy):.2f}, best {quality.max():.2f}")
    assert len(left) < 0.1 * len(every)
    assert np.median(quality) > np.quantile(accuracy, 0.9)
    assert len(np.unique(data.space.canonical(left))) == len(left)


def test_how_many_moves_are_near_follows_from_the_autocorrelation():
    rng = np.random.default_rng(0)
    assert near_moves(Grid(), truth, rng) == 1
    assert near_moves(Flat(), lambda archs: archs.genes[:, ::2].sum(1), rng) == 3
    assert near_moves(Grid(), lambda archs: rng.random(len(archs)), rng) == 1


@pytest.mark.parametrize("wrong", [{"seeds": 0}, {"seeds": 20, "sample": 10}, {"margin": -0.1}], ids=str)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    archs = Grid().enumerate()[:20]
    with pytest.raises(BadSetting, match="seeds of 1 to sample, margin of 0 or more"):
        shrunk(archs, truth(archs), archs.space, np.random.default_rng(0), **wrong)
