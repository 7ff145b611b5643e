"""What the scripts on optimisers share: data, supernets, networks trained alone, and rows that are computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tierwise.evaluators.dataset import Splits, load
from tierwise.evaluators.fit import seeded
from tierwise.evaluators.recipe import Recipe
from tierwise.spaces.network import Network, Stage
from tierwise.supernets.search import Batch, Learner, SupernetFit, search
from tierwise.supernets.supernet import Supernet

CLASSES, EPOCHS = 10, 24
NETWORK = Network(stages=(Stage(1, 8), Stage(1, 16)))
RECIPE = Recipe(rate=0.05, weight_decay=3e-4)
PAGE = "optimisers.md"  # of the docs


def digits() -> Splits:
    """Handwritten digits of 8 x 8: 1,000 to learn from, 300 to weigh by, 497 to report."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    images, labels = x[order].reshape(-1, 1, 8, 8).astype(np.float32), y[order]
    parts = [(images[rows], labels[rows]) for rows in (slice(0, 1000), slice(1000, 1300), slice(1300, None))]
    return load(parts[0], parts[1], parts[2], CLASSES)


def mnist1d() -> Splits:
    """Signals of MNIST-1D: 1,500 to learn from, 500 to weigh by, 1,000 to report."""
    from tierwise.benchmarks.mnist1d_cells import signals

    x, y = signals()
    parts = [(x[rows, None], y[rows]) for rows in (slice(0, 1500), slice(1500, 2000), slice(2000, 3000))]
    return load(parts[0], parts[1], parts[2], CLASSES)


DATA: dict[str, Callable[[], Splits]] = {"digits": digits, "mnist1d": mnist1d}


def drawn(seed: int, make: Callable[[], Supernet]) -> Supernet:
    """A supernet with the first weights of this seed."""
    with seeded(seed):
        return make()


@dataclass(frozen=True)
class Alone:
    """An optimiser that leaves the weights of candidates, one vector a choice, as they are: a network trained alone."""

    weights: Sequence[Tensor]

    def begin(self, fit: SupernetFit, seed: int) -> Learner:
        """Nothing is drawn."""
        weights = list(self.weights)

        class Fixed(Learner):
            def step(self, train: Batch, validation: Batch) -> float:
                return self.fit.step(self.fit.loss(self.supernet.everywhere(weights), train))

            def weights(self) -> list[Tensor]:
                return weights

        return Fixed(fit)


def trained(make: Callable[[], Supernet], weights: Sequence[Tensor], data: Splits, seed: int, epochs: int) -> float:
    """Test accuracy of the network of these weights, one vector a choice, trained anew."""
    net = drawn(seed, make)
    search(net, data, Alone(weights), epochs=epochs, seed=seed, recipe=RECIPE)
    return accuracy(net, net.everywhere(weights), data.test)


@torch.no_grad()
def accuracy(net: Supernet, weights: Sequence[Tensor], part: Any) -> float:
    """In percent; batch norms take the statistics of these data: those of a mixture are of no use to a part of it."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    right = (net.train()(part.x, weights).argmax(1) == part.y).float().mean()
    net.load_state_dict(state)
    return 100 * float(right)


def one_hot(net: Supernet, genes: Sequence[int]) -> list[Tensor]:
    """One vector a choice."""
    return [torch.eye(len(choice.options))[gene] for choice, gene in zip(net.choices, genes, strict=True)]
