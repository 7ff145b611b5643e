"""Cells with operations on edges: which cells are the very same network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.canonical_oracle import canonical_form
from tests.small_spaces import TINY_OPS, tiny
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.spaces.edges import Edges, edge_list


def keys(space: Edges, *cells: str) -> list[int]:
    """Canonical keys of cells in a shorthand, one letter an edge: 0 zero, s skip, a conv1x1, b conv3x3, p pool."""
    return space.canonical(
        Architectures(space, np.array([["0sabp".index(x) for x in cell] for cell in cells]))
    ).tolist()


def form(space: Edges, genes: list[int]) -> str:
    cell = [space.ops[g] for g in genes]
    return canonical_form(cell, space.nodes, zero=space.zero_op, identity=space.identity_op, shared=space.shared)


def test_edges_are_ordered_by_target_then_source() -> None:
    assert edge_list(4) == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert [c.path for c in tiny().choices] == ["cell/0-1", "cell/0-2", "cell/1-2"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0b0", "ab0"),  # what nothing reads is dead
        ("0b0", "0ba"),  # what reads nothing is nothing
        ("a0s", "0a0"),  # an identity passes its input
        ("sb0", "0b0"),
        ("0as", "0as"),
        ("s0b", "0b0"),  # the same convolution of the same input, on another edge
        ("sab", "sba"),  # two convolutions of one input, exchanged
        ("0p0", "s0p"),
        ("000", "b00"),
        ("000", "00b"),
    ],
)
def test_the_same_network(a: str, b: str) -> None:
    one, other = keys(tiny(), a, b)
    assert one == other


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0b0", "0a0"),
        ("0b0", "000"),
        ("0s0", "000"),  # the input itself is not nothing
        ("sbb", "0b0"),  # two convolutions have weights of their own
        ("sss", "0s0"),  # twice the input is not the input
        ("spp", "0p0"),  # twice a pool is not the pool
        ("bab", "bba"),
        ("ab0", "a0b"),
        ("bss", "b0s"),
    ],
)
def test_another_network(a: str, b: str) -> None:
    one, other = keys(tiny(), a, b)
    assert one != other


def test_one_convolution_read_twice_is_not_two_convolutions() -> None:
    """Edges 0-1 0-2 1-2 0-3 1-3 2-3: node 3 sums one convolution twice, or two of the same input once each."""
    space = tiny(4)
    shared, separate = keys(space, "b0s0ss", "bb00ss")
    assert shared != separate
    assert form(space, [3, 0, 1, 0, 1, 1]) != form(space, [3, 3, 0, 0, 1, 1])


def test_two_equal_pools_are_one_tensor_read_twice() -> None:
    space = tiny(4)
    twice, copied = keys(space, "pp00ss", "p0s0ss")
    assert twice == copied


@pytest.mark.parametrize("nodes", [2, 3])
def test_every_cell_agrees_with_the_oracle(nodes: int) -> None:
    space = tiny(nodes)
    every = space.enumerate()
    forms = [form(space, row) for row in every.genes.tolist()]
    pairs = set(zip(space.canonical(every).tolist(), forms, strict=True))
    assert len(pairs) == len(set(forms)) == len({key for key, _ in pairs})


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(4, 6))
def test_cells_too_many_to_list_agree_with_the_oracle(seed: int, nodes: int) -> None:
    """Random cells and, because random ones are rarely equal, versions of them with changes that often change
    nothing.
    """
    space, rng = tiny(nodes), np.random.default_rng(seed)
    cells = space.sample(6, rng)
    rare = space.narrow(space.choices[-1].path, ["skip"])
    for choice in rare.choices[::2]:
        rare = rare.narrow(choice.path, ["none", "skip", "pool"])
    parts = [cells, space.mutate(cells, rng), space.mutate(cells, rng), rare.sample(20, rng)]
    rows = Architectures(space, np.concatenate([part.genes for part in parts]))
    found = space.canonical(rows)
    forms = np.array([form(space, row) for row in rows.genes.tolist()])
    assert ((found[:, None] == found) == (forms[:, None] == forms)).all()


def test_a_large_batch_has_the_keys_of_small_ones() -> None:
    space = tiny(5)
    rows = space.sample(400, np.random.default_rng(0))
    parts = [space.canonical(rows[k : k + 7]) for k in range(0, 400, 7)]
    assert space.canonical(rows).tolist() == np.concatenate(parts).tolist()


def test_graphs_leave_the_zero_op_out() -> None:
    space = tiny()
    graphs = space.graphs(space.enumerate())
    genes = space.enumerate().genes
    for gene, (i, j) in enumerate(space.edges):
        names = np.array(["", *graphs.ops])[graphs.edge_op[:, i, j]]
        expected = np.where(genes[:, gene] == 0, "", np.array(TINY_OPS)[genes[:, gene]])
        assert (names == expected).all()


def test_cells_without_a_zero_or_an_identity() -> None:
    space = Edges("plain", 3, ["a", "b"], zero="", identity="")
    forms = {form(space, row) for row in space.enumerate().genes.tolist()}
    assert len(set(space.canonical(space.enumerate()).tolist())) == len(forms) == 8
    assert space.graphs(space.enumerate()).edge_op.max() == 2


@pytest.mark.parametrize(("nodes", "ops"), [(1, ["a"]), (3, []), (3, ["a", "a"])])
def test_an_impossible_cell_is_refused(nodes: int, ops: list[str]) -> None:
    with pytest.raises(BadSetting, match="at least 2 nodes and distinct ops"):
        Edges("bad", nodes, ops)
