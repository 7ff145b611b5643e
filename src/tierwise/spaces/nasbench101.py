"""NAS-Bench-101's space: 423,624 cells with operations on the vertices, in the official order, with costs and networks.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (2019). Cost rules: Guo et al.,
"Generalized Global Ranking-Aware Neural Architecture Ranker" (2022), one multiply-add = 2 FLOPs.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Genes, Graphs, concatenate
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Choice, Shape
from tierwise.spaces import nasbench101_costs as cost_rules
from tierwise.spaces import nasbench101_graphs as cells
from tierwise.spaces.building import need_torch
from tierwise.spaces.listed import Listed
from tierwise.spaces.nasbench101_graphs import EDGES, INTERIOR, MOST_EDGES, OUTPUT, VERTICES, Masks, Ops
from tierwise.spaces.nasbench101_moves import one_step

if TYPE_CHECKING:
    from torch import nn

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
EXAMPLE = "conv3x3:0|maxpool3x3:01|output:12"
_NODES = ("input", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output", "")  # codes of the published tensors
_SHORT = tuple(op.partition("-")[0] for op in OPS)
_FILE = Path(__file__).with_name("nasbench101.npz")
_ROWS = 8_192  # costs of that many rows at a time stay in a processor's cache
_DRAWS = 100  # times as many cells as wanted, before a narrowed space is called out of reach
_VERTEX = re.compile(rf"({'|'.join(_SHORT)})(?:-bn-relu)?:([0-5]{{1,6}})")
_LAST = re.compile(r"output:([0-5]{1,6})")


@functools.cache
def _every_cell() -> Genes:
    """Gene rows of all cells in the official order, from the words that ``tools/make_nasbench101.py`` writes."""
    with np.load(_FILE, allow_pickle=False) as arrays:
        genes = cells.to_genes(*cells.from_words(arrays["words"]))
    genes.flags.writeable = False
    return genes


class NASBench101(Listed):
    """The 423,624 cells: 2 to 7 vertices, at most 9 edges, three operations; ``index`` is the official row (ascending
    MD5 hash).

    Genes: the 21 edges of a frame of seven vertices, by target and then by source (0 the input, 6 the output), then the
    operations of the interior vertices 1 to 5, -1 where there is none. Smaller cells use the first interior vertices.
    A row that is not a member itself, isomorphic or with parts that lead nowhere, means the member that is the same.
    """

    def __init__(self) -> None:
        edges = [Choice(f"cell/{x}-{y}", ("0", "1")) for x, y in EDGES]
        super().__init__("nasbench101", [*edges, *(Choice(f"op/{v}", OPS) for v in range(1, OUTPUT))])

    def _members(self) -> Genes:
        return _every_cell()

    # ---- the cells as graphs -----------------------------------------------------------------------------

    def encode(self, adjacency: NDArray[Any], ops: NDArray[Any]) -> Architectures:
        """Architectures of adjacency matrices and operations; parts that lead nowhere are pruned.

        adjacency: (n, v, v), 2 <= v <= 7, 1 where there is an edge row -> column; vertex 0 is the input, the last one
        the output. ops: (n, v - 2) codes (the place in ``OPS``) of the vertices between, -1 for none: cells of fewer
        vertices are padded before the output. Vertices need not be in topological order.

        What is no cell (no way to the output, a cycle, more than nine edges, an unknown operation) has index -1.
        Raises BadArchitecture for arrays of other shapes or entries.
        """
        matrix, codes = np.asarray(adjacency), np.asarray(ops)
        n, v = len(matrix), matrix.shape[-1]
        if matrix.shape != (n, v, v) or codes.shape != (n, v - 2) or not 2 <= v <= VERTICES:
            given = f"adjacency of shape {matrix.shape}, operations of shape {codes.shape}"
            raise BadArchitecture(given, f"expected (n, v, v) and (n, v - 2), 2 <= v <= {VERTICES}")
        if not np.isin(matrix, (0, 1)).all():
            raise BadArchitecture("adjacency", "expected entries 0 and 1")
        place = [*range(v - 1), OUTPUT]
        sources, labels = np.zeros((VERTICES, n), np.uint8), np.full((INTERIOR, n), -1, np.int8)
        for column, y in enumerate(place):
            for row, x in enumerate(place):
                sources[y] |= (matrix[:, row, column] == 1).view(np.uint8) << x
        labels[: v - 2] = np.where((codes >= 0) & (codes < len(OPS)), codes, -1).T
        backward = cells.has_backward_edge(sources)
        sources[:, backward], labels[:, backward] = cells.sorted_forward(sources[:, backward], labels[:, backward])
        return Architectures(self, cells.to_genes(*cells.compact(*cells.pruned(sources, labels))))

    def graphs(self, archs: Architectures) -> Graphs:
        """Operations on the vertices, plain edges, in the frame of seven vertices: code 0 where there is none."""
        sources, ops = _live(archs)
        node_op = np.empty((len(archs), VERTICES), np.uint8)
        node_op[:, 0], node_op[:, OUTPUT] = 1, _NODES.index("output") + 1
        node_op[:, 1:OUTPUT] = np.array([*(_NODES.index(op) + 1 for op in OPS), 0], np.uint8)[ops.T]
        edge_op = np.zeros((len(archs), VERTICES, VERTICES), np.uint8)
        for (x, y), there in zip(EDGES, cells.edge_bits(sources), strict=True):
            edge_op[:, x, y] = there * len(_NODES)
        return Graphs(node_op, edge_op, _NODES)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: equal for cells that are isomorphic once pruned, 0 for what is no cell."""
        bits, ops = archs.genes[:, : len(EDGES)], archs.genes[:, len(EDGES) :]
        known = ((bits == 0) | (bits == 1)).all(1) & ((ops >= -1) & (ops < len(OPS))).all(1)
        keys = np.zeros(len(archs), np.uint64)
        keys[known] = cells.isomorphism_keys(*_live(archs[known]))
        return keys

    def hashes(self, archs: Architectures) -> list[str]:
        """The benchmark's MD5 hash of each cell, about 10,000 a second. Raises BadArchitecture for what is no cell."""
        self.check(archs)
        return cells.fingerprints(*cells.compact(*_live(archs)))

    def moves(self, archs: Architectures) -> tuple[Architectures, NDArray[np.int64]]:
        """Cells with one edge more or fewer, another operation, or one vertex put in or taken out."""
        sources, ops, parent = one_step(*cells.compact(*_live(archs)))
        return Architectures(self, cells.to_genes(sources, ops)), parent

    # ---- drawing -----------------------------------------------------------------------------------------

    def sample_published(
        self, n: int, rng: np.random.Generator, vertices: tuple[int, int] = (2, VERTICES)
    ) -> Architectures:
        """`n` cells as the Neural Architecture Ranker draws them: not uniform, smaller cells are likelier.

        A number of vertices, uniform from `vertices` (both ends included), each entered from one earlier vertex;
        uniform operations; then as many random edges as nine allow; pruned. What a narrowed space lacks is drawn again.
        Raises BadSetting for bounds outside 2 to 7, and where the narrowed space is hardly ever met.
        """
        least, most = vertices
        if not 2 <= least <= most <= VERTICES:
            raise BadSetting("vertices", vertices, f"two bounds in ascending order from 2 to {VERTICES}")
        kept, missing = [self.enumerate()[:0]], n
        for _ in range(_DRAWS):
            row = self.index(Architectures(self, cells.to_genes(*_random_cells(missing, rng, least, most))))
            kept.append(self.at(row[row >= 0]))
            missing -= len(kept[-1])
            if not missing:
                return concatenate(kept)
        raise BadSetting("sample_published", repr(self), "a space less narrow, or sample()")

    # ---- costs and networks ------------------------------------------------------------------------------

    def vertex_costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 9, 7, 2) FLOPs and parameters of every vertex in each of the nine cells; `classes` has no part.

        A vertex counts its operation, the projection of the input and the sum of what enters. Input and output have
        none: the projection from input to output is in ``totals`` alone. Raises BadSetting.
        """
        full = np.empty((len(archs), len(cost_rules.KIND_OF_CELL), VERTICES, 2), np.int64)
        for start in range(0, len(archs), _ROWS):
            kinds = cost_rules.kind_costs(*_live(archs[start : start + _ROWS]), shape)
            full[start : start + _ROWS] = kinds.transpose(3, 0, 1, 2)[:, cost_rules.KIND_OF_CELL]
        return full

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 9, 7, 7, 2) FLOPs and parameters of the target of every edge, on each edge that enters it."""
        edges = self.graphs(archs).edge_op > 0
        return self.vertex_costs(archs, classes=classes, shape=shape)[:, :, None] * edges[:, None, :, :, None]

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and trainable parameters of the whole network. Raises BadSetting."""
        full = np.empty((len(archs), 2), np.int64)
        for start in range(0, len(archs), _ROWS):
            part = _live(archs[start : start + _ROWS])
            full[start : start + _ROWS] = cost_rules.network_totals(*part, classes, shape)
        return full

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network of the benchmark: stem, three stacks of three cells, classifier. Raises MissingExtra."""
        need_torch()
        from tierwise.networks.nasbench101 import Network

        cost_rules.kinds(shape)
        one = Architectures.of([arch], self)
        self.check(one)
        sources, ops = (rows[:, 0].tolist() for rows in cells.compact(*_live(one)))
        interior = [v for v in range(1, OUTPUT) if ops[v - 1] >= 0]
        entered = [sources[v] for v in (*interior, OUTPUT)]
        sources_of = [[x for x in (0, *interior) if mask >> x & 1] for mask in entered]
        return Network(sources_of, [OPS[ops[v - 1]] for v in interior], classes, shape[0])

    # ---- text --------------------------------------------------------------------------------------------

    def format(self, archs: Architectures) -> list[str]:
        """Each vertex with the vertices that enter it, "conv3x3:0|maxpool3x3:01|output:12": 0 is the input."""
        sources, ops = cells.compact(*_live(archs))
        texts = _output_texts()[sources[OUTPUT]]
        for v in range(INTERIOR, 0, -1):
            texts = _vertex_texts()[ops[v - 1], sources[v]] + texts
        return texts.tolist()

    def parse(self, text: str) -> Architecture:
        """A cell by its vertices ("conv3x3:0|maxpool3x3:01|output:12"), its hash (32 hexadecimal digits), its official
        row ("211812") or its genes ("nasbench101/0-1-..."). Raises BadArchitecture.
        """
        given = text.strip()
        if re.fullmatch("[0-9a-f]{32}", given):
            return self._of_hash(given)
        if given.isascii() and given.isdigit():
            if len(given) > 6 or int(given) >= len(_every_cell()):
                raise BadArchitecture(text, f"an official row is 0 to {len(_every_cell()) - 1}")
            return Architecture(self.name, tuple(_every_cell()[int(given)].tolist()))
        if "/" in given:
            return super().parse(given)
        return self._of_vertices(text)

    def _of_vertices(self, text: str) -> Architecture:
        *interior, last = text.strip().split("|")
        found, end = [_VERTEX.fullmatch(piece) for piece in interior], _LAST.fullmatch(last)
        vertices = [(m[1], m[2]) for m in found if m]
        if end is None or len(vertices) < len(found) or len(found) > INTERIOR:
            raise BadArchitecture(text, f"expected vertices and what enters them, {EXAMPLE}, a hash or a row number")
        entered = [*(digits for _, digits in vertices), end[1]]
        adjacency = np.zeros((1, len(entered) + 1, len(entered) + 1), np.uint8)
        for y, digits in enumerate(entered, start=1):
            if [*digits] != sorted({*digits}) or int(digits[-1]) >= y:
                raise BadArchitecture(text, f"vertex {y}: expected earlier vertices, ascending, each once")
            adjacency[0, [int(x) for x in digits], y] = 1
        cell = self.encode(adjacency, np.array([[_SHORT.index(op) for op, _ in vertices]], dtype=np.int8))
        if not self.canonical(cell)[0]:
            raise BadArchitecture(text, f"expected a way from input to output and at most {MOST_EDGES} edges")
        return cell[0]

    def _of_hash(self, wanted: str) -> Architecture:
        """Bisection: the rows ascend by hash."""
        every = _every_cell()
        low, high = 0, len(every)
        while low < high:
            middle = (low + high) // 2
            found = cells.fingerprints(*cells.from_genes(every[[middle]]))[0]
            if found == wanted:
                return Architecture(self.name, tuple(every[middle].tolist()))
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        raise BadArchitecture(wanted, "no cell of NAS-Bench-101 has this hash")


def _live(archs: Architectures) -> tuple[Masks, Ops]:
    return cells.pruned(*cells.from_genes(archs.genes))


def _random_cells(n: int, rng: np.random.Generator, least: int, most: int) -> tuple[Masks, Ops]:
    """The published draw: a random tree from the input, random operations, random further edges; pruned."""
    count = rng.integers(least, most, size=n, endpoint=True)
    sources, ops = np.zeros((VERTICES, n), np.uint8), rng.integers(0, len(OPS), size=(INTERIOR, n)).astype(np.int8)
    rows = np.arange(n)
    for y in range(1, most):
        one = (1 << rng.integers(0, y, size=n)).astype(np.uint8)
        sources[np.where(y == count - 1, OUTPUT, y), rows] |= np.where(y < count, one, 0)
    for extra in range(MOST_EDGES - least + 1):
        start = rng.integers(0, count)
        end = rng.integers(start, count)
        added = (start < end) & (extra < MOST_EDGES - count + 1)
        sources[np.where(end == count - 1, OUTPUT, end), rows] |= (added << start).astype(np.uint8)
    return cells.compact(*cells.pruned(sources, ops))


@functools.cache
def _vertex_texts() -> NDArray[np.object_]:
    """(4, 64) "op:sources|" by operation and mask of sources; the last row, of no vertex, is empty."""
    return np.array([*([f"{op}:{_digits(m)}|" for m in range(64)] for op in _SHORT), [""] * 64], dtype=object)


@functools.cache
def _output_texts() -> NDArray[np.object_]:
    return np.array([f"output:{_digits(mask)}" for mask in range(64)], dtype=object)


def _digits(mask: int) -> str:
    return "".join(str(x) for x in range(OUTPUT) if mask >> x & 1)
