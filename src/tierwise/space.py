"""A search space: a frozen value that samples, mutates, lists and narrows whole batches at once."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graph, Graphs
from tierwise.errors import BadArchitecture, BadSetting, TooLarge, UnknownName

if TYPE_CHECKING:
    from torch import nn

LARGEST_LIST = 10_000_000
Shape = tuple[int, ...]  # of an input: (channels, height, width), (channels, length) of a signal, (features,)


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision of a space: ``Choice("cell/0-1", ("none", "skip_connect", ...))``."""

    path: str
    options: tuple[str, ...]


class Space(ABC):
    """A set of architectures, one gene for each choice.

    name:     the registered name.
    choices:  the decisions, in gene order.
    allowed:  bool (choices, most options): what narrowing has left.
    identity_op: the name of the operation that passes its input through, "" if there is none.
    shared: operations without weights, of which two on one input give the same tensor.
    free: whether every combination of allowed options is an architecture (see `spaces.listed` for the others).

    A new space gives ``graphs``; it may override ``canonical``, ``costs``, ``build``, ``format`` and ``parse``.
    """

    identity_op = ""
    shared: tuple[str, ...] = ()
    free = True

    def __init__(self, name: str, choices: Sequence[Choice]):
        self.name = name
        self.choices = tuple(choices)
        self.allowed: NDArray[np.bool_] = self._every_option()
        self._cache: dict[str, Any] = {}

    def _every_option(self) -> NDArray[np.bool_]:
        width = max(len(c.options) for c in self.choices)
        return np.array([[o < len(c.options) for o in range(width)] for c in self.choices])

    # ---- what a space must or may give -------------------------------------------------------------------

    @abstractmethod
    def graphs(self, archs: Architectures) -> Graphs:
        """The cells as padded graphs, one row each."""

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: rows that are the very same network have the same key. By default every row differs."""
        keys = archs.keys()
        if keys.dtype == np.int64:
            return keys.astype(np.uint64)
        mixed = np.zeros(len(archs), np.uint64)
        for column in archs.genes.T:
            mixed = mix(mixed + column.astype(np.uint64))
        return mixed

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, cells, v, v, 2) FLOPs and parameters of every operation in every cell of the full network.

        classes: outputs of the classifier. shape: of one input, see `Shape`.
        """
        raise BadSetting("costs of the space", self.name, "a space with cost formulas")

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the full network."""
        raise BadSetting("costs of the space", self.name, "a space with cost formulas")

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch."""
        raise BadSetting("network of the space", self.name, "a space that builds networks")

    def format(self, archs: Architectures) -> list[str]:
        """The architectures as text, in the notation of their field."""
        return [str(a) for a in archs]

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``; ``"space/gene-gene-..."`` is always understood. Raises BadArchitecture."""
        arch = Architecture.parse(text)
        self.check(Architectures.of([arch], self), [text])
        return arch

    def check(self, archs: Architectures, texts: Sequence[str] | None = None) -> None:
        """Raises BadArchitecture for the first row whose genes are out of range."""
        counts = np.array([len(c.options) for c in self.choices])
        wrong = (archs.genes < 0) | (archs.genes >= counts)
        if wrong.any():
            row, gene = (int(x[0]) for x in np.nonzero(wrong))
            text = texts[row] if texts else str(archs[row])
            path, most = self.choices[gene].path, counts[gene] - 1
            raise BadArchitecture(text, f"gene {path} is {archs.genes[row, gene]}, allowed 0 to {most}")

    # ---- inherited, all in batches -----------------------------------------------------------------------

    def graph(self, arch: Architecture) -> Graph:
        """One cell as a graph; a notebook shows it as a picture."""
        return self.graphs(Architectures.of([arch], self))[0]

    @property
    def size(self) -> int:
        """The exact number of architectures."""
        return math.prod(int(n) for n in self.allowed.sum(1))

    def enumerate(self) -> Architectures:
        """Every architecture, in the order of ``index``. Raises TooLarge above ten million."""
        if "all" not in self._cache:
            if self.size > LARGEST_LIST:
                raise TooLarge(self.name, self.size, LARGEST_LIST)
            every, rows = np.empty((self.size, len(self.choices)), np.int16), np.arange(self.size)
            for gene in reversed(range(len(self.choices))):
                options = np.flatnonzero(self.allowed[gene])
                rows, digit = np.divmod(rows, len(options))
                every[:, gene] = options[digit]
            self._cache["all"] = Architectures(self, every)
        return self._cache["all"]

    def index(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) the row of each in ``enumerate()``, -1 outside. Raises TooLarge where rows pass 64 bits."""
        if self.size >= 2**63:
            raise TooLarge(self.name, self.size, 2**63 - 1)
        rank = np.where(self.allowed, self.allowed.cumsum(1) - 1, -1)
        digits = rank[np.arange(len(self.choices)), np.clip(archs.genes, 0, rank.shape[1] - 1)]
        counts = self.allowed.sum(1).tolist()
        strides = np.array([math.prod(counts[g + 1 :]) for g in range(len(counts))], dtype=np.int64)
        outside = (digits < 0).any(1) | (archs.genes < 0).any(1) | (archs.genes >= rank.shape[1]).any(1)
        return np.where(outside, -1, digits @ strides)

    def at(self, index: NDArray[np.integer[Any]] | Sequence[int]) -> Architectures:
        """The architectures at these rows of ``enumerate()``."""
        return self.enumerate()[np.asarray(index, dtype=np.int64)]

    def contains(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each row is in this (perhaps narrowed) space."""
        width = self.allowed.shape[1]
        inside = (archs.genes >= 0) & (archs.genes < width)
        kept = self.allowed[np.arange(len(self.choices)), np.clip(archs.genes, 0, width - 1)]
        return (inside & kept).all(1)

    def __contains__(self, arch: Architecture) -> bool:
        same_form = arch.space == self.name and len(arch.genes) == len(self.choices)
        in_range = all(-1 <= gene < self.allowed.shape[1] for gene in arch.genes)
        return same_form and in_range and bool(self.contains(Architectures.of([arch], self))[0])

    def sample(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` architectures, uniform, with replacement."""
        order = np.argsort(~self.allowed, axis=1, kind="stable").astype(np.int16)  # allowed options first
        picks = rng.integers(0, self.allowed.sum(1), size=(n, len(self.choices)))
        return Architectures(self, order[np.arange(len(self.choices)), picks])

    def mutate(self, archs: Architectures, rng: np.random.Generator, genes: int = 1) -> Architectures:
        """One child a row: `genes` randomly chosen genes get another allowed option."""
        child = archs.genes.copy()
        free = np.flatnonzero(self.allowed.sum(1) > 1)
        if not len(free):
            return Architectures(self, child)
        order = rng.random((len(archs), len(free))).argsort(1)[:, :genes]
        for column in free[order].T:
            rows = np.arange(len(archs))
            weight = rng.random((len(archs), self.allowed.shape[1])) * self.allowed[column]
            weight[rows, np.clip(child[rows, column], 0, None)] = -1.0  # never the option it has
            child[rows, column] = weight.argmax(1)
        return Architectures(self, child)

    def cross(self, a: Architectures, b: Architectures, rng: np.random.Generator) -> Architectures:
        """One child a row pair: each gene from either parent."""
        return Architectures(self, np.where(rng.random(a.shape) < 0.5, a.genes, b.genes))

    def neighbours(self, archs: Architectures) -> tuple[Architectures, NDArray[np.int64]]:
        """Every one-gene move inside the space, and the row of its parent."""
        gene, option = np.nonzero(self.allowed)
        child = np.repeat(archs.genes, len(gene), axis=0)
        parent = np.repeat(np.arange(len(archs)), len(gene))
        rows = np.arange(len(child))
        columns, values = np.tile(gene, len(archs)), np.tile(option, len(archs))
        moved = child[rows, columns] != values
        child[rows, columns] = values
        return Architectures(self, child[moved]), parent[moved]

    def narrow(self, path: str, keep: Collection[str]) -> Self:
        """A smaller space: choice `path` keeps these options only. Raises UnknownName, BadSetting."""
        paths = [c.path for c in self.choices]
        if path not in paths:
            raise UnknownName("choice", path, paths)
        gene = paths.index(path)
        options = self.choices[gene].options
        for name in keep:
            if name not in options:
                raise UnknownName(f"option of {path}", name, options)
        allowed = self.allowed.copy()
        allowed[gene, : len(options)] &= np.array([o in keep for o in options])
        if not allowed[gene].any():
            raise BadSetting(f"narrow {path}", sorted(keep), "at least one option that is still allowed")
        return self._allowing(allowed)

    def _allowing(self, allowed: NDArray[np.bool_]) -> Self:
        other = copy.copy(self)
        other.allowed = allowed
        other._cache = {name: value for name, value in self._cache.items() if name == "keys"}  # keys do not change
        return other

    @property
    def origin(self) -> Space:
        """The space that this one was narrowed from, or is a part of; itself where it is whole."""
        return self._allowing(self._every_option()) if self.narrowed else self

    @property
    def narrowed(self) -> bool:
        """Whether an option of any choice has been taken away."""
        return int(self.allowed.sum()) < sum(len(c.options) for c in self.choices)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity() == other._identity()  # pyright: ignore[reportAttributeAccessIssue]

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return self.name, self.choices, self.allowed.tobytes()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}  # a worker process rebuilds what it needs

    def __repr__(self) -> str:
        return f"<space {self.name}: {self.size:,} architectures{', narrowed' if self.narrowed else ''}>"


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit numbers that scatters them (SplitMix64's finaliser): sums of mixed values tell multisets
    apart.
    """
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
