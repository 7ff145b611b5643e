"""Small DAGs up to isomorphism: counts, canonical labels against networkx, wiring, neighbours."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.errors import BadSetting
from tierwise.spaces import dags


def graph(mask: int, vertices: int) -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_nodes_from(range(vertices))
    bits = dags.bits(np.array([mask]), vertices)[0]
    made.add_edges_from(pair for pair, bit in zip(itertools.combinations(range(vertices), 2), bits, strict=True) if bit)
    return made


@pytest.mark.parametrize(("vertices", "count"), [(1, 1), (2, 2), (3, 6), (4, 31), (5, 302), (6, 5984)])
def test_classes_are_as_many_as_there_are(vertices: int, count: int) -> None:
    assert len(dags.classes(vertices)) == count


@pytest.mark.parametrize("vertices", [2, 3, 4])
def test_two_graphs_have_one_label_exactly_if_they_are_isomorphic(vertices: int) -> None:
    labels = dags.canonical(vertices)
    graphs = [graph(mask, vertices) for mask in range(len(labels))]
    for a, b in itertools.combinations(range(len(labels)), 2):
        assert (labels[a] == labels[b]) == nx.is_isomorphic(graphs[a], graphs[b])


@given(st.integers(0, 2**15 - 1), st.permutations(range(6)))
def test_the_label_is_the_largest_relabelling_that_goes_forward(mask: int, order: list[int]) -> None:
    edges = [(order[i], order[j]) for i, j in graph(mask, 6).edges]
    label = int(dags.canonical(6)[mask])
    assert nx.is_isomorphic(graph(label, 6), graph(mask, 6))
    if all(i < j for i, j in edges):
        moved = int("".join(str(int(pair in edges)) for pair in itertools.combinations(range(6), 2)), 2)
        assert dags.canonical(6)[moved] == label >= moved


def test_inputs_and_outputs_are_where_nothing_else_is() -> None:
    mask = dags.masks(np.array([[0, 1, 0, 0, 0, 0]]))  # 0 -> 2 alone; 1 and 3 are alone
    (wired,) = dags.wiring(mask, 4)
    edges = {(int(i), int(j)) for i, j in np.argwhere(wired)}
    assert edges == {(0, 1), (0, 2), (0, 4), (1, 3), (2, 5), (3, 5), (4, 5)}


@pytest.mark.parametrize("vertices", [3, 4, 5])
def test_every_vertex_lies_between_input_and_output(vertices: int) -> None:
    for wired in dags.wiring(dags.classes(vertices), vertices):
        whole = nx.from_numpy_array(wired.astype(int), create_using=nx.DiGraph)
        assert len(nx.ancestors(whole, vertices + 1)) == len(nx.descendants(whole, 0)) == vertices + 1


def test_neighbours_are_one_edge_away_and_mutual() -> None:
    for label in dags.classes(4).tolist():
        around = dags.neighbours(label, 4).tolist()
        assert len(set(around)) == len(around)
        assert label not in around
        flipped = [graph(label ^ 1 << k, 4) for k in range(6)]
        other = [made for made in flipped if not nx.is_isomorphic(made, graph(label, 4))]
        assert all(any(nx.is_isomorphic(made, graph(mask, 4)) for mask in around) for made in other)
        assert all(any(nx.is_isomorphic(made, graph(mask, 4)) for made in other) for mask in around)


def test_bits_come_back() -> None:
    masks = np.arange(2**10)
    assert (dags.masks(dags.bits(masks, 5)) == masks).all()


@pytest.mark.parametrize("vertices", [0, 7])
def test_too_many_vertices_are_refused(vertices: int) -> None:
    with pytest.raises(BadSetting, match="1 to 6"):
        dags.pairs(vertices)
