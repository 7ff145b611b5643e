"""Cells as graphs of primitive operations, which mean the same in every space."""

from __future__ import annotations

import functools
import itertools
import re
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs, Graphs
from tierwise.encoding import Encoding, batch
from tierwise.errors import BadSetting
from tierwise.space import Shape

KINDS = (
    "input", "output", "add", "conv", "depthwise_conv", "batch_norm", "relu", "max_pool", "avg_pool", "linear",
)  # fmt: skip
OTHERS = 16  # kinds after these, shared by the hashes of the names of operations that are none of them
ATTRIBUTES = ("log2 kernel", "dilated", "log2 width", "log FLOPs", "log parameters", "share of FLOPs")
KERNELS = (1, 3, 5, 7)  # counted on their own; the last one with all that are larger
SPECTRUM = 8  # eigenvalues that are columns
_KINDS_IN_ALL = len(KINDS) + OTHERS
_WITH_KERNEL = ("conv", "depthwise_conv", "max_pool", "avg_pool")
_NUMBERS = 2**19  # of cells looked at together, so many times the square of their nodes: a few hundred MB at most
_INPUTS = ("input", "prev", "prev_prev")
_PASSING = ("", "sum")

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


class Primitive(NamedTuple):
    """One operation on tensors. kind: a name of KINDS or any other. width: units, 0 where the name says nothing."""

    kind: str
    kernel: int = 1
    dilated: bool = False
    width: int = 0
    main: bool = False


@functools.cache
def primitives(op: str) -> tuple[Primitive, ...]:
    """What a named operation computes, one primitive after the other; nothing for what hands on its input.

    The names of the built-in spaces as their authors build them, except that a separable convolution counts once;
    other names by the words in them (conv, sep, dil, pool, linear, relu, bn, 3x3, kernel 5); what is left is itself.
    """
    reduction, _, name = op.lower().rpartition(":")
    if name in _INPUTS:
        return (Primitive("input"),)
    if name == "output":
        return (Primitive("output"),)
    sizes = re.search(r"(\d+)x\1", name) or re.search(r"k(?:ernel)?[ =_]?(\d+)", name)
    kernel = int(sizes[1]) if sizes else 1
    relu, norm = Primitive("relu"), Primitive("batch_norm")
    if name in _PASSING or "skip" in name or "identity" in name:
        # at a reduction even the identity halves the map, by a convolution
        return (relu, Primitive("conv", main=True), norm) if reduction else ()
    if "sep" in name or "dil" in name:
        depthwise = Primitive("depthwise_conv", kernel, "dil" in name, main=True)
        return relu, depthwise, Primitive("conv"), norm
    if "conv" in name:
        conv = Primitive("conv", kernel, main=True)
        if name.startswith("nor_conv"):
            return relu, conv, norm
        return conv, *((norm,) if "bn" in name else ()), *((relu,) if "relu" in name else ())
    if "pool" in name:
        return (Primitive("max_pool" if "max" in name else "avg_pool", kernel, main=True),)
    if name in ("fc", "linear", "dense"):
        return (Primitive("linear", main=True),)
    width = re.search(r"^(\d+)$|(?:width|channels) (\d+)", name)
    if width:
        return (Primitive("layer", width=int(width[1] or width[2]), main=True),)
    return (Primitive(name, main=True),)


def _features(primitive: Primitive) -> Floats:
    """(kinds + 3,) one-hot kind, log2 kernel, dilated, log2 width."""
    row = np.zeros(_KINDS_IN_ALL + 3, dtype=np.float32)
    known = primitive.kind in KINDS
    row[KINDS.index(primitive.kind) if known else len(KINDS) + zlib.crc32(primitive.kind.encode()) % OTHERS] = 1
    row[_KINDS_IN_ALL:] = np.log2(primitive.kernel), primitive.dilated, np.log2(1 + primitive.width)
    return row


@dataclass(frozen=True, slots=True)
class ComputationGraphs:
    """Graphs of equal size, padded at the end, nodes in topological order.

    nodes: (n, v, kinds + attributes), the attributes those of ATTRIBUTES. links: (n, v, v) how often a later node
    reads an earlier one. there: (n, v) which nodes are no padding.
    """

    nodes: Floats
    links: Floats
    there: Bools

    def spectrum(self, k: int) -> Floats:
        """(n, k) smallest eigenvalues of the normalised Laplacian, directions aside; 2, the bound, where none is."""
        around = np.minimum(self.links + self.links.swapaxes(1, 2), 1.0).astype(np.float64)
        root = np.sqrt(np.maximum(around.sum(2), 1.0))
        laplacian = -around / root[:, :, None] / root[:, None, :]
        slots = np.arange(laplacian.shape[1])
        # padding comes last, and a node alone counts as a component of its own
        laplacian[:, slots, slots] = np.where(self.there, around.any(2), 2.0)
        found = np.linalg.eigvalsh(laplacian)[:, :k]
        return np.pad(found, ((0, 0), (0, k - found.shape[1])), constant_values=2.0).astype(np.float32)

    def longest(self, counted: Bools) -> NDArray[np.float32]:
        """(n,) most `counted` (n, v) nodes on one way along the links."""
        length: Floats = np.zeros(self.there.shape, dtype=np.float32)
        for slot in range(self.there.shape[1]):
            before = (length * (self.links[:, :, slot] > 0)).max(1, initial=0.0)
            length[:, slot] = before + counted[:, slot]
        return length.max(1, initial=0.0)


class ComputationGraph(Encoding):
    """What a cell computes, in primitive operations: columns with one meaning, and one number, in all spaces.

    One cell of each kind stands for the network. Operations on edges or nodes become the primitives that they are
    made of (see ``primitives``), missing operations and identities no node, sums of several values a node "add".
    How an output joins what it reads, by sum or concatenation, is not told apart. Nodes on no way from an input to
    the output are left out. Costs are those of the operation over the whole network, on its heaviest primitive, as
    log10(1 + cost) / 10 and as its share of the FLOPs; zeros where a space has no cost formulas.

    The (n, 48) float32 columns: how many nodes of each of the 26 kinds (ten of KINDS, 16 for the hashes of other
    names); windows of 1, 3, 5 and 7 or more; sums of dilated and of log2 width; log FLOPs and log parameters of all;
    nodes, links, nodes and operations with a window or weights on the longest way; links a node; the largest share of
    FLOPs; and the 8 smallest eigenvalues of the normalised Laplacian.
    ``graphs`` gives the graphs themselves, for networks on graphs.

    classes, shape: the task that is costed: outputs of the classifier; channels, height, width of an image.

    After the computation graphs of Han et al., "A General-Purpose Transferable Predictor for Neural Architecture
    Search" (2023). One cell in place of the network, attributes from costs in place of map sizes and channels, and
    the columns are ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> ComputationGraph().transform(NASBench201().at([0])).shape
    (1, 48)
    """

    def __init__(self, classes: int = 10, shape: Shape = (3, 32, 32)):
        self.classes = classes
        self.shape = shape

    def transform(self, archs: Archs) -> Floats:
        """The columns, (n, 48)."""
        rows = batch(archs)
        together = max(256, _NUMBERS // rows.space.graphs(rows[:1]).node_op.shape[1] ** 2)
        return np.concatenate([_columns(self.graphs(part)) for part in rows.chunks(together)])

    def graphs(self, archs: Archs) -> ComputationGraphs:
        """The graphs, padded to the largest of them. All lie in memory at once: give a large space in parts."""
        rows = batch(archs)
        graphs = rows.space.graphs(rows)
        codes, links, costs = _operations(graphs, self._costs(rows, graphs))
        links, alone = _without_passing(codes, links, graphs, rows.space.identity_op)
        there = codes > 0
        links, codes, costs, alone = _compact(there, links, codes, costs * there[..., None], alone)
        return _expanded(codes, links, costs, alone, graphs.ops)

    def _costs(self, rows: Architectures, graphs: Graphs) -> NDArray[np.float64]:
        """(n, v, v, 2) FLOPs and parameters over all cells, on edges; zeros without formulas."""
        try:
            return rows.space.costs(rows, classes=self.classes, shape=self.shape).sum(1).astype(np.float64)
        except BadSetting as error:
            if error.setting != "costs of the space":
                raise
            return np.zeros((*graphs.edge_op.shape, 2))


def _operations(graphs: Graphs, costs: NDArray[np.float64]) -> tuple[Codes, Floats, NDArray[np.float64]]:
    """Codes (n, s), links (n, s, s) and costs (n, s, 2), one slot for each node and each edge with an operation."""
    v = graphs.node_op.shape[1]
    named = np.array([False, *(op != "" for op in graphs.ops)])[graphs.edge_op]
    places = np.argwhere(named.any(0)).tolist()
    # an edge comes after its source and before its target
    slots = sorted([*((node, 1, node) for node in range(v)), *((j, 0, i) for i, j in places)])
    slot_of = {node: k for k, (_, is_node, node) in enumerate(slots) if is_node}
    codes = np.zeros((len(graphs), len(slots)), dtype=np.int64)
    links = np.zeros((len(graphs), len(slots), len(slots)), dtype=np.float32)
    each = np.zeros((len(graphs), len(slots), 2))
    nodes = [slot_of[node] for node in range(v)]
    plain = (graphs.edge_op > 0) & ~named
    links[:, np.array(nodes)[:, None], nodes] = plain
    for slot, (target, is_node, source) in enumerate(slots):
        if is_node:  # every plain edge into a node carries the costs of that node
            codes[:, slot] = graphs.node_op[:, source]
            each[:, slot] = (costs[:, :, source] * plain[:, :, source, None]).max(1, initial=0.0)
            continue
        there = named[:, source, target]
        codes[:, slot] = np.where(there, graphs.edge_op[:, source, target], 0)
        each[:, slot] = costs[:, source, target] * there[:, None]
        links[:, slot_of[source], slot] = links[:, slot, slot_of[target]] = there
    return codes, links, each


def _without_passing(codes: Codes, links: Floats, graphs: Graphs, identity: str) -> tuple[Floats, Bools]:
    """Links without what is dead or passes one value on, whose codes are set to 0; (n, s) what reads just one value."""
    ops = ("", *graphs.ops)
    inputs, outputs = ([op in names for op in ops] for names in (_INPUTS, ("output",)))
    if any(inputs) and any(outputs):
        ends = np.array(inputs)[codes] | np.array(outputs)[codes]
        live = _reached(links, np.array(inputs)[codes])
        live &= _reached(links[:, ::-1, ::-1].swapaxes(1, 2), np.array(outputs)[codes][:, ::-1])[:, ::-1]
        codes *= live | ends
        links = links * (live[:, :, None] & live[:, None, :])
    passing = np.array([bool(op) and (op == identity or not primitives(op)) for op in ops])[codes]
    alone = np.ones(codes.shape, dtype=np.bool_)
    for slot in range(codes.shape[1]):
        alone[:, slot] = links[:, :, slot].sum(1) <= 1
        rows = np.flatnonzero(passing[:, slot] & alone[:, slot])
        links[rows] += links[rows, :, slot, None] * links[rows, None, slot, :]
        links[rows, :, slot], links[rows, slot], codes[rows, slot] = 0, 0, 0
    return links, alone


def _reached(links: Floats, start: Bools) -> Bools:
    """(n, s) whether a way leads to each slot from one of `start`."""
    reached = start.copy()
    for slot in range(reached.shape[1]):
        reached[:, slot] |= (reached & (links[:, :, slot] > 0)).any(1)
    return reached


def _compact(there: Bools, links: Floats, *arrays: NDArray[Any]) -> list[Any]:
    """Links (n, s, s) and arrays (n, s, ...) with the slots that are there first, in their order."""
    most = int(there.sum(1).max(initial=0))
    order = np.argsort(~there, axis=1, kind="stable")[:, :most]
    rows = np.arange(len(there))[:, None]
    compact = links[rows[:, :, None], order[:, :, None], order[:, None]]
    return [compact, *(array[rows, order] for array in arrays)]


def _expanded(
    codes: Codes, links: Floats, costs: NDArray[np.float64], alone: Bools, ops: tuple[str, ...]
) -> ComputationGraphs:
    """Every operation as its primitives in a row, with a sum before them if it reads several values."""
    add = Primitive("add")
    chains = list[tuple[Primitive, ...]]([(), ()])
    for op in ops:
        made = primitives(op)
        chains += [made, made if op == "output" else (add, *made)]
    most = max(len(chain) for chain in chains)
    table = np.zeros((len(chains), most, _KINDS_IN_ALL + 3), dtype=np.float32)
    main = np.zeros((len(chains), most), dtype=np.float32)
    for row, chain in enumerate(chains):  # flush right: the last place of a slot hands on its value
        for place, primitive in enumerate(chain, start=most - len(chain)):
            table[row, place], main[row, place] = _features(primitive), primitive.main
    lengths = np.array([len(chain) for chain in chains])
    kept = 2 * codes + ~alone * (codes > 0)
    n, slots = codes.shape
    first = np.arange(most) == (most - lengths[kept])[:, :, None]
    inside = np.arange(most) >= (most - lengths[kept])[:, :, None]
    full = np.zeros((n, slots, most, slots, most), dtype=np.float32)
    full[:, :, -1] = links[:, :, :, None] * first[:, None]
    own = np.arange(slots)
    for place in range(most - 1):
        full[:, own, place, own, place + 1] = inside[:, :, place]
    share = costs[..., :1] / np.maximum(costs[..., :1].sum(1, keepdims=True), 1.0)
    attributes = np.concatenate([np.log10(1 + costs) / 10, share], 2).astype(np.float32)
    nodes = np.concatenate([table[kept], main[kept][..., None] * attributes[:, :, None]], 3)
    there = inside.reshape(n, slots * most)
    nodes, full = nodes.reshape(n, slots * most, nodes.shape[3]), full.reshape(n, slots * most, slots * most)
    full, nodes, there = _compact(there, full, nodes, there)
    return ComputationGraphs(nodes, full, there)


def _columns(graphs: ComputationGraphs) -> Floats:
    nodes, there = graphs.nodes, graphs.there
    kinds, attributes = nodes[..., :_KINDS_IN_ALL], nodes[..., _KINDS_IN_ALL:]
    windows = kinds[..., [KINDS.index(kind) for kind in _WITH_KERNEL]].any(2)
    edges = np.log2([*(np.array(KERNELS) - 0.5).clip(0.5), np.inf])
    kernel = attributes[..., 0]
    sizes = [(windows & (kernel > low) & (kernel < high)).sum(1) for low, high in itertools.pairwise(edges)]
    weighted = windows | (kinds[..., KINDS.index("linear")] > 0) | kinds[..., len(KINDS) :].any(2)
    costs = np.log10(1 + (10 ** (10 * attributes[..., 3:5].astype(np.float64)) - 1).sum(1)) / 10
    count, links = there.sum(1), graphs.links.sum((1, 2))
    single = [*sizes, attributes[..., 1].sum(1), attributes[..., 2].sum(1), *costs.T, count, links]
    single += [graphs.longest(there), graphs.longest(weighted), links / np.maximum(count, 1)]
    single += [attributes[..., 5].max(1, initial=0.0)]
    return np.concatenate([kinds.sum(1), np.stack(single, 1), graphs.spectrum(SPECTRUM)], 1).astype(np.float32)
