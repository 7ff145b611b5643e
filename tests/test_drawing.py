"""Pictures of cells: well formed, safe, readable on both kinds of page, no edge through a node."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.architecture import Graph
from tierwise.drawing import NEUTRAL, colour, dot, short_name, svg
from tierwise.drawing.layout import layout
from tierwise.spaces.nasbench201 import NASBench201

SVG = "{http://www.w3.org/2000/svg}"
OPS = ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "gelu", "attention", "mlp", "x")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    n = draw(st.integers(2, 7))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=9))
    nodes = tuple(draw(st.lists(st.sampled_from(["sum", "conv3x3-bn-relu"]), min_size=n, max_size=n)))
    return Graph(nodes, tuple((i, j, draw(st.sampled_from(["", *OPS]))) for i, j in sorted(chosen)))


def texts(picture: str, name: str = "text") -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(SVG + name)]


@pytest.mark.parametrize(
    ("op", "name"),
    [
        ("nor_conv_3x3", "conv 3×3"),
        ("nor_conv_1x1", "conv 1×1"),
        ("avg_pool_3x3", "avg pool 3×3"),
        ("skip_connect", "skip"),
        ("conv3x3-bn-relu", "conv 3×3"),
        ("maxpool3x3", "max pool 3×3"),
        ("sep_conv_5x5", "sep conv 5×5"),
        ("_", "_"),
    ],
)
def test_short_names(op: str, name: str) -> None:
    assert short_name(op) == name


def test_a_cell_shows_its_operations_and_no_none() -> None:
    space = NASBench201()
    text = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    picture = space.graph(space.parse(text))._repr_svg_()
    wanted = ["+", "+", "avg pool 3×3", "conv 1×1", "conv 3×3", "input", "output", "skip"]
    assert sorted(texts(picture)) == wanted
    assert picture.count("stroke-dasharray") == 1


def test_what_leads_nowhere_is_pale() -> None:
    picture = svg(("input", "sum", "sum", "output"), ((0, 1, "a"), (0, 2, "b"), (1, 3, "c")))
    [pale] = [g for g in ElementTree.fromstring(picture).iter(SVG + "g") if g.get("opacity")]
    assert [t.text for t in pale.iter(SVG + "text")] == ["+", "b"]
    assert "opacity" not in svg(("input", "output"), ((0, 1, "a"),))


def luminance(tint: str) -> float:
    parts = np.array([int(tint[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@given(st.one_of(st.sampled_from(OPS), st.text(max_size=12)))
def test_every_colour_reads_on_light_and_on_dark(op: str) -> None:
    tint = colour(op)
    assert tint == colour(op)
    assert contrast(tint, "#ffffff") >= 4.5  # also the white text in it
    assert contrast(tint, "#12161b") >= 3.0


def test_the_families_differ() -> None:
    assert len({colour(op) for op in OPS[:4]} | {NEUTRAL}) == 5
    assert colour("avg_pool_3x3") == colour("max_pool_5x5")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_hostile_names_and_titles_stay_text(name: str) -> None:
    hostile = f'{name}"><script>alert(1)</script>&'
    picture = svg((name, "output"), ((0, 1, hostile),), title=hostile)
    root = ElementTree.fromstring(picture)
    assert root.find(SVG + "title").text == hostile  # type: ignore[union-attr]
    assert {e.tag for e in root.iter()} <= {SVG + t for t in ("svg", "title", "g", "path", "rect", "text")}
    assert "<script" not in picture


@settings(deadline=None)
@given(graphs())
def test_no_edge_runs_through_a_node_and_all_stays_inside(graph: Graph) -> None:
    ends = [(i, j) for i, j, _ in graph.edges]
    widths = [28.0 + 50 * ("conv" in node) for node in graph.nodes]
    labels = [70.0 if op else 0.0 for *_, op in graph.edges]
    drawn = layout(widths, ends, labels)
    for (i, j), route in zip(ends, drawn.routes, strict=True):
        x, y = np.array(route.points).T
        assert (np.diff(x) >= 0).all()
        assert x.min() >= 0
        assert y.min() >= 0
        assert x.max() <= drawn.width
        assert y.max() <= drawn.height
        for v, box in enumerate(drawn.boxes):
            inside = (abs(x - box.x) < box.width / 2) & (abs(y - box.y) < box.height / 2)
            assert v in (i, j) or not inside.any()
    for a, first in enumerate(drawn.boxes):
        for second in drawn.boxes[:a]:
            beside = abs(first.x - second.x) >= (first.width + second.width) / 2
            assert beside or abs(first.y - second.y) >= first.height


@settings(deadline=None)
@given(graphs())
def test_the_picture_is_well_formed_and_the_same_each_time(graph: Graph) -> None:
    picture = svg(graph.nodes, graph.edges)
    assert picture == svg(graph.nodes, graph.edges)
    labelled = sum(bool(op) for *_, op in graph.edges)
    assert len(texts(picture)) == len(graph.nodes) + labelled
    assert " id=" not in picture  # several pictures on one page cannot collide


def test_the_labels_of_a_full_cell_do_not_cover_each_other() -> None:
    ends = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    places = [route.label for route in layout([50.0, 28.0, 28.0, 57.0], ends, [98.8] * 6).routes]
    for a, (x, y) in enumerate(places):
        assert all(abs(x - u) > 98.8 or abs(y - v) > 20 for u, v in places[:a])


def test_the_graph_for_graphviz_keeps_every_name_in_its_quotes() -> None:
    text = dot(("input", 'a"]; b', "output"), ((0, 1, "conv"), (1, 2, ""), (0, 2, "\\")), title="cells/0-1")
    assert text.splitlines() == [
        'digraph "cells/0-1" {', "  rankdir=LR", "  node [shape=box]",
        '  0 [label="input"]', '  1 [label="a\\"]; b"]', '  2 [label="output"]',
        '  0 -> 1 [label="conv"]', "  1 -> 2", '  0 -> 2 [label="\\\\"]', "}",
    ]  # fmt: skip


def test_the_smallest_graphs() -> None:
    assert texts(svg(("input",), ())) == ["input"]
    assert texts(svg(("input", "output"), ()), "title")[0] == "Cell of 2 nodes: no operations"
