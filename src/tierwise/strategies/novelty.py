"""Novelty search: Salehi et al., "BR-NS: an Archive-less Approach to Novelty Search" (2021)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import random_proposals
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.space import Space

FROZEN, LEARNT = 3, 5  # hidden layers, as published
RATE, BATCH = 1e-2, 128  # of Adam, as published
WIDTH, OUTPUTS, SLOPE = 64, 16, np.float32(0.1)  # of both encoders: units of a layer, outputs, leak of a rectifier
BOX, FAR = 256, 5.0  # architectures that say how wide a feature spreads; no feature counts for more spreads
STRIDE = 30  # generations between those that a replay from nothing takes in turn, twice as many are remembered

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Novelty:
    """What is least like the architectures that were tried lately, whatever their results: exploration alone.

    A frozen random network turns features into numbers, and a second network learns to imitate it on what is tried.
    How far it is off for another architecture is the novelty of that one: no archive, no distances.

    encoding: the registered encoding whose features are to be covered. generation: trials between two trainings.
    population: latest trials that are trained on and bred from. passes: over them in each training.
    candidates: made for each ask, half of them mutants of the most novel of the population, half random.

    From: Salehi, Coninx and Doncieux (2021): three hidden layers frozen, five that learn, by Adam at a rate of 0.01
    in batches of 128. Ours: features of architectures in place of behaviour, in units of their spread over the space;
    small generations, 20 passes in place of 3, the latest trials as population, random candidates beside mutants.
    Random sampling covers one-hot columns evenly already: there is more to gain on "paths" or "node_costs".
    """

    encoding: str = "onehot"
    generation: int = 10
    population: int = 100
    passes: int = 20
    candidates: int = 400

    def __post_init__(self) -> None:
        for name, least in (("generation", 1), ("population", 1), ("passes", 1), ("candidates", 2)):
            if getattr(self, name) < least:
                raise BadSetting(name, getattr(self, name), f"{least} or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """The most novel candidates, once there is a generation to learn from; whether it has results is all one."""
        if len(history) < self.generation:
            return random_proposals("novelty", history, min(n, self.generation - len(history)), rng)
        encoders = self._trained(history)
        recent = history.archs[-self.population :]
        novelty = encoders.novelty(_features(self.encoding, recent, history.seed))
        parents = recent[np.argsort(-novelty, kind="stable")[: -(-len(recent) // 2)]]
        half = self.candidates // 2
        mutants = history.space.mutate(parents[np.arange(half) % len(parents)], rng)
        found = concatenate([mutants, history.space.sample(self.candidates - half, rng)])
        found = found[np.flatnonzero(history.fresh(found))]
        if not len(found):
            return random_proposals("novelty", history, n, rng)
        whole = Architectures(recent.space, found.genes)  # a narrowed space would spread its features less
        novelty = encoders.novelty(_features(self.encoding, whole, history.seed))
        return [
            Proposal(found[row], {"strategy": "novelty", "step": "novel", "novelty": round(float(novelty[row]), 4)})
            for row in np.argsort(-novelty, kind="stable")[:n]
        ]

    def _trained(self, history: History) -> _Encoders:
        """The encoders after the last full generation, and a first look at the one that has begun."""
        full = len(history) // self.generation * self.generation
        encoders = _replayed(self, history.seed, history.archs.space, history.archs[:full].genes.tobytes())
        return encoders if full == len(history) else _train(self, encoders, history.archs, history.seed)


@functools.lru_cache(maxsize=2 * STRIDE)
def _replayed(strategy: Novelty, seed: int, space: Space, genes: bytes) -> _Encoders:
    """The encoders after every generation of `genes`, in order; remembered, so that each is trained on once.
    Dropping it changes nothing.
    """
    archs = Architectures(space, np.frombuffer(genes, dtype=np.int16).reshape(-1, len(space.choices)).copy())
    if not len(archs):
        inputs = _spread(strategy.encoding, seed, space)[0].size
        return _Encoders.new(inputs, np.random.default_rng([seed, inputs]))
    size = len(genes) // len(archs) * strategy.generation  # bytes of a generation
    if len(genes) // size % STRIDE == 0:  # oldest first: a long replay from nothing does not recurse deeply
        for end in range(len(genes) - STRIDE * size, len(genes) - size, size):
            _replayed(strategy, seed, space, genes[:end])
    return _train(strategy, _replayed(strategy, seed, space, genes[:-size]), archs, seed)


def _train(strategy: Novelty, encoders: _Encoders, archs: Architectures, seed: int) -> _Encoders:
    """One training, on the latest of the architectures so far."""
    x = _features(strategy.encoding, archs[-strategy.population :], seed)
    for _ in range(strategy.passes):
        for start in range(0, len(x), BATCH):
            encoders = encoders.step(x[start : start + BATCH])
    return encoders


def _features(encoding: str, archs: Architectures, seed: int) -> Floats:
    """(n, d) features around their mean, in units of their spread."""
    centre, spread = _spread(encoding, seed, archs.space)
    return np.clip((_encoded(encoding, archs) - centre) / spread, -FAR, FAR)


@functools.lru_cache(maxsize=8)
def _spread(encoding: str, seed: int, space: Space) -> tuple[Floats, Floats]:
    """(d,) mean and standard deviation of each feature over the space; 1 for one that never changes."""
    x = _encoded(encoding, space.sample(BOX, np.random.default_rng(seed)))
    spread = x.std(0)
    return x.mean(0), np.where(spread > 1e-6 * np.abs(x).max(0), spread, np.float32(1))


def _encoded(encoding: str, archs: Architectures) -> Floats:
    return registry.make("encoding", encoding).transform(archs).reshape(len(archs), -1)


@dataclass(frozen=True)
class _Encoders:
    """A frozen random network and the one that imitates it, with the state of Adam; each network is one vector."""

    inputs: int
    frozen: Floats
    learnt: Floats
    mean: Floats
    square: Floats
    steps: int

    @classmethod
    def new(cls, inputs: int, rng: np.random.Generator) -> _Encoders:
        """Two networks with random weights."""
        frozen, learnt = (_random_weights(_sizes(inputs, depth), rng) for depth in (FROZEN, LEARNT))
        return cls(inputs, frozen, learnt, np.zeros_like(learnt), np.zeros_like(learnt), 0)

    def novelty(self, x: Floats) -> Floats:
        """(n,) squared distance between the outputs of both."""
        return ((self._target(x) - _outputs(self.learnt, _sizes(self.inputs, LEARNT), x)[-1]) ** 2).sum(1)

    def step(self, x: Floats) -> _Encoders:
        """One step of Adam towards the frozen outputs."""
        gradient = _gradient(self.learnt, _sizes(self.inputs, LEARNT), x, self._target(x))
        steps = self.steps + 1
        mean = np.float32(0.9) * self.mean + np.float32(0.1) * gradient
        square = np.float32(0.999) * self.square + np.float32(0.001) * gradient**2
        size = np.sqrt(square / np.float32(1 - 0.999**steps)) + np.float32(1e-8)
        learnt = self.learnt - np.float32(RATE / (1 - 0.9**steps)) * mean / size
        return replace(self, learnt=learnt, mean=mean, square=square, steps=steps)

    def _target(self, x: Floats) -> Floats:
        return _outputs(self.frozen, _sizes(self.inputs, FROZEN), x)[-1]


def _sizes(inputs: int, hidden: int) -> list[tuple[int, int]]:
    """Inputs and outputs of each layer."""
    return list(pairwise([inputs, *[WIDTH] * hidden, OUTPUTS]))


def _random_weights(sizes: list[tuple[int, int]], rng: np.random.Generator) -> Floats:
    parts = [part for a, b in sizes for part in (rng.normal(0, np.sqrt(2 / a), a * b), rng.normal(0, 0.1, b))]
    return np.concatenate(parts).astype(np.float32)


def _layers(weights: Floats, sizes: list[tuple[int, int]]) -> list[tuple[Floats, Floats]]:
    """Matrix and offsets of each layer, as views of the vector."""
    ends = np.cumsum([0, *[part for a, b in sizes for part in (a * b, b)]])
    parts = [weights[start:end] for start, end in pairwise(ends)]
    return [(parts[2 * k].reshape(shape), parts[2 * k + 1]) for k, shape in enumerate(sizes)]


def _outputs(weights: Floats, sizes: list[tuple[int, int]], x: Floats) -> list[Floats]:
    """The input and what each layer makes of it; leaky rectifiers between layers."""
    found = [x]
    for depth, (matrix, offset) in enumerate(_layers(weights, sizes), start=1):
        x = x @ matrix + offset
        found.append(np.maximum(x, SLOPE * x) if depth < len(sizes) else x)
        x = found[-1]
    return found


def _gradient(weights: Floats, sizes: list[tuple[int, int]], x: Floats, target: Floats) -> Floats:
    """Of the squared error, averaged over rows, by backpropagation."""
    found, gradient = _outputs(weights, sizes, x), np.empty_like(weights)
    layers, slots = _layers(weights, sizes), _layers(gradient, sizes)
    back = 2 * (found[-1] - target) / np.float32(len(x))
    for depth in reversed(range(len(sizes))):
        slots[depth][0][:] = found[depth].T @ back
        slots[depth][1][:] = back.sum(0)
        back = (back @ layers[depth][0].T) * np.where(found[depth] > 0, np.float32(1), SLOPE)
    return gradient
