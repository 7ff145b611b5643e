"""Networks together learn exactly as each alone."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tierwise.errors import TrainingFailed
from tierwise.evaluators.fused import Fused
from tierwise.evaluators.fused_ops import Each
from tierwise.evaluators.recipe import Recipe


class Branches(nn.Module):
    """Sums, a concatenation, slices, pools and means; some of it differs from one to the next."""

    def __init__(self, kernel: int, skip: bool):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.left, self.right = nn.Conv2d(6, 6, kernel, padding=kernel // 2, groups=2), nn.Conv2d(6, 4, 1)
        self.pool, self.skip = nn.AvgPool2d(3, 1, 1, count_include_pad=False), skip
        self.classifier = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        left = self.left(x) + x if self.skip else self.left(x) + self.pool(x)
        both = torch.cat([left, nn.functional.max_pool2d(self.right(x), 3, 1, 1)], 1)
        return self.classifier((both[:, :10] * 0.5).mean((2, 3)))


class OfItsOwn(nn.Module):
    """Stacks along the batch, reads a parameter, asks for sizes: nothing of this has a stacked form."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.first, self.last = nn.Parameter(torch.ones(2)), nn.Linear(32, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first((x * self.scale[:, None, None]).view(x.size(0), -1))
        return self.last(torch.stack([hidden, hidden.tanh()]).sum(0))


class Decides(nn.Module):
    """Its way depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1)) * (2 if x.sum() > 0 else 3)


class Twice(nn.Module):
    """One layer of weights is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(32, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.last(self.layer(torch.relu(self.layer(x))))


class InPlace(nn.Module):
    """What follows sees the value that was overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.relu, self.last = nn.Linear(32, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layer(x.flatten(1))
        return self.last(self.relu(hidden) + hidden)


def chain(width: int, depth: int) -> nn.Module:
    hidden = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.GELU())]
    return nn.Sequential(nn.Flatten(), nn.Linear(32, width), nn.LayerNorm(width), *hidden, nn.Linear(width, 3))


GROUPS: dict[str, Callable[[], list[nn.Module]]] = {
    "equal": lambda: [Branches(3, True) for _ in range(3)],
    "different": lambda: [Branches(1, True), Branches(3, False), Branches(3, True), Branches(1, False)],
    "depths and widths": lambda: [chain(4, 0), chain(8, 2), chain(4, 2), chain(8, 1)],
    "opaque": lambda: [OfItsOwn(), Branches(3, True), Decides(), Twice(), OfItsOwn(), InPlace()],
    "alone": lambda: [Branches(3, False)],
}


@pytest.mark.parametrize("group", GROUPS)
def test_together_as_alone(group: str):
    torch.manual_seed(0)
    alone = [network.double() for network in GROUPS[group]()]
    together = Fused([copy.deepcopy(network) for network in alone], (2, 4, 4)).double()
    recipe = Recipe(rate=0.05, weight_decay=0.1)
    optimisers = [recipe.optimiser(network) for network in alone]
    joint = recipe.optimiser(together)
    for _ in range(4):
        x, y = torch.randn(8, len(alone), 2, 4, 4, dtype=torch.float64), torch.randint(3, (8, len(alone)))
        scores = together(x)
        joint.zero_grad()
        nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten(), reduction="sum").backward()
        joint.step()
        for k, (network, optimiser) in enumerate(zip(alone, optimisers, strict=True)):
            optimiser.zero_grad()
            own = network(x[:, k])
            assert torch.allclose(own, scores[:, k], atol=1e-10)
            nn.functional.cross_entropy(own, y[:, k], reduction="sum").backward()
            optimiser.step()
    together.eval()
    x = torch.randn(5, len(alone), 2, 4, 4, dtype=torch.float64)
    for k, network in enumerate(alone):
        assert torch.allclose(network.eval()(x[:, k]), together(x)[:, k], atol=1e-8)


def test_equal_networks_share_every_call():
    one, many = (Fused([Branches(3, True) for _ in range(n)], (2, 4, 4)) for n in (1, 5))
    assert len(one.steps) == len(many.steps)
    assert not any(isinstance(step, Each) for step in many.steps)
    assert sum(p.numel() for p in many.parameters()) == 5 * sum(p.numel() for p in one.parameters())


def test_tracing_leaves_statistics_and_modes_alone():
    network = Branches(3, True)
    before = copy.deepcopy(network.state_dict())
    network.classifier.eval()
    Fused([network], (2, 4, 4))
    assert network.training
    assert not network.classifier.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_does_not_fit_is_said():
    with pytest.raises(TrainingFailed, match="inputs of shape \\(3, 4, 4\\)"):
        Fused([Branches(3, True)], (3, 4, 4))
    with pytest.raises(TrainingFailed, match="one shape"):
        Fused([nn.Linear(4, 2), nn.Linear(4, 3)], (4,))
