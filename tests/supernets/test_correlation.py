"""What ranks are held against: real trainings, the ceiling, counting, and partial correlations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from tests.supernets.staged import digits, region, vectors
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.evaluators.recipe import Recipe
from tierwise.supernets.correlation import ceiling, counted, partial, retrained


def test_paths_are_trained_each_on_its_own_from_every_seed() -> None:
    chosen = region(vectors(), ["01 4 linear relu", "01 16 linear tanh"], ["01.02 16 linear tanh", "- 16 linear relu"])
    data, recipe = digits(300, 100), Recipe(epochs=6, batch=32, rate=0.05)
    paths, told = chosen.paths(), list[int]()
    found = retrained(
        chosen, paths, data, classes=10, seeds=2, recipe=recipe, progress=lambda done, _: told.append(done)
    )
    assert found.shape == (4, 2)
    assert told == [8]
    assert (found.max(1) > 50).all()  # chance is 10
    assert (found[:, 0] != found[:, 1]).any()
    again = retrained(chosen, paths, data, classes=10, seeds=2, recipe=recipe)
    assert (again == found).all()
    with pytest.raises(BadSetting, match="1 seed or more"):
        retrained(chosen, paths, data, classes=10, seeds=0, recipe=recipe)


def test_the_ceiling_is_what_two_halves_agree_on() -> None:
    rng = np.random.default_rng(0)
    worth = rng.normal(size=2000)
    measured = worth[:, None] + rng.normal(size=(2000, 8))
    # means of four seeds: noise of variance 1/4 on either side
    pearson = 1 / (1 + 1 / 4)
    assert ceiling(measured, rng) == pytest.approx(6 / np.pi * np.arcsin(pearson / 2), abs=0.02)
    assert ceiling(np.repeat(worth[:, None], 3, 1), rng) == 1
    with pytest.raises(BadSetting, match="seeds"):
        ceiling(measured[:, :1], rng)


def test_counting_needs_no_training() -> None:
    chosen = region(vectors(), ["01 1 linear relu", "01 16 linear relu"], ["01.02 4 linear tanh", "- 4 linear tanh"])
    found = counted(chosen, chosen.paths(), digits(100, 20), classes=10)
    assert found["log width"].tolist() == [2, 2, 6, 6]
    for path, params in zip(chosen.paths(), found["params"], strict=True):
        (arch,) = chosen.archs(path[None])
        network = chosen.space.build(arch, classes=10, shape=(64,))
        assert params == sum(p.numel() for p in network.parameters())
    assert set(found) == {"log width", "params", "flops", "zico"}
    sample = {"images": digits(100, 20).train.x.numpy(), "labels": digits(100, 20).train.y.numpy()}
    proxy = registry.make("encoding", "zico", classes=10, shape=(64,), **sample)
    column = proxy.transform(Architectures(chosen.space, chosen.archs(chosen.paths()).genes))[:, 0]
    np.testing.assert_allclose(found["zico"], column, rtol=1e-5)


def test_a_partial_correlation_is_that_of_the_residuals_of_ranks() -> None:
    rng = np.random.default_rng(1)
    width = rng.normal(size=60)
    scores, truth = width + rng.normal(size=60), width + rng.normal(size=60)
    ranks = [rankdata(column) for column in (scores, truth, width)]
    a, b = (own - np.polyval(np.polyfit(ranks[2], own, 1), ranks[2]) for own in ranks[:2])
    found = partial(scores, truth, width, rng)
    assert found.value == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert found.value < spearmanr(scores, truth).statistic
    assert found.low < 0 < found.high  # nothing but width is common to both
    sure = partial(scores, scores + 0.1 * rng.normal(size=60), width, rng)
    assert sure.low > 0.9
    same = partial(scores, truth, np.ones(60), rng)
    assert same.value == pytest.approx(spearmanr(scores, truth).statistic)
