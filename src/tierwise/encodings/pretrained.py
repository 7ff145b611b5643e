"""Features that a network learns without labels: what it needs to foretell what is known of every architecture."""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from tierwise import registry
from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.columns import whole_space
from tierwise.encodings.signals import signals
from tierwise.errors import BadSetting, MissingExtra
from tierwise.space import Space

try:
    import torch
    from torch import nn

    from tierwise.networks.threads import threads
except ImportError as error:
    raise MissingExtra("encoding pretrained", "torch", "torch") from error

_SAMPLE = 3_000  # architectures that it learns from
_WIDTH = 64
_FEATURES = 24  # main directions of the inner units
_STEPS, _BATCH, _RATE, _DECAY = 700, 256, 5e-3, 0.01

Floats = NDArray[np.float32]


class Pretrained(Encoding):
    """The inner units of a network that has learnt, without labels, what a cell does to signals: (n, 24) float32.

    The network reads the columns of other encodings and learns to foretell the columns of `signals`, by their order,
    for 3,000 architectures sampled from the whole space. So it learns which differences between architectures matter
    to how signals pass, and equal rows of what it reads stay equal. The features are the main directions of its inner
    units. The few seconds of training serve a process; equal spaces and settings give equal features.

    encodings: registered names of what it reads, ``"paths"`` or ``"paths+onehot"``. seed: decides sample and weights.

    Raises BadSetting for a space in which the signals, or what the network reads, are the same for all, and what the
    encodings raise.

    From: pretraining on how random vectors pass through a graph is the idea of FGP (NeurIPS 2025), which pretrains a
    graph network; the signals are mostly those of Mellor et al., "Neural Architecture Search without Training" (2021).
    The small network on path counts and its use as features are ours.
    """

    is_learnt = True

    def __init__(self, encodings: str = "paths", seed: int = 0):
        self.encodings = encodings
        self.seed = seed

    def transform(self, archs: Archs) -> Floats:
        """The features, (n, 24)."""
        rows = batch(archs)
        return _learnt(self.encodings, self.seed, whole_space(rows.space)).features(rows)


class _Trunk:
    """The network, and the scales of what it reads."""

    def __init__(self, encodings: list[str], sample: Architectures):
        self._encodings = [registry.make("encoding", each) for each in encodings]
        parts = [_flat(each, sample) for each in self._encodings]
        if not any((part != part[:1]).any() for part in parts):
            raise BadSetting(f"encodings to learn from in {sample.space.name}", encodings, "what differs there")
        self._centre = np.concatenate([part.mean(0) for part in parts])
        spread = [float(np.sqrt(part.var(0).mean())) or 1.0 for part in parts]
        self._scale = np.repeat(np.array(spread, np.float32), [part.shape[1] for part in parts])
        widths = (len(self._centre), _WIDTH, _WIDTH)
        self._layers = nn.Sequential(*(m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.SiLU())))

    def inputs(self, rows: Architectures) -> torch.Tensor:
        """(n, d) what the network reads."""
        x = np.concatenate([_flat(each, rows) for each in self._encodings], axis=1)
        return torch.from_numpy((x - self._centre) / self._scale)

    def train(self, x: torch.Tensor, goal: torch.Tensor) -> None:
        """Learn to foretell `goal` (n, columns) from `x`, by a linear head."""
        self._head = head = nn.Linear(_WIDTH, goal.shape[1])
        parameters = [*self._layers.parameters(), *head.parameters()]
        optimiser = torch.optim.AdamW(parameters, weight_decay=_DECAY)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_STEPS)
        for _ in range(_STEPS):
            pick = torch.randint(len(x), (_BATCH,))
            loss = ((head(self._layers(x[pick])) - goal[pick]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
        self._turn(x)

    @torch.no_grad()
    def _turn(self, x: torch.Tensor) -> None:
        """Find the directions in which the inner units of a sample vary most."""
        inner = self._layers(x)
        self._middle = inner.mean(0)
        self._directions = torch.linalg.svd(inner - self._middle, full_matrices=False).Vh[:_FEATURES].T

    @torch.no_grad()
    def features(self, rows: Architectures) -> Floats:
        """(n, features)"""
        return ((self._layers(self.inputs(rows)) - self._middle) @ self._directions).numpy()

    @torch.no_grad()
    def told_apart(self, rows: Architectures) -> Floats:
        """(n, 1) the first thing foretold: how well rectifiers tell signals apart."""
        return self._head(self._layers(self.inputs(rows)))[:, :1].numpy()


class Untrained(Encoding):
    """How well an untrained thumbnail of each cell tells random signals apart, foretold: (n, 1), higher is better.

    A zero-cost proxy for any space, at the speed of a small network: the first column of `signals`, which the network
    of ``pretrained`` has learnt to foretell; a normal score over the space. seed: as there.

    Raises what ``Pretrained`` raises.
    From: Mellor et al., "Neural Architecture Search without Training" (2021), on thumbnails and foretold.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> Untrained().transform(NASBench201().at([0, 6111])).shape
    (2, 1)
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    def transform(self, archs: Archs) -> Floats:
        """(n, 1)"""
        rows = batch(archs)
        return _learnt("paths", self.seed, whole_space(rows.space)).told_apart(rows)


@functools.lru_cache(maxsize=16)
def _learnt(encodings: str, seed: int, space: Space) -> _Trunk:
    """The network of a space, trained."""
    sample, goal = _foretold(seed, space)
    with threads(), torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk = _Trunk(encodings.split("+"), sample)
        trunk.train(trunk.inputs(sample), goal)
    return trunk


@functools.lru_cache(maxsize=4)
def _foretold(seed: int, space: Space) -> tuple[Architectures, torch.Tensor]:
    """A sample of the space, and its signals as (n, columns) normal scores."""
    sample = space.sample(_SAMPLE, np.random.default_rng(seed)).unique()
    columns = signals(sample, seed)
    columns = columns[:, np.ptp(columns, axis=0) > 0]
    if not columns.shape[1]:
        raise BadSetting("signals of the space", space.name, "a space whose architectures treat signals differently")
    return sample, torch.from_numpy(ndtri((rankdata(columns, axis=0) - 0.5) / len(columns)).astype(np.float32))


def _flat(encoding: Encoding, rows: Architectures) -> Floats:
    """(n, d) the columns; of counts and costs, the ratios say most."""
    x = encoding.transform(rows)
    x = x.reshape(len(rows), int(np.prod(x.shape[1:])))
    return np.sign(x) * np.log1p(np.abs(x))
