"""The 26,206 graph networks: their keys are the authors' own, their texts, their trees and what is the same network."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture
from tierwise.spaces.nasbench_graph import LINKS, OPS, PROTEINS_OPS, NASBenchGraph, proteins
from tierwise.testing import check_space

SPACE = NASBenchGraph()
EVERY = SPACE.enumerate()


def authors_key(links: str, ops: list[str]) -> int:
    """The key that the authors' package gives this architecture."""
    authors = pytest.importorskip("nas_bench_graph.architecture", reason="the authors' package nas-bench-graph")
    return authors.Arch([int(x) for x in links], list(ops)).valid_hash()


@pytest.mark.parametrize("space", [SPACE, proteins()], ids=["all", "proteins"])
def test_it_does_all_that_a_space_must(space: NASBenchGraph) -> None:
    check_space(space)


def test_it_has_as_many_members_as_the_benchmark() -> None:
    assert SPACE.size == 26_206
    assert proteins().size == 2_021
    keys = SPACE.keys()
    assert (np.diff(keys) > 0).all()
    assert SPACE.index(EVERY).tolist() == list(range(26_206))
    assert SPACE.format(SPACE.at([0, -1])) == ["0000: gat, gat, gat, gat", "0123: skip, skip, skip, fc"]
    assert keys[[0, -1]].tolist() == [0, 88_887]


def test_the_keys_of_all_gene_rows_are_the_authors_own() -> None:
    rows = np.array([[t, a, b, c, d] for t in range(9) for a in (0, 4, 8) for b in (1, 8) for c in (0, 8, 3)
                     for d in (8, 2)])  # fmt: skip
    rng = np.random.default_rng(0)
    rows = np.concatenate([rows, rng.integers(0, 9, (4_000, 5))])
    ours = SPACE.canonical(Architectures(SPACE, rows)).astype(int) - 1
    for row, key in zip(rows.tolist(), ours.tolist(), strict=True):
        ops = [OPS[x] for x in row[1:]]
        assert key == (-1 if set(ops) == {"skip"} else authors_key(LINKS[row[0]], ops))


def test_any_order_of_the_nodes_is_the_member_with_the_authors_key() -> None:
    rng = random.Random(1)
    orders = {f"0{b}{c}{d}" for b in range(2) for c in range(3) for d in range(4)}
    assert len(orders) == 24
    for links in sorted(orders):
        for _ in range(40):
            ops = [rng.choice(OPS) for _ in range(4)]
            if set(ops) == {"skip"}:
                continue
            found = SPACE.parse(f"{links}: {', '.join(ops)}")
            row = int(SPACE.index(Architectures.of([found], SPACE))[0])
            assert EVERY[row] == found
            assert SPACE.keys()[row] == authors_key(links, ops)


def test_the_authors_own_example_in_both_orders() -> None:
    assert SPACE.parse("0121: gcn, gin, fc, cheb") == SPACE.parse("0112: gcn, gin, cheb, fc")


def test_every_text_is_read_back() -> None:
    texts = SPACE.format(EVERY)
    assert len(set(texts)) == len(texts)
    assert [SPACE.parse(text) for text in texts[::9]] == list(EVERY[::9])


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=40))
def test_noise_is_refused_with_a_named_error(noise: str) -> None:
    for text in (noise, "0011: " + noise, noise + ": gat, gat, gat, gat"):
        try:
            assert SPACE.parse(text) in SPACE
        except BadArchitecture as error:
            assert error.text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0112: gat, gcn, skip", "expected the form"),
        ("112: gat, gcn, skip, fc", "expected the form"),
        ("0113: gat, gcn, skip, mlp", 'no operation "mlp"'),
        ("1000: gat, gcn, skip, fc", "predecessors 1000"),
        ("0140: gat, gcn, skip, fc", "predecessors 0140"),
        ("0123: skip, skip, skip, skip", "four times skip"),
        ("nasbench-graph/0-8-8-8-8", "no architecture of nasbench-graph"),
        ("nasbench-graph/9-0-0-0-0", "no architecture of nasbench-graph"),
    ],
)
def test_a_text_that_is_no_architecture_says_why(text: str, says: str) -> None:
    with pytest.raises(BadArchitecture, match=says):
        SPACE.parse(text)


def test_what_is_the_same_network_is_the_same_member() -> None:
    same = ["0011: gat, gcn, fc, sage", "0011: gat, gcn, sage, fc", "0022: gcn, gat, fc, sage"]
    assert len({SPACE.parse(text) for text in same}) == 1
    bypassed = [SPACE.parse("0123: gat, skip, gcn, fc"), SPACE.parse("0123: skip, gat, gcn, fc")]
    assert bypassed[0] == bypassed[1]
    assert SPACE.parse("0011: gcn, gat, fc, sage") != SPACE.parse(same[0])


def test_the_graph_is_the_tree_with_its_leaves_at_the_output() -> None:
    graph = SPACE.graph(SPACE.parse("0011: gat, gcn, sage, fc"))
    assert graph.nodes == ("input", "gat", "gcn", "sage", "fc", "output")
    assert graph.edges == ((0, 1, ""), (0, 2, ""), (1, 3, ""), (1, 4, ""), (2, 5, ""), (3, 5, ""), (4, 5, ""))


def test_moves_and_crossings_are_members() -> None:
    rng = np.random.default_rng(0)
    some = SPACE.sample(300, rng)
    for moved in (SPACE.mutate(some, rng), SPACE.cross(some[:150], some[150:], rng), SPACE.neighbours(some[:20])[0]):
        assert (SPACE.at(SPACE.index(moved)).genes == moved.genes).all()


def test_the_space_of_proteins_holds_its_operations_only() -> None:
    used = {OPS[op] for op in np.unique(proteins().enumerate().genes[:, 1:])}
    assert used == set(PROTEINS_OPS)
    assert Architecture.parse("nasbench-graph/0-0-0-0-0") not in proteins()
