"""Architectures side by side: distances against networkx's own, drawings in one arrangement."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from tests.navigator.conftest import Start, foretell
from tests.small_spaces import Grid, Unordered, tiny
from tierwise import Study, make
from tierwise.errors import BadSetting
from tierwise.navigator import Navigator
from tierwise.navigator.comparing import compared_archs, laid_on
from tierwise.space import Space


def as_networkx(graphs: object, k: int) -> nx.DiGraph:
    graph = graphs[k]  # pyright: ignore[reportIndexIssue]
    found = nx.DiGraph()
    for node, op in enumerate(graph.nodes):
        found.add_node(node, op=op)
    for i, j, op in graph.edges:
        found.add_edge(i, j, op=op)
    return found


def same(a: dict[str, str], b: dict[str, str]) -> bool:
    return a["op"] == b["op"]


@pytest.mark.parametrize(("space", "seed"), [("nasbench201", 0), ("nasbench201", 1), ("nasbench-graph", 0)])
def test_the_distance_is_the_graph_edit_distance(space: str, seed: int):
    cells = make("space", space)
    graphs = cells.graphs(cells.sample(6, np.random.default_rng(seed)))
    for k in range(1, 6):
        inputs = (0, 0)
        expected = nx.graph_edit_distance(
            as_networkx(graphs, 0), as_networkx(graphs, k), node_match=same, edge_match=same, roots=inputs
        )
        distance, way = laid_on(graphs, 0, k)
        assert distance == expected
        assert sorted(way) == list(range(graphs.node_op.shape[1]))
        assert way[0] == 0


def test_what_differs_is_told_and_marked(start: Start):
    navigator = start(5)
    foretell(navigator)
    texts = ("3-3-3-1-3-2", "3-3-3-1-3-3", "3-0-3-1-3-2")
    rows = [navigator.population.row(navigator.arch(text=text)) for text in texts]
    found = compared_archs(navigator, rows)
    assert [arch.text for arch in found.archs] == [f"nasbench201/{text}" for text in texts]
    assert {change.path: change.options for change in found.changes} == {
        "cell/0-2": ["nor_conv_3x3", "nor_conv_3x3", "none"],
        "cell/2-3": ["nor_conv_1x1", "nor_conv_3x3", "nor_conv_1x1"],
    }
    assert found.distance == [0, 1, 1]
    params = [arch.values["params"] for arch in found.archs]
    assert [delta["params"] for delta in found.deltas] == [each - params[0] for each in params]
    assert found.deltas[1]["result"] is None
    plain, changed, gone = found.svgs
    size = plain[plain.index("viewBox") : plain.index("role=")]
    assert size in changed  # one arrangement
    assert size in gone
    assert "≠" not in plain
    assert "nor_conv_3x3, was nor_conv_1x1" in changed
    assert "nor_conv_3x3, gone" in gone
    assert "<script" not in "".join(found.svgs)


@pytest.mark.parametrize("space", [Grid(), Unordered(), tiny(4)])
def test_cells_of_any_space_are_drawn(space: Space):
    navigator = Navigator(Study(None, space, "random", lambda arch: 0.0))
    found = compared_archs(navigator, [0, 1, 100])
    assert all(svg.startswith("<svg") for svg in found.svgs)
    assert found.distance[0] == 0 < min(found.distance[1:])
    navigator.close()


@pytest.mark.parametrize("rows", [[1], [1] * 7, [0, 99_999], [0, -1]])
def test_rows_that_can_not_be_compared(start: Start, rows: list[int]):
    with pytest.raises(BadSetting, match="row"):
        compared_archs(start(0), rows)
