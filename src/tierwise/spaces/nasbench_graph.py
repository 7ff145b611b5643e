"""NAS-Bench-Graph's space: 26,206 graph neural networks of four computing nodes, each with one predecessor.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search" (2022). Which architectures are the same
network, and their keys, are those of the authors' package ``nas-bench-graph`` 1.4.0 (Apache-2.0).
"""

from __future__ import annotations

import functools
import itertools
import re

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Genes, Graphs
from tierwise.errors import BadArchitecture, UnknownName
from tierwise.space import Choice
from tierwise.spaces.listed import Listed

NODES = 4
# the predecessor of each computing node, 0 the input: one list for every shape of tree, in the authors' order
LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
PROTEINS_OPS = ("gcn", "sage", "arma", "fc", "skip")
SKIP = OPS.index("skip")
PLACE_VALUES = np.array([len(OPS) ** k for k in reversed(range(NODES + 1))])  # of the genes in the number of a row
EXAMPLE = "0112: gat, gcn, skip, fc"
_KEY_BASE = 10  # of the authors' keys: the link list and then the operations as decimal digits
_FOUR_SKIPS = SKIP * 1111
_TEXT = re.compile(r"([0-9]{4})\s*:\s*([^,]+),([^,]+),([^,]+),([^,]+)")
# nodes that can change places in a tree without changing it: their operations are listed in ascending order
_ALIKE = {"0000": (0, 1, 2, 3), "0001": (1, 2), "0011": (2, 3), "0111": (1, 2, 3), "0122": (2, 3)}
Links = tuple[int, ...]


class NASBenchGraph(Listed):
    """The 26,206 architectures, in ascending order of their keys; genes: the tree, and the operation of each node.

    A leaf of the tree is connected to the output. Every link list and every choice of operations stands for the
    member that is the same network; four times ``skip`` is no architecture. ``skip`` passes its input.
    """

    identity_op = "skip"

    def __init__(self) -> None:
        nodes = [Choice(f"op/{node}", OPS) for node in range(1, NODES + 1)]
        super().__init__("nasbench-graph", [Choice("links", LINKS), *nodes])

    def _members(self) -> Genes:
        return _genes_of(np.unique(_keys_of_all_rows())[:-1])  # the last key is four skips

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) the authors' key plus 1, equal for equal networks; 0 for what is no architecture."""
        inside = ((archs.genes >= 0) & (archs.genes < len(OPS))).all(1)  # there are as many link lists as operations
        key = _keys_of_all_rows()[np.where(inside, archs.genes @ PLACE_VALUES, 0)]
        return np.where(inside & (key % _KEY_BASE**NODES != _FOUR_SKIPS), key + 1, 0).astype(np.uint64)

    def keys(self) -> NDArray[np.int64]:
        """(size,) the authors' key of every member, ascending: 10000 x link list + 1000 x operation 1 + ..."""
        return self.canonical(self.enumerate()).astype(np.int64) - 1

    def graphs(self, archs: Architectures) -> Graphs:
        """Six nodes: the input, four operations, the output, which the leaves enter."""
        names = (*OPS, "input", "output", "")
        node_op = np.full((len(archs), NODES + 2), names.index("input") + 1, dtype=np.uint8)
        node_op[:, 1:-1] = archs.genes[:, 1:] + 1
        node_op[:, -1] = names.index("output") + 1
        edges = np.zeros((len(LINKS), NODES + 2, NODES + 2), dtype=np.uint8)
        for row, text in enumerate(LINKS):
            links = [int(x) for x in text]
            leaves = set(range(1, NODES + 1)) - set(links)
            for source, target in [*zip(links, range(1, NODES + 1), strict=True), *((x, NODES + 1) for x in leaves)]:
                edges[row, source, target] = len(names)
        return Graphs(node_op, edges[archs.genes[:, 0]], names)

    def format(self, archs: Architectures) -> list[str]:
        """The predecessors of the nodes and their operations, ``0112: gat, gcn, skip, fc``."""
        return [f"{LINKS[row[0]]}: {', '.join(OPS[op] for op in row[1:])}" for row in archs.genes.tolist()]

    def parse(self, text: str) -> Architecture:
        """The member that "0121: gat, gcn, fc, skip" stands for, or "nasbench-graph/6-0-1-8-7". Raises
        BadArchitecture.

        Any predecessors will do, as long as each lies before its node: 0121 is the tree 0112 in another order.
        """
        if "/" in text or ":" not in text:
            return super().parse(text)
        match = _TEXT.fullmatch(text.strip())
        if not match:
            raise BadArchitecture(text, f"expected the form {EXAMPLE}")
        links, ops = tuple(int(x) for x in match[1]), [name.strip() for name in match.groups()[1:]]
        if any(link > node for node, link in enumerate(links)):
            raise BadArchitecture(
                text, f"predecessors {match[1]}: each is 0 (the input) or the number of a node before"
            )
        for name in ops:
            if name not in OPS:
                raise BadArchitecture(text, str(UnknownName("operation", name, OPS)))
        listed, places = _listed_tree(links)
        row = (LINKS.index("".join(map(str, listed))), *(OPS.index(ops[place]) for place in places))
        key = self.canonical(Architectures(self, np.array([row])))
        if not key[0]:
            raise BadArchitecture(text, "four times skip computes nothing")
        return Architecture(self.name, tuple(_genes_of(key.astype(np.int64) - 1)[0].tolist()))


def proteins() -> NASBenchGraph:
    """The space of the data set proteins, 2,021 architectures: nodes are gcn, sage, arma, fc or skip."""
    space = NASBenchGraph()
    for node in range(1, NODES + 1):
        space = space.narrow(f"op/{node}", PROTEINS_OPS)
    return space


def _genes_of(keys: NDArray[np.int64]) -> Genes:
    """(n, 5) the digits of the keys."""
    digits = _KEY_BASE ** np.arange(NODES, -1, -1)
    return (keys[:, None] // digits % _KEY_BASE).astype(np.int16)


@functools.cache
def _keys_of_all_rows() -> NDArray[np.int64]:
    """(59049,) the key of every gene row: skips moved to the input, then operations of like nodes in order.

    Where the skips go depends on the tree and on which nodes are skips, so each such case is worked out once.
    """
    rows = np.arange(len(LINKS) * len(OPS) ** NODES)[:, None] // PLACE_VALUES % len(OPS)
    skips = rows[:, 1:] == SKIP
    case = rows[:, 0] * 2**NODES + skips @ (1 << np.arange(NODES))
    keys = np.zeros(len(rows), dtype=np.int64)
    for tree, links in enumerate(LINKS):
        for mask in itertools.product((False, True), repeat=NODES):
            mine = np.flatnonzero(case == tree * 2**NODES + np.array(mask) @ (1 << np.arange(NODES)))
            moved, places = _skips_first(tuple(int(x) for x in links), mask)
            name = "".join(map(str, moved))
            ops = _in_order(name, rows[mine][:, 1 + np.array(places)])
            digits = _KEY_BASE ** np.arange(NODES - 1, -1, -1)
            keys[mine] = LINKS.index(name) * _KEY_BASE**NODES + ops @ digits
    return keys


def _in_order(links: str, ops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Operations (n, 4) with those of like nodes ascending; two like branches by their first nodes, then their
    second.
    """
    ordered = ops.copy()
    if alike := list(_ALIKE.get(links, ())):
        ordered[:, alike] = np.sort(ops[:, alike], axis=1)
    if links == "0012":
        later = ops[:, 0] * len(OPS) + ops[:, 2] > ops[:, 1] * len(OPS) + ops[:, 3]
        ordered[later] = ops[later][:, [1, 0, 3, 2]]
    return ordered


def _skips_first(links: Links, skips: tuple[bool, ...]) -> tuple[Links, tuple[int, ...]]:
    """The tree with its skips at the input where the authors move them, and where each node's operation was.

    A skip moves if it has successors, or is the only successor of its predecessor, or nothing but skips lies
    between it and the input. Its successors then hang on its predecessor, and the whole tree hangs on the skip.
    """
    places, is_skip = tuple(range(NODES)), skips
    for node in range(NODES):
        if not is_skip[node]:
            continue
        leaf = node + 1 not in links
        alone = links.count(links[node]) == 1
        if not leaf or alone or _only_skips(node, links, is_skip):
            links = _moved_first(node, links)
            order = (node, *(x for x in range(NODES) if x != node))
            places, is_skip = tuple(places[x] for x in order), tuple(is_skip[x] for x in order)
    listed, order = _listed_tree(links)
    return listed, tuple(places[x] for x in order)


def _only_skips(node: int, links: Links, skips: tuple[bool, ...]) -> bool:
    """Whether the node and all on its way to the input are skips."""
    while node >= 0:
        if not skips[node]:
            return False
        node = links[node] - 1
    return True


def _moved_first(node: int, links: Links) -> Links:
    """The tree with this node between the input and all others."""
    taken_over = [links[node] if link == node + 1 else link for link in links]
    # the node is number 1 now: it is the predecessor of what hung on the input, and those before it move up by one
    shifted = [link + 1 if link <= node else link for link in taken_over]
    return (0, *shifted[:node], *shifted[node + 1 :])


@functools.cache
def _listed_tree(links: Links) -> tuple[Links, tuple[int, ...]]:
    """The tree as one of the nine lists, and which old node each new one is."""
    for order in itertools.permutations(range(NODES)):
        new = {0: 0, **{old + 1: place + 1 for place, old in enumerate(order)}}
        relabelled = tuple(new[links[old]] for old in order)
        if "".join(map(str, relabelled)) in LINKS:
            return relabelled, order
    raise AssertionError(links)  # the nine lists are all trees of four nodes
