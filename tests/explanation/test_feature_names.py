"""Every registered encoding says what each of its columns is, and what it says is true."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tests.small_spaces import Costed, Flat, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.space import Space
from tierwise.spaces.darts import DARTS
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201

SPACES: dict[str, Space] = {
    "nasbench201": NASBench201(),
    "nasbench101": NASBench101(),
    "darts": DARTS(),
    "tiny": tiny(cls=Costed),
    "flat": Flat(),
}
READABLE = ("adjacency", "flops", "node_costs", "onehot", "params", "paths", "wl")
OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", READABLE)
def test_there_is_a_name_for_every_column_and_none_twice(name: str, space: str) -> None:
    encoding, over = registry.make("encoding", name), SPACES[space]
    few = over.sample(50, np.random.default_rng(0))
    if space == "flat" and name in ("flops", "node_costs", "params"):
        with pytest.raises(BadSetting):
            encoding.transform(few)
        return
    x = encoding.transform(few)
    names = encoding.feature_names(over)
    assert len(names) == len(set(names)) == int(np.prod(x.shape[1:]))


def words(genes: list[int]) -> list[list[str]]:
    """The live paths of a cell of NAS-Bench-201 as their operations, identities left out; by hand."""
    op = {(0, 1): 0, (0, 2): 1, (1, 2): 2, (0, 3): 3, (1, 3): 4, (2, 3): 5}
    ways = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    read = [[OPS[genes[op[edge]]] for edge in way] for way in ways]
    return [[name for name in path if name != "skip_connect"] for path in read if "none" not in path]


def counted(name: str, paths: list[list[str]]) -> float | None:
    """What a column of this name must hold, None where this reader does not know the name."""
    if found := re.fullmatch(r"paths with (\d) (.+)|paths without (.+)", name):
        k, op = int(found[1] or 0), found[2] or found[3]
        return sum((len(path) if op in ("operation", "operations") else path.count(op)) == k for path in paths)
    if found := re.fullmatch(r"paths that (begin|end) with (.+)", name):
        place = 0 if found[1] == "begin" else -1
        return sum(bool(path) and path[place] == found[2] for path in paths)
    if found := re.fullmatch(r"paths of exactly (.+)", name):
        parts = [part.split(" ") for part in found[1].split(" + ") if part != "no operation"]
        return sum(Counter(path) == Counter({op: int(times) for times, op in parts}) for path in paths)
    if found := re.fullmatch(r"(.+) followed by (.+)", name):
        return sum(pair == found.groups() for path in paths for pair in pairwise(path))
    if found := re.fullmatch(r"(.+) over all paths", name):
        return sum(path.count(found[1]) for path in paths)
    if found := re.fullmatch(r"(most|fewest) (.+) on a path", name):
        times = [len(path) if found[2] == "operations" else path.count(found[2]) for path in paths]
        return (max if found[1] == "most" else min)(times, default=0)
    return len(paths) if name == "live paths" else None


def test_the_columns_of_live_paths_hold_what_their_names_say() -> None:
    space, encoding = NASBench201(), registry.make("encoding", "paths")
    archs = space.sample(60, np.random.default_rng(0))
    names, x = encoding.feature_names(space), encoding.transform(archs)
    checked = 0
    for row, genes in zip(x, archs.genes.tolist(), strict=True):
        for name, value in zip(names, row, strict=True):
            wanted = counted(name, words(genes))
            checked += wanted is not None
            assert wanted is None or wanted == value, (name, genes)
    assert checked == len(archs) * (len(names) - 3)  # all but what the operations in the network are


def test_the_columns_of_the_graph_hold_what_their_names_say() -> None:
    space, encoding = NASBench201(), registry.make("encoding", "adjacency")
    names = encoding.feature_names(space)
    x = encoding.transform(Architectures(space, np.array([[3, 0, 1, 2, 4, 3]])))[0]
    there = {name for name, value in zip(names, x, strict=True) if value}
    assert there == {
        "edge 0-1 is nor_conv_3x3",
        "edge 1-2 is skip_connect",
        "edge 0-3 is nor_conv_1x1",
        "edge 1-3 is avg_pool_3x3",
        "edge 2-3 is nor_conv_3x3",
    }
    cells = NASBench101()
    names = encoding.feature_names(cells)
    row = cells.sample(1, np.random.default_rng(3))
    graph = cells.graphs(row)
    x = encoding.transform(row)[0]
    there = {name for name, value in zip(names, x, strict=True) if value}
    edges = {f"edge {i}-{j} is there" for _, i, j in np.argwhere(graph.edge_op)}
    nodes = {f"node {v} is {graph.ops[code - 1]}" for v, code in enumerate(graph.node_op[0]) if code}
    assert there == edges | {node for node in nodes if node.split(" is ")[1] not in ("input", "output")}


def test_the_costs_by_kind_and_cell_are_in_the_order_of_their_names() -> None:
    space, encoding = tiny(cls=Costed), registry.make("encoding", "node_costs")
    archs = Architectures(space, np.array([[3, 0, 2]]))  # a 3x3 and a 1x1 convolution, in two cells
    held = dict(zip(encoding.feature_names(space), np.expm1(encoding.transform(archs)[0]), strict=True))
    assert held["log FLOPs of conv3x3"] == pytest.approx(2 * 3 * 300_000, rel=1e-4)
    assert held["log parameters of conv1x1"] == pytest.approx(2 * 3 * 1_000, rel=1e-4)
    assert held["log FLOPs of pool"] == 0
    assert held["log FLOPs of cell 1"] == pytest.approx(3 * 340_000, rel=1e-4)
    assert held["log parameters of the network"] == pytest.approx(2 * 3 * 9_000 + 10, rel=1e-4)
