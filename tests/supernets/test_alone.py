"""Candidates alone in their place, on real digits."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.supernets.staged import digits, drawn, vectors
from tierwise import registry
from tierwise.evaluators.dataset import Arrays
from tierwise.evaluators.recipe import Recipe
from tierwise.supernets.alone import alone_weights
from tierwise.supernets.search import search
from tierwise.supernets.stages import StagedSupernet, supernet


def trained() -> tuple[StagedSupernet, Arrays]:
    data = digits(96, 32)
    net = supernet(drawn(vectors(), 3, 2), shape=(64,), classes=10, batch=32, seed=0)
    search(net, data, registry.make("optimiser", "equal"), epochs=2, recipe=Recipe(batch=32, rate=0.05))
    assert isinstance(data.validation, Arrays)
    return net, data.validation


def test_a_candidate_is_alone_in_its_stage_and_the_others_are_mixed_equally() -> None:
    net, held = trained()
    first, second = alone_weights(net, held.x, held.y)
    net.train()
    mixed, losses = torch.full((2,), 0.5), list[float]()
    with torch.no_grad():
        for one in torch.eye(3):
            losses.append(float(nn.functional.cross_entropy(net(held.x, [one, mixed]), held.y)))
    np.testing.assert_allclose(first, torch.tensor(losses).neg().softmax(0), rtol=1e-5)
    assert second.shape == (2,)
    np.testing.assert_allclose(second.sum(), 1, rtol=1e-6)


def test_the_supernet_stays_as_it_is() -> None:
    net, held = trained()
    net.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    alone_weights(net, held.x, held.y)
    assert not net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_what_is_no_number_weighs_nothing() -> None:
    net, held = trained()
    with torch.no_grad():
        for parameter in net.candidate(0, 1).parameters():
            parameter.fill_(float("nan"))
    first, second = alone_weights(net, held.x, held.y)
    assert first[1] == 0
    np.testing.assert_allclose(first.sum(), 1, rtol=1e-6)
    assert second.isnan().all()  # each of them was beside a mixture that is no number


def test_equal_weights_stay_until_the_last_epoch_is_over() -> None:
    data = digits(96, 32)
    net = supernet(drawn(vectors(), 3, 2), shape=(64,), classes=10, batch=32, seed=0)
    found = search(net, data, registry.make("optimiser", "equal"), epochs=3, recipe=Recipe(batch=32, rate=0.05))
    for epoch in found.trace[:-1]:
        np.testing.assert_allclose(epoch[0], 1 / 3)
    assert found.trace[-1][0].std() > 1e-3
    assert found.genes == tuple(int(own.argmax()) for own in found.weights)
