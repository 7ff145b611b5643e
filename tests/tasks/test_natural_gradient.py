from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_spaces import Grid
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.natural_gradient import Categoricals, search, utilities


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_step_is_the_inverse_fisher_information_times_the_gradient(seed: int):
    """In the free parameters p_1 .. p_3 of four options, by sums over all options and by finite differences."""
    drawn = rng(seed)
    here = Categoricals(Grid())
    here.p = drawn.dirichlet(np.full(4, 60.0), 4)  # far from the least that is allowed
    p, x, u, rate = here.p[0].copy(), int(drawn.integers(4)), 0.3, 1e-3

    def log(free: np.ndarray, option: int) -> float:
        return float(np.log([*free, 1 - free.sum()][option]))

    def gradient(option: int) -> np.ndarray:
        steps = 1e-6 * np.eye(3)
        return np.array([(log(p[:3] + s, option) - log(p[:3] - s, option)) / 2e-6 for s in steps])

    fisher = sum(p[o] * np.outer(gradient(o), gradient(o)) for o in range(4))
    natural = np.linalg.solve(fisher, gradient(x))
    here.step(np.array([[x, 0, 0, 0]], dtype=np.int16), np.array([u]), rate)
    np.testing.assert_allclose((here.p[0] - p)[:3], rate * u * natural, rtol=1e-4, atol=1e-9)


@given(
    scores=st.lists(st.integers(-3, 3), min_size=2, max_size=13),
    shift=st.floats(-5, 5),
    factor=st.floats(0.1, 10),
)
def test_utilities_know_the_order_alone(scores: list[int], shift: float, factor: float):
    own = np.array(scores, dtype=float)
    found = utilities(own)
    assert abs(found.sum()) < 1e-12
    np.testing.assert_allclose(utilities(shift + factor * own), found)
    order = np.argsort(own)
    assert (np.diff(found[order]) >= -1e-12).all()
    for a, b in itertools.combinations(range(len(own)), 2):
        assert own[a] != own[b] or abs(found[a] - found[b]) < 1e-12


def test_eight_different_scores():
    found = utilities(np.array([5.0, 1, 8, 3, 2, 7, 6, 4]))
    np.testing.assert_allclose(found, [0, -0.5, 0.5, 0, -0.5, 0.5, 0, 0])


def test_probabilities_stay_probabilities():
    here, drawn = Categoricals(Grid().narrow("layer/1", ["b", "d"])), rng(1)
    for _ in range(200):
        archs = here.sample(4, drawn)
        assert set(archs.genes[:, 1].tolist()) <= {1, 3}
        here.step(archs.genes, np.array([1.0, -1.0, 0, 0]), 0.9)
        np.testing.assert_allclose(here.p.sum(1), 1)
        assert (here.p >= here.floor - 1e-12).all()
        assert (here.p[1, [0, 2]] == 0).all()


def test_draws_follow_the_probabilities():
    here = Categoricals(Grid())
    here.p[2] = [0.1, 0.2, 0.3, 0.4]
    share = np.bincount(here.sample(20_000, rng(2)).genes[:, 2], minlength=4) / 20_000
    np.testing.assert_allclose(share, here.p[2], atol=0.015)


WORTH = np.array([3.0, 0.0, 2.0, 1.0])


def sums(archs: Architectures) -> np.ndarray:
    return WORTH[archs.genes].sum(1)


def test_the_best_within_the_limit_is_found_and_nothing_above_is_scored():
    """Worth 3 costs 5, worth 2 costs 1: within 12 the best is two of each, by a look at all 256."""
    prices = np.array([5.0, 0.0, 1.0, 0.0])
    seen: list[float] = []

    def cost(archs: Architectures) -> np.ndarray:
        return prices[archs.genes].sum(1)

    def score(archs: Architectures) -> np.ndarray:
        seen.extend(cost(archs).tolist())
        return sums(archs)

    every = Grid().enumerate()
    best = sums(every)[cost(every) <= 12].max()
    found = search(Grid(), score, cost, 12.0, rounds=40, rng=rng(3))
    assert best == 10
    assert found.scores.max() == sums(found.best)[0] == best
    assert max(seen) <= 12
    assert cost(every).max() == 20
    assert len(found.archs) == len(found.scores) == 320
    assert found.entropy[-1] < 0.6 < found.entropy[0]
    again = search(Grid(), score, cost, 12.0, rounds=40, rng=rng(3))
    np.testing.assert_array_equal(found.archs.genes, again.archs.genes)


@pytest.mark.parametrize("given", [{"rounds": 0}, {"draws": 1}, {"rate": 0.0}, {"rate": 2.0}], ids=str)
def test_impossible_searches_are_refused(given: dict[str, float]):
    with pytest.raises(BadSetting):
        search(Grid(), sums, sums, 20.0, rng=rng(), **given)


def test_a_limit_that_nothing_meets_is_refused_with_the_least_cost():
    with pytest.raises(BadSetting, match=r"limit = -1.*cheapest costs 0"):
        search(Grid(), sums, sums, -1, rng=rng())
