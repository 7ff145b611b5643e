"""What a cell does to random signals, untrained: statistics of thumbnail networks with random weights."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.encodings.computation_graph import Primitive, primitives
from tierwise.space import Space

_CHANNELS, _LENGTH = 8, 8  # of a signal: a row of pixels, joined at its ends
_INPUTS = 24  # signals that are told apart
_CELLS = 3  # one after the other
_DRAWS = 2  # of weights and signals
_NUMBERS = 2**22  # of one node's signals in all rows that are looked at together
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the eigenvalues
_RIDGE = 1e-3

_WEIGHTLESS = ("relu", "batch_norm", "max_pool", "avg_pool", "add", "input", "output")

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]
Layers = list[tuple[Primitive, Floats | None]]


def signals(archs: Architectures, seed: int) -> Floats:
    """What untrained thumbnails of cells make of 24 random signals, (n, 17).

    Three equal cells with random weights, one after the other, on rows of 8 pixels with 8 channels. Operations act as
    the primitives of their names do (``computation_graph.primitives``): convolutions read as many neighbours as their
    kernel is wide, behind a rectifier or before one, with batch normalisation; pooling has no weights; an operation
    whose name says nothing is a rectified layer without neighbours. Columns, each the mean over two draws of weights:

    * how well the rectifiers tell the signals apart, log det of the agreement of their on-off patterns: of all, and of
      the share of rectifiers that agree;
    * after each cell, the smallest, the largest and the quartiles of the log eigenvalues of the signals' similarity.

    No label and no image is read. The weights belong to places in the cell, so equal networks drawn differently differ
    a little. seed: decides weights and signals.

    From: Mellor et al., "Neural Architecture Search without Training" (2021), which scores full networks on images by
    the first of these columns. Thumbnails, pixel rows and the spectra are ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> signals(NASBench201().at([0, 6111]), seed=0).shape
    (2, 17)
    """
    parts = list(archs.chunks(_NUMBERS // (_INPUTS * _CHANNELS * _LENGTH)))
    total = np.zeros((len(archs), 2 + _CELLS * len(_QUANTILES)))
    for draw in range(_DRAWS):
        thumbnail = _Thumbnail(archs.space, (seed, draw))
        total += np.concatenate([thumbnail.statistics(part) for part in parts])
    return (total / _DRAWS).astype(np.float32)


class _Thumbnail:
    """One draw of signals and weights: every operation at every place of every cell has weights of its own."""

    def __init__(self, space: Space, seed: tuple[int, ...]):
        self._passing = ("", "input", "sum", "output", space.identity_op)
        self._seed = seed
        self._drawn: dict[tuple[str, tuple[int, ...]], Layers] = {}
        first = np.random.default_rng(seed).normal(size=(_INPUTS, _LENGTH, _CHANNELS))
        self._first: Floats = first.astype(np.float32)

    def statistics(self, rows: Architectures) -> Floats:
        """(n, 2 + 5 * cells)"""
        graphs = rows.space.graphs(rows)
        n, nodes = graphs.node_op.shape
        signal: Floats = np.broadcast_to(self._first, (n, *self._first.shape))
        agree = _Agreement(np.zeros((n, _INPUTS, _INPUTS), dtype=np.float32), np.zeros(n, dtype=np.float32))
        spectra: list[Floats] = []
        for cell in range(1, _CELLS + 1):
            at = [signal]
            for j in range(1, nodes):
                summed, own = np.zeros((2, n, *self._first.shape), dtype=np.float32)
                for i in range(j):
                    self._apply(graphs.edge_op[:, i, j], graphs.ops, (cell, i, j), at[i], summed, agree)
                self._apply(graphs.node_op[:, j], graphs.ops, (cell, j, j), summed, own, agree)
                at.append(own)
            signal = at[-1]
            spectra.append(_spectrum(signal))
        return np.concatenate([agree.columns(), *spectra], axis=1)

    def _apply(
        self, codes: Codes, ops: tuple[str, ...], place: tuple[int, ...], read: Floats, into: Floats, agree: _Agreement
    ) -> None:
        """Add to `into` what the operations of the codes (n,) at one place make of what they read."""
        for code in np.unique(codes[codes > 0]).tolist():
            here = np.flatnonzero(codes == code)
            x: Floats = read[here]
            for step, weight in self._layers(ops[code - 1], place):
                x = _step(step, weight, here, x, agree)
            into[here] += x

    def _layers(self, op: str, place: tuple[int, ...]) -> Layers:
        """The primitives of an operation with their weights; a rectifier goes ahead of those that have none."""
        if (op, place) not in self._drawn:
            rng = np.random.default_rng([*self._seed, *place, zlib.crc32(op.encode())])
            steps = () if op in self._passing else primitives(op)
            if any(step.kind not in _WEIGHTLESS for step in steps) and all(step.kind != "relu" for step in steps):
                steps = (Primitive("relu"), *steps)
            self._drawn[op, place] = [(step, _weights(step, rng)) for step in steps]
        return self._drawn[op, place]


@dataclass(frozen=True)
class _Agreement:
    """Of each pair of signals, how many rectifiers are on for both or off for both; and how many there are."""

    pairs: Floats
    count: Floats

    def rectified(self, rows: NDArray[np.int64], x: Floats) -> Floats:
        """What the rectifiers let pass, counted."""
        on = (x > 0).astype(np.float32).reshape(len(rows), _INPUTS, _LENGTH * _CHANNELS)
        off = 1 - on
        self.pairs[rows] += on @ on.swapaxes(1, 2) + off @ off.swapaxes(1, 2)
        self.count[rows] += on.shape[2]
        return np.maximum(x, 0)

    def columns(self) -> Floats:
        """(n, 2) log determinants."""
        ridge = np.eye(_INPUTS, dtype=np.float32) * _RIDGE
        share = self.pairs / np.maximum(self.count, 1)[:, None, None]
        found = [np.linalg.slogdet(pairs.astype(np.float64) + ridge)[1] for pairs in (self.pairs, share)]
        return np.stack(found, axis=1).astype(np.float32)


def _weights(step: Primitive, rng: np.random.Generator) -> Floats | None:
    """(kernel, channels, channels) of a layer that has weights."""
    if step.kind in _WEIGHTLESS:
        return None
    wide = _kernel(step)
    drawn = rng.normal(size=(wide, _CHANNELS, _CHANNELS)) * np.sqrt(2 / (wide * _CHANNELS))
    if step.kind == "depthwise_conv":
        drawn = drawn * np.eye(_CHANNELS) * np.sqrt(_CHANNELS)
    return drawn.astype(np.float32)


def _kernel(step: Primitive) -> int:
    """Pixels that it reads, an odd number, at most the whole row."""
    return min(step.kernel + (step.kernel + 1) % 2, _LENGTH - 1)


def _step(step: Primitive, weight: Floats | None, rows: NDArray[np.int64], x: Floats, agree: _Agreement) -> Floats:
    """What one primitive makes of signals (m, inputs, length, channels)."""
    if weight is not None:
        near = _neighbours(x, len(weight), 2 if step.dilated else 1)
        return _normalised(functools.reduce(np.add, (pixel @ w for pixel, w in zip(near, weight, strict=True))))
    if step.kind == "relu":
        return agree.rectified(rows, x)
    if step.kind in ("max_pool", "avg_pool"):
        near = _neighbours(x, _kernel(step), 1)
        pooled: Floats = functools.reduce(np.maximum if step.kind == "max_pool" else np.add, near)
        return pooled if step.kind == "max_pool" else pooled / np.float32(len(near))
    return x


def _neighbours(x: Floats, wide: int, step: int) -> list[Floats]:
    """The signals with each pixel, and each of those around it, in its place."""
    return [np.roll(x, step * k, axis=2) if k else x for k in range(-(wide // 2), wide // 2 + 1)]


def _normalised(x: Floats) -> Floats:
    """Each channel with mean 0 and variance 1 over all inputs and pixels."""
    flat: Floats = x.reshape(len(x), _INPUTS * _LENGTH, _CHANNELS)
    mean: Any = np.full((1, _INPUTS * _LENGTH), 1 / (_INPUTS * _LENGTH), dtype=np.float32)
    centred = flat - mean @ flat  # a product is the fastest mean
    variance = mean @ (centred * centred)
    return (centred / np.sqrt(variance + np.float32(_RIDGE**2))).reshape(x.shape)


def _spectrum(signal: Floats) -> NDArray[Any]:
    """(n, quantiles) of the log eigenvalues of the signals' similarity."""
    flat = signal.reshape(len(signal), _INPUTS, _LENGTH * _CHANNELS)
    similar = flat @ flat.swapaxes(1, 2) / flat.shape[2]
    values = np.maximum(np.linalg.eigvalsh(similar.astype(np.float64)), 0) + _RIDGE
    return np.log(np.quantile(values, _QUANTILES, axis=1).T).astype(np.float32)
