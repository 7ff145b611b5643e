"""A finite region of a space whose networks are stages in a row: a list of candidates for each stage.

Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024). The region has the product of
the list lengths as architectures; its supernet is as large as their sum.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Genes
from tierwise.errors import BadSetting, TooLarge
from tierwise.space import LARGEST_LIST, Choice, Shape, Space

if TYPE_CHECKING:
    from torch import nn

STAGE = "stage{}"  # the metric of a candidate's weight in stage 1, 2, ...: told by an evaluator, read by a strategy
Paths = NDArray[np.int64]  # (n, stages): the number of a candidate in each stage
Floats = NDArray[np.float64]


class Staged(Protocol):
    """What a space gives, beside all that a `Space` gives, so that it has regions: its genes fall into blocks, one a
    stage, and a network is, for each stage, what stands before it and the module of the block, then an end.

    blocks: the genes of each stage, in order, together all of them.
    block_keys: (n,) keys of gene rows of one stage, equal where these are the same module.
    block_text: one of them as text. stage_module: one of them as a module for inputs of the network of this shape; in
    one stage all give outputs of one shape. skeleton: what stands before each stage, and the end.
    """

    @property
    def blocks(self) -> tuple[slice, ...]: ...
    def block_keys(self, stage: int, genes: Genes) -> NDArray[np.uint64]: ...
    def block_text(self, stage: int, genes: Sequence[int]) -> str: ...
    def stage_module(self, stage: int, genes: Sequence[int], shape: Shape) -> nn.Module: ...
    def skeleton(self, shape: Shape, classes: int) -> tuple[list[nn.Module], nn.Module]: ...


class Region:
    """Candidates for each stage of a space.

    space: one that also gives what `Staged` says, such as `Stages`. candidates: for each stage the gene rows (m, genes
    of the stage); m may differ, one candidate fixes its stage. Raises BadSetting for no candidate or equal ones, and
    BadArchitecture for genes out of range.
    """

    def __init__(self, space: Any, candidates: Sequence[NDArray[np.integer[Any]]]):
        self.space: Space = space
        self.staged: Staged = space
        self.candidates: tuple[Genes, ...] = tuple(np.asarray(rows, dtype=np.int16) for rows in candidates)
        blocks = self.staged.blocks
        if len(candidates) != len(blocks) or any(rows.ndim != 2 or not len(rows) for rows in self.candidates):
            given = [rows.shape for rows in self.candidates]
            raise BadSetting("region", given, f"a list of candidates for each of {len(blocks)} stages, none empty")
        for k, rows in enumerate(self.candidates):
            width = blocks[k].stop - blocks[k].start
            if rows.shape[1] != width:
                raise BadSetting(f"region: stage {k + 1}", f"rows of {rows.shape[1]} genes", f"rows of {width} genes")
            genes = np.zeros((len(rows), len(self.space.choices)), dtype=np.int16)
            genes[:, blocks[k]] = rows
            self.space.check(Architectures(self.space, genes))
            keys = self.staged.block_keys(k, rows)
            if len(np.unique(keys)) < len(keys):
                texts = [self.staged.block_text(k, row) for row in rows.tolist()]
                raise BadSetting(f"region: stage {k + 1}", texts, "candidates that all differ as networks")

    @classmethod
    def drawn(cls, space: Any, counts: Sequence[int], rng: np.random.Generator) -> Region:
        """So many different candidates for each stage, out of architectures that the space samples. Raises BadSetting
        where too few are found.
        """
        chosen: list[Genes] = []
        for k, (block, count) in enumerate(zip(space.blocks, counts, strict=True)):
            rows = space.sample(64 * count, rng).genes[:, block]
            _, first = np.unique(space.block_keys(k, rows), return_index=True)
            if len(first) < count:
                raise BadSetting(
                    f"region: candidates of stage {k + 1}", count, f"at most the {len(first)} that were found"
                )
            chosen.append(rows[np.sort(first)[:count]])
        return cls(space, chosen)

    @property
    def counts(self) -> tuple[int, ...]:
        """Candidates of each stage."""
        return tuple(len(rows) for rows in self.candidates)

    @property
    def size(self) -> int:
        """The number of architectures."""
        return math.prod(self.counts)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """One choice a stage, its candidates as text."""
        texts = [[self.staged.block_text(k, row) for row in rows.tolist()] for k, rows in enumerate(self.candidates)]
        return tuple(Choice(f"stage{k}", tuple(own)) for k, own in enumerate(texts, start=1))

    def paths(self) -> Paths:
        """(size, stages) every path, the last stage changing fastest. Raises TooLarge above ten million."""
        if self.size > LARGEST_LIST:
            raise TooLarge(f"region of {self.space.name}", self.size, LARGEST_LIST)
        return np.stack(np.unravel_index(np.arange(self.size), self.counts), 1)

    def sample(self, n: int, rng: np.random.Generator) -> Paths:
        """(n, stages) paths, uniform, with replacement."""
        return rng.integers(0, self.counts, size=(n, len(self.counts)))

    def archs(self, paths: Paths) -> Architectures:
        """The architectures of paths."""
        blocks = [rows[column] for rows, column in zip(self.candidates, np.asarray(paths).T, strict=True)]
        return Architectures(self.space, np.concatenate(blocks, 1))

    def __repr__(self) -> str:
        return f"<region of {self.space.name}: {' x '.join(map(str, self.counts))} candidates>"


def best_paths(scores: Sequence[Floats], count: int, combined: Callable[[Floats], float]) -> tuple[Paths, Floats]:
    """The `count` best paths (fewer where there are fewer) and their scores, best first, without listing the rest.

    scores: (m,) of the candidates of each stage. combined: the score of a path from those of its candidates (stages,),
    never falling where one of them rises. Paths are taken from a heap, each of which brings its next ones in.
    """
    orders = [np.argsort(-own, kind="stable") for own in scores]

    def entry(ranks: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        return -combined(np.array([own[o[r]] for own, o, r in zip(scores, orders, ranks, strict=True)])), ranks

    first = tuple(0 for _ in scores)
    heap, seen = [entry(first)], {first}
    found: list[tuple[float, tuple[int, ...]]] = []
    while heap and len(found) < count:
        found.append(heapq.heappop(heap))
        ranks = found[-1][1]
        for k, own in enumerate(scores):
            after = (*ranks[:k], ranks[k] + 1, *ranks[k + 1 :])
            if after[k] < len(own) and after not in seen:
                seen.add(after)
                heapq.heappush(heap, entry(after))
    paths = [[int(o[r]) for o, r in zip(orders, ranks, strict=True)] for _, ranks in found]
    return np.array(paths, dtype=np.int64).reshape(-1, len(scores)), np.array([-score for score, _ in found])
