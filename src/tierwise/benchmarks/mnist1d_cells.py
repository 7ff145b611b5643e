"""What was trained for the benchmark mnist1d: distinct cells of NAS-Bench-201, what they cost, and the signals.

Signals: Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D" (2024), generator Apache-2.0, drawn by
tools/mnist1d/data.py.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Genes
from tierwise.errors import BadTable
from tierwise.importers.npz import read_npz
from tierwise.spaces.nasbench201 import OPS, NASBench201

DATA = Path(__file__).with_name("mnist1d_data.npz")
DATA_SHA256 = "254a33d9f427987d1ee535e42d41a156b565b319cfe9d80c8f846f41d453d69e"  # of the bytes of x, then of y
TRAIN, VALIDATION, TEST = 4_000, 2_000, 8_000  # signals, in this order
CLASSES, LENGTH = 10, 40
STAGES = ((8, 20), (16, 10), (16, 5))  # channels and length in each of the three cells
STEM = 8
TAPS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


@functools.cache
def distinct() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(15625,) class of every cell, and (5260,) the cell that was trained for each class: its first, by official index.

    Cells of one class are the same network (`Space.canonical`); classes are numbered by their first cells.
    """
    space = NASBench201()
    _, first, key = np.unique(space.canonical(space.enumerate()), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.argsort(order)[key.ravel()], first[order]


def live_edges(genes: Genes) -> NDArray[np.bool_]:
    """(n, 6) whether an edge carries anything from the cell's input to its output."""
    edges, passes = NASBench201().edges, genes != OPS.index("none")
    fed = np.zeros((len(genes), 4), dtype=bool)
    fed[:, 0] = True
    for gene, (i, j) in enumerate(edges):
        fed[:, j] |= fed[:, i] & passes[:, gene]
    read = np.zeros_like(fed)
    read[:, 3] = True
    for gene, (i, j) in reversed(list(enumerate(edges))):
        read[:, i] |= read[:, j] & passes[:, gene]
    return np.stack([passes[:, g] & fed[:, i] & read[:, j] for g, (i, j) in enumerate(edges)], axis=1)


def costs(archs: Architectures) -> NDArray[np.int64]:
    """(n, 2) FLOPs and parameters of the network as it is trained, without dead edges.

    Counted as `NASBench201.totals` does: one multiply-add = 1 FLOP, 2 for each number that is batch-normalised.
    """
    searched = _edge_costs()[archs.genes]
    return (searched * live_edges(archs.genes)[:, :, None]).sum(1) + np.array(_skeleton_costs())


def _edge_costs() -> NDArray[np.int64]:
    """(5 ops, 2) of one edge in all three cells."""
    table = np.zeros((len(OPS), 2), dtype=np.int64)
    for op, taps in TAPS.items():
        table[OPS.index(op)] = np.sum([_convolution(width, width, taps, length) for width, length in STAGES], axis=0)
    return table


def _skeleton_costs() -> tuple[int, int]:
    last, length = STAGES[-1]
    parts = [_convolution(1, STEM, 3, LENGTH)]
    parts += [_convolution(STAGES[k][0], *_taps(STAGES[k + 1])) for k in range(len(STAGES) - 1)]
    parts += [(2 * last * length, 2 * last), (last * length + last * CLASSES, last * CLASSES + CLASSES)]
    return sum(flops for flops, _ in parts), sum(params for _, params in parts)


def _taps(stage: tuple[int, int]) -> tuple[int, int, int]:
    return stage[0], 1, stage[1]


def _convolution(entering: int, leaving: int, taps: int, length: int) -> tuple[int, int]:
    """FLOPs and parameters of a convolution with its batch norm."""
    weights = entering * leaving * taps
    return weights * length + 2 * leaving * length, weights + 2 * leaving


def signals() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(14000, 40) signals and (14000,) labels: first those to train on, then validation, then test.

    Standardised by the mean and the standard deviation of the numbers to train on. Raises BadTable.
    """
    arrays = read_npz(DATA)
    x, y = arrays["x"], arrays["y"]
    if hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() != DATA_SHA256:
        raise BadTable(DATA, "is not the data that the benchmark was trained on; reinstall tierwise")
    numbers = x.astype(np.float32)
    mean, deviation = numbers[:TRAIN].mean(dtype=np.float64), numbers[:TRAIN].std(dtype=np.float64)
    return ((numbers - mean) / deviation).astype(np.float32), y
