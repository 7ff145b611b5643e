"""Optimisers that draw: GDAS, BaLeNAS, ZARTS."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tierwise.errors import BadSetting, UnknownName
from tierwise.evaluators.recipe import Recipe
from tierwise.optimisers.balenas import BaLeNAS
from tierwise.optimisers.gdas import GDAS
from tierwise.optimisers.zarts import CENTRED, ZARTS, guided
from tierwise.supernets.search import Batch, SupernetFit
from tierwise.testing.optimiser import Planted


def fitted(epochs: int = 1, held: int = 400) -> SupernetFit:
    fit = SupernetFit(Planted(), Recipe(rate=0.1), epochs, held)
    fit.done = 0.9
    return fit


def batch(seed: int, inputs: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(inputs, 64, generator=generator), torch.randint(10, (inputs,), generator=generator)


# ---- GDAS ----------------------------------------------------------------------------------------------------


def test_only_the_drawn_candidates_are_computed():
    fit = fitted()
    learner, calls = GDAS().begin(fit, 0), [0] * 6
    candidates = [c for mixture in fit.supernet.mixtures for c in mixture.candidates]
    for k, candidate in enumerate(candidates):
        candidate.register_forward_hook(lambda *_, k=k: calls.__setitem__(k, calls[k] + 1))
    for step in range(10):
        learner.step(batch(step), batch(step + 50))
    assert sum(calls) == 10 * 2 * 2  # steps, of importances and of weights, choices
    assert min(calls) > 0


def test_draws_follow_the_softmax_and_are_exactly_one_hot():
    learner = GDAS().begin(fitted(), 0)
    learner.alphas[0].data[:] = torch.tensor([0.0, 1.0, 2.0])
    draws = [learner.drawn()[0].detach() for _ in range(3000)]
    assert {float(v) for own in draws for v in own} == {0.0, 1.0}
    expected = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    np.testing.assert_allclose(torch.stack(draws).mean(0), expected, atol=0.04)  # four standard errors


def test_a_draw_has_the_gradient_of_the_softmax_at_the_temperature():
    learner = GDAS(hot=2.0, cold=2.0).begin(fitted(), 3)
    drawn = learner.drawn()[0]
    k = int(drawn.argmax())
    (gradient,) = torch.autograd.grad(drawn[k], learner.alphas[0])
    gumbel = torch.empty(3).exponential_(generator=torch.Generator().manual_seed(3)).log().neg()
    soft = np.exp(gumbel.numpy() / 2) / np.exp(gumbel.numpy() / 2).sum()  # equal alphas
    slope = [soft[k] * ((j == k) - soft[j]) / 2 for j in range(3)]
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-6)


# ---- BaLeNAS -------------------------------------------------------------------------------------------------


def test_of_normal_data_the_posterior_is_found():
    """Inputs y ~ N(c, 1) with loss (alpha - y)^2 / 2: the posterior has precision n + prior, mean sum(y) / that."""
    rng, n, prior = np.random.default_rng(0), 400, 4.0
    y = rng.normal([0.5, -1.0, 2.0], 1.0, (n, 3))
    learner = BaLeNAS(rate=0.02, memory=0.99, prior=prior).begin(fitted(held=n), 0)
    means = []
    for _ in range(1500):
        drawn = learner.drawn()[0].detach().numpy()
        halves = rng.permutation(n)[:40].reshape(2, 20)
        one, two = ([torch.tensor(drawn - y[rows].mean(0)).float(), torch.zeros(3)] for rows in halves)
        learner.update(one, two, 20)
        means.append(learner.alphas[0].detach().numpy().copy())
    np.testing.assert_allclose(np.mean(means[500:], 0), y.sum(0) / (n + prior), atol=0.03)
    np.testing.assert_allclose(learner.deviations()[0], 1 / np.sqrt(n * y.var(0) + prior), rtol=0.25)


def test_first_draws_are_from_the_prior():
    learner = BaLeNAS(prior=4.0).begin(fitted(), 0)
    drawn = torch.stack([torch.cat(learner.drawn()).detach() for _ in range(500)])
    assert float(drawn.std()) == pytest.approx(0.5, rel=0.05)


def test_the_spread_of_weights_is_that_of_many_draws():
    learner = BaLeNAS().begin(fitted(held=100), 0)
    learner.alphas[0].data[:] = torch.tensor([0.0, 0.5, 1.0])
    learner.curvatures[0][:] = torch.tensor([4.0, 1.0, 2.0])
    learner.steps = 10_000
    drawn = torch.stack([learner.drawn()[0].detach().softmax(0) for _ in range(4000)])
    np.testing.assert_allclose(learner.spread()[0], drawn.std(0), rtol=0.06)


# ---- ZARTS ---------------------------------------------------------------------------------------------------


def test_importance_weights_are_wanted_over_drawn_density():
    generator = torch.Generator().manual_seed(0)
    down, radius, temperature = torch.tensor([0.3, -0.2, 0.1]), 0.2, 0.05
    tried = torch.randn(6, 3, generator=generator) * radius + down
    worse = torch.randn(6, generator=generator) * 0.1
    means = torch.stack([down, torch.zeros(3)])
    drawn = MixtureSameFamily(
        Categorical(torch.tensor([1 - CENTRED, CENTRED])), Independent(Normal(means, torch.full((2, 3), radius)), 1)
    )
    wanted = torch.exp(-worse / temperature) / drawn.log_prob(tried).exp()
    np.testing.assert_allclose(guided(tried, worse, down, radius, temperature), wanted / wanted.sum(), rtol=1e-4)


def test_a_look_ahead_trains_and_puts_the_weights_back():
    fit = fitted()
    learner = ZARTS(interval=2).begin(fit, 0)
    learner.recent = [batch(0), batch(1)]
    deviation = torch.linspace(-1, 1, 6)
    before = [p.detach().clone() for p in fit.own]
    loss = learner.ahead(deviation, batch(2))
    assert all(torch.equal(a, b) for a, b in zip(before, fit.own, strict=True))
    other = Planted().train()
    weights = [part.softmax(0) for part in deviation.split(3)]
    sgd = torch.optim.SGD(other.parameters(), lr=0.1)
    for x, y in learner.recent:
        sgd.zero_grad()
        nn.functional.cross_entropy(other(x, weights), y).backward()
        sgd.step()
    x, y = batch(2)
    assert loss == pytest.approx(float(nn.functional.cross_entropy(other(x, weights), y).detach()), rel=1e-4)


@pytest.mark.parametrize("method", ["mgs", "gld", "rs"])
def test_every_method_goes_down_a_known_loss(method: str, monkeypatch: pytest.MonkeyPatch):
    fit = fitted()
    learner = ZARTS(method=method, samples=6, radius=0.3, warmup=0.0).begin(fit, 0)  # type: ignore[arg-type]
    goal = torch.tensor([1.0, -1.0, 0.5, 0.0, 1.0, -0.5])

    def far(deviation: torch.Tensor, _: Batch) -> float:
        return float((torch.cat([a.detach() for a in learner.alphas]) + deviation - goal).square().sum())

    monkeypatch.setattr(learner, "ahead", far)
    monkeypatch.setattr(fit, "gradient", lambda loss, of: [torch.zeros_like(a) for a in of])
    start, nothing = far(torch.zeros(6), batch(0)), batch(0)
    fit.done = 0.1
    for _ in range(80):
        learner._move(nothing)
    assert far(torch.zeros(6), nothing) < 0.3 * start


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: GDAS(hot=1.0, cold=2.0), BadSetting),
        (lambda: BaLeNAS(memory=1.0), BadSetting),
        (lambda: BaLeNAS(prior=0.0), BadSetting),
        (lambda: ZARTS(method="hill"), UnknownName),  # type: ignore[arg-type]
        (lambda: ZARTS(samples=0), BadSetting),
        (lambda: ZARTS(radius=math.inf), BadSetting),
    ],
)
def test_impossible_settings_are_refused(make, error: type[Exception]):
    with pytest.raises(error):
        make()
