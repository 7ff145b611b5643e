"""A small space of stages, its regions, and real handwritten digits, for the tests of supernets of regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.datasets import load_digits

from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.supernets.region import Region

VECTORS = StageOptions(16, (1, 4, 16), ("linear",), ("relu", "tanh"))


def vectors(stages: int = 2, *, normed: bool = True) -> Stages:
    return Stages("vectors", 3, [VECTORS] * stages, normed=normed)


def images() -> Stages:
    options = ("conv3x3", "conv1x1", "max_pool_3x3")
    return Stages("images", 3, [StageOptions(4, (2, 4), options), StageOptions(6, (6,), options, stride=2)])


def region(space: Stages, *texts: Sequence[str]) -> Region:
    """Candidates given as text, one sequence a stage."""
    rows = [[stage.genes(space.pairs, text) for text in own] for stage, own in zip(space.stages, texts, strict=True)]
    return Region(space, [np.array(own) for own in rows])


def drawn(space: Stages, *counts: int, seed: int = 0) -> Region:
    return Region.drawn(space, counts, np.random.default_rng(seed))


def digits(train: int = 600, held: int = 200) -> Splits:
    """Digits as vectors: some to train on, and twice as many as `held` to look at."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[: train + 2 * held]
    inputs = torch.from_numpy(((x[order] - x.mean()) / x.std()).astype(np.float32))
    whole, ends = Arrays(inputs, torch.from_numpy(y[order].astype(np.int64))), (train, train + held, train + 2 * held)
    parts = [Arrays(whole.x[a:b], whole.y[a:b]) for a, b in zip((0, *ends), ends, strict=False)]
    return Splits(*parts)
