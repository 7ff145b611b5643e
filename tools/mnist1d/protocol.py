"""How every network of the benchmark mnist1d is trained: initial weights, order of batches, learning rates.

Weights are drawn by (seed, class), the order of batches by the seed alone: all networks of a seed see the same batches.
SGD with Nesterov's momentum 0.9 and weight decay 5e-4 on all parameters, batches of 64, cross entropy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tierwise.benchmarks.mnist1d_cells import CLASSES, STAGES, STEM, TAPS, TRAIN

EPOCHS, BATCH = 24, 64
STEPS = TRAIN // BATCH  # what is left over of an epoch is dropped
RATE = 0.1
SEEDS = 3  # of every class; the best classes have MORE_SEEDS
MORE_SEEDS, BEST = 10, 0.15


def initial(ops: Sequence[str], seed: int, class_id: int) -> NDArray[np.float32]:
    """(p,) weights in the order of ``networks.mnist1d.Network.parameters()``; ops: of the six edges, dead ones "none".

    Convolutions He-normal by fan-in (He et al., "Delving Deep into Rectifiers", 2015), batch norms 1 and 0, classifier
    uniform within 1 / sqrt(inputs), its bias 0.
    """
    rng = np.random.default_rng([seed, class_id])
    groups = [_convolution(rng, 1, STEM, 3)]
    for stage, (width, _) in enumerate(STAGES):
        if stage:
            groups.append(_convolution(rng, STAGES[stage - 1][0], width, 1))
        groups += [_convolution(rng, width, width, TAPS[op]) for op in ops if op in TAPS]
    width = STAGES[-1][0]
    groups += [_norm(width), rng.uniform(-(width**-0.5), width**-0.5, CLASSES * width), np.zeros(CLASSES)]
    return np.concatenate(groups).astype(np.float32)


def _convolution(rng: np.random.Generator, entering: int, leaving: int, taps: int) -> NDArray[np.float64]:
    fan_in = entering * taps
    return np.concatenate([rng.normal(0, (2 / fan_in) ** 0.5, leaving * fan_in), _norm(leaving)])


def _norm(width: int) -> NDArray[np.float64]:
    return np.repeat([1.0, 0.0], width)


def batches(seed: int) -> NDArray[np.int32]:
    """(24, 62, 64) rows of the signals to train on."""
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(TRAIN)[: STEPS * BATCH] for _ in range(EPOCHS)])
    return order.reshape(EPOCHS, STEPS, BATCH).astype(np.int32)


def rates() -> NDArray[np.float32]:
    """(1488,) learning rate of every step: one epoch of linear warm-up, then half a cosine down to 0."""
    step = np.arange(EPOCHS * STEPS)
    falling = 0.5 * (1 + np.cos(np.pi * (step - STEPS) / (len(step) - STEPS)))
    return (RATE * np.where(step < STEPS, (step + 1) / STEPS, falling)).astype(np.float32)
