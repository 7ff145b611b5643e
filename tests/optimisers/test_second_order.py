from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tierwise.evaluators.recipe import Recipe
from tierwise.optimisers.second_order import SecondOrder
from tierwise.space import Choice
from tierwise.supernets.search import SupernetFit
from tierwise.supernets.supernet import Mixture, Supernet

RATE = 3.0


class Smooth(Supernet):
    """Two choices of smooth candidates, in double precision."""

    def __init__(self):
        super().__init__()
        self.choices, self.sites = (Choice("a", ("x", "y", "z")), Choice("b", ("x", "y"))), (0, 1)
        self.one = Mixture([nn.Sequential(nn.Linear(4, 4), act) for act in (nn.Tanh(), nn.Identity(), nn.Sigmoid())])
        self.two = Mixture([nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 3), nn.Tanh())])

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        return self.two(self.one(x, weights[0]), weights[1])


def test_the_gradient_is_that_of_the_loss_after_a_step_by_finite_differences():
    torch.manual_seed(0)
    net = Smooth().double()
    train, held = ((torch.randn(12, 4).double(), torch.randint(3, (12,))) for _ in range(2))
    fit = SupernetFit(net, Recipe(rate=RATE), 1, 12)
    learner = SecondOrder().begin(fit, 0)
    learner.alphas[:] = [torch.randn(n).double().requires_grad_() for n in (3, 2)]
    start = {name: value.clone() for name, value in net.state_dict().items()}
    found = torch.cat(learner.gradient(train, held))

    def after_a_step(alphas: Tensor) -> float:
        """By the definition: w - rate * dL_train/dw, then L_validation; nothing of the code under test."""
        weights = [alphas[:3].softmax(0), alphas[3:].softmax(0)]
        net.load_state_dict(start)
        loss = nn.functional.cross_entropy(net(train[0], weights), train[1])
        gradient = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for parameter, own in zip(net.parameters(), gradient, strict=True):
                parameter -= RATE * own
            return float(nn.functional.cross_entropy(net(held[0], weights), held[1]))

    at, small = torch.cat([a.detach() for a in learner.alphas]), 1e-5
    steps = torch.eye(5).double() * small
    expected = torch.tensor([(after_a_step(at + s) - after_a_step(at - s)) / (2 * small) for s in steps]).double()
    net.load_state_dict(start)
    first = [a.detach().clone().requires_grad_() for a in learner.alphas]
    loss = nn.functional.cross_entropy(net(held[0], [a.softmax(0) for a in first]), held[1])
    plain = torch.cat(torch.autograd.grad(loss, first))
    assert (found - expected).norm() < 0.02 * (plain - expected).norm()
    assert (plain - expected).norm() > 0.1 * expected.norm()  # the step ahead matters here


def test_the_supernet_is_left_as_it_was():
    torch.manual_seed(1)
    net = Smooth().double()
    batches = [(torch.randn(8, 4).double(), torch.randint(3, (8,))) for _ in range(2)]
    learner = SecondOrder().begin(SupernetFit(net, Recipe(rate=RATE), 1, 8), 0)
    learner.alphas[:] = [torch.zeros(n).double().requires_grad_() for n in (3, 2)]
    before = [p.detach().clone() for p in net.parameters()]
    learner.gradient(*batches)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
