"""One architecture, many architectures as one gene matrix, and their graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from tierwise import drawing
from tierwise.errors import BadArchitecture

if TYPE_CHECKING:
    from tierwise.space import Space

Genes = NDArray[np.int16]
LARGEST_GENE = np.iinfo(np.int16).max


@dataclass(frozen=True, slots=True)
class Architecture:
    """One member of a space: hashable, and text in and out (``"nasbench201/3-0-2-1-3-3"``)."""

    space: str
    genes: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.space}/{self.gene_text}"

    @property
    def gene_text(self) -> str:
        """The genes alone, ``"3-0-2-1-3-3"``; a choice that is not active is ``_``."""
        return "-".join("_" if g < 0 else str(g) for g in self.genes)

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """The inverse of ``str``. Raises BadArchitecture."""
        space, slash, genes = text.strip().partition("/")
        try:
            numbers = tuple(-1 if g == "_" else int(g) for g in genes.split("-")) if slash else ()
        except ValueError:
            numbers = ()
        if not space or not numbers:
            raise BadArchitecture(text, 'expected "space/gene-gene-...", for example "nasbench201/3-0-2-1-3-3"')
        return cls(space, numbers)


class Architectures(Sequence[Architecture]):
    """Many architectures of one space: ``genes`` is an int16 matrix, one row each.

    Has ``shape`` and array-like indexing, so scikit-learn slices it like an array.
    An integer index gives an Architecture; a slice, mask or integer array gives Architectures.
    """

    __slots__ = ("genes", "shape", "space")

    def __init__(self, space: Space, genes: NDArray[Any]):
        rows = np.ascontiguousarray(genes, dtype=np.int16)
        if rows.ndim != 2 or rows.shape[1] != len(space.choices):
            raise BadArchitecture(
                f"gene array of shape {np.shape(genes)}", f"space {space.name} needs (n, {len(space.choices)})"
            )
        if rows.dtype != genes.dtype and not np.array_equal(
            rows, genes
        ):  # a cast would make another architecture of it
            raise BadArchitecture("gene array", f"genes are whole numbers of -1 to {LARGEST_GENE}")
        self.space = space
        self.genes: Genes = rows
        self.shape: tuple[int, int] = (rows.shape[0], rows.shape[1])

    @classmethod
    def of(cls, items: Architectures | Sequence[Architecture], space: Space | None = None) -> Architectures:
        """Items as a batch; a batch is returned as it is. Raises BadArchitecture for a foreign member."""
        if isinstance(items, Architectures):
            return items
        if space is None:
            raise BadArchitecture(
                "a list of architectures", "say which space they are of: Architectures.of(list, space)"
            )
        for item in items:
            if item.space != space.name:
                raise BadArchitecture(str(item), f"not of space {space.name}")
            if len(item.genes) != len(space.choices):
                raise BadArchitecture(str(item), f"space {space.name} has {len(space.choices)} genes")
            if not all(-1 <= gene <= LARGEST_GENE for gene in item.genes):
                raise BadArchitecture(str(item), f"genes are -1 to {LARGEST_GENE}")
        genes = np.array([a.genes for a in items], dtype=np.int16).reshape(len(items), len(space.choices))
        return cls(space, genes)

    def __len__(self) -> int:
        return self.shape[0]

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> Architecture: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | NDArray[Any]) -> Architectures: ...
    def __getitem__(self, key: Any) -> Architecture | Architectures:
        if isinstance(key, int | np.integer):
            return Architecture(self.space.name, tuple(self.genes[key].tolist()))
        return Architectures(self.space, self.genes[key])

    def __iter__(self) -> Iterator[Architecture]:
        name = self.space.name
        return (Architecture(name, tuple(row)) for row in self.genes.tolist())

    def __repr__(self) -> str:
        return f"<{len(self):,} architectures of {self.space.name}>"

    def keys(self) -> NDArray[Any]:
        """(n,) one sortable key a row: int64 where the space has fewer than 2**63 gene rows, else raw bytes."""
        bases = [len(c.options) + 1 for c in self.space.choices]
        strides = np.cumprod([1, *bases[::-1]], dtype=object)[::-1]
        if int(strides[0]) < 2**63:
            return (self.genes.astype(np.int64) + 1) @ strides[1:].astype(np.int64)
        return self.genes.view(np.dtype((np.void, self.genes.itemsize * self.shape[1]))).ravel()

    def unique(self) -> Architectures:
        """Each row once, in the order of first appearance."""
        _, first = np.unique(self.keys(), return_index=True)
        return self[np.sort(first)]

    def isin(self, other: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each row is also a row of `other`."""
        return np.isin(self.keys(), other.keys())

    def chunks(self, rows: int = 65_536) -> Iterator[Architectures]:
        """The batch in pieces of at most `rows`, so that features of a whole space never lie in memory at once; of
        nothing, one empty piece.
        """
        for start in range(0, max(1, len(self)), rows):
            yield self[start : start + rows]


def concatenate(batches: Sequence[Architectures]) -> Architectures:
    """Several batches of one space as one."""
    return Architectures(batches[0].space, np.concatenate([b.genes for b in batches]))


Archs = Architectures | Sequence[Architecture]
Where = Literal["node", "edge"]


@dataclass(frozen=True, slots=True)
class Graph:
    """One cell as a graph: named nodes in topological order, and edges (source, target, op; "" = plain)."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]

    def _repr_svg_(self) -> str:
        """The picture that a notebook shows."""
        return drawing.svg(self.nodes, self.edges)


@dataclass(frozen=True, slots=True)
class Graphs:
    """Many graphs of equal size, padded.

    ops: names; code k in the arrays means ``ops[k - 1]``, code 0 means nothing there.
    node_op: uint8 (n, v). edge_op: uint8 (n, v, v), upper triangular.
    """

    node_op: NDArray[np.uint8]
    edge_op: NDArray[np.uint8]
    ops: tuple[str, ...]

    def __len__(self) -> int:
        return self.node_op.shape[0]

    def __getitem__(self, row: int) -> Graph:
        nodes, edges = self.node_op[row], self.edge_op[row]
        kept = np.flatnonzero(nodes)
        place = {int(v): k for k, v in enumerate(kept)}
        return Graph(
            tuple(self.ops[nodes[v] - 1] for v in kept),
            tuple(
                (place[int(i)], place[int(j)], self.ops[edges[i, j] - 1])
                for i, j in zip(*np.nonzero(edges), strict=True)
            ),
        )
