"""Cells with operations on nodes: what they are, and which are the very same network."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.canonical_oracle import _convolutions, _text
from tierwise.architecture import Architectures, Graph
from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.formulas import Cost
from tierwise.spaces.network import Network, Stage
from tierwise.spaces.nodes import Nodes
from tierwise.testing import check_encoding, check_space

OPS = ("none", "skip", "conv", "pool")
RULES: dict[str, Any] = {"zero": "none", "identity": "skip", "shared": ("pool",)}
NETWORK = Network((Stage(2, 16, 32), Stage(1, 32, 16)), {"conv": Cost("9*c*c*h*w", "9*c*c")}, Cost("c*classes", "c"))


def cell(space: Nodes, *nodes: tuple[str, str]) -> Architectures:
    """One cell, (operation, inputs) a node."""
    genes = [space.choices[g].options.index(text) for g, text in enumerate(itertools.chain(*nodes))]
    return Architectures(space, np.array([genes]))


def key(space: Nodes, *nodes: tuple[str, str]) -> int:
    return int(space.canonical(cell(space, *nodes))[0])


@pytest.mark.parametrize(
    "space",
    [
        Nodes("plain", 3, ["conv3x3", "conv1x1"], inputs=[1, 2]),
        Nodes("ruled", 3, OPS, **RULES, network=NETWORK),
        Nodes("deep", 6, OPS, inputs=[2], output="last", **RULES),
        Nodes("all", 2, OPS, output="all", concat=True, **RULES, network=NETWORK),
        Nodes("huge", 12, OPS, inputs=[1, 2, 3], concat=True, **RULES),
    ],
    ids=lambda space: space.name,
)
def test_a_space_of_node_cells_conforms(space: Nodes) -> None:
    check_space(space)


@pytest.mark.parametrize("name", ["onehot", "paths", "cost_tensor", "flops", "params"])
def test_every_encoding_reads_node_cells(name: str) -> None:
    from tierwise import registry

    space = Nodes("ruled", 3, OPS, **RULES, network=NETWORK)
    check_encoding(registry.find("encoding", name)(), space)


def test_the_options_of_inputs_are_the_sets_of_allowed_sizes() -> None:
    space = Nodes("n", 3, ["a", "b"], inputs=[2])
    assert [c.path for c in space.choices[:4]] == ["cell/1/op", "cell/1/inputs", "cell/2/op", "cell/2/inputs"]
    assert [c.options for c in space.choices[1::2]] == [("0",), ("0+1",), ("0+1", "0+2", "1+2")]
    assert space.size == 2**3 * 3


def test_graph_of_a_cell_by_hand() -> None:
    space = Nodes("n", 3, OPS, **RULES)
    graph = space.graph(cell(space, ("conv", "0"), ("none", "0+1"), ("pool", "1+2"))[0])
    assert graph == Graph(("input", "conv", "pool", "output"), ((0, 1, ""), (1, 2, ""), (2, 3, "")))


@pytest.mark.parametrize(
    ("output", "ends"),
    [("ends", {2, 3}), ("all", {1, 2, 3}), ("last", {3})],
)
def test_the_output_reads_what_is_declared(output: Any, ends: set[int]) -> None:
    space = Nodes("n", 3, ["a", "b"], output=output)
    read = space.wiring(cell(space, ("a", "0"), ("b", "1"), ("a", "0+1")))[0]
    assert set(np.flatnonzero(read[:, -1]).tolist()) == ends


def test_equal_and_different_networks_by_hand() -> None:
    ends = Nodes("n", 2, OPS, **RULES)
    assert key(ends, ("conv", "0"), ("pool", "0")) == key(ends, ("pool", "0"), ("conv", "0"))  # relabelled
    assert key(ends, ("skip", "0"), ("conv", "1")) == key(ends, ("none", "0"), ("conv", "0+1"))
    assert key(ends, ("conv", "0"), ("none", "1")) == key(ends, ("pool", "0"), ("none", "0+1"))  # nothing at all
    assert key(ends, ("conv", "0"), ("conv", "0")) != key(ends, ("none", "0"), ("conv", "0"))  # own weights
    assert key(ends, ("conv", "0"), ("pool", "1")) != key(ends, ("pool", "0"), ("conv", "1"))  # order
    last = Nodes("n", 3, OPS, output="last", **RULES)
    read_twice = key(last, ("pool", "0"), ("pool", "0"), ("conv", "1+2"))
    assert read_twice != key(last, ("pool", "0"), ("none", "0"), ("conv", "1+2"))  # twice a pool is not the pool
    dead = key(last, ("conv", "0"), ("pool", "0"), ("conv", "0"))
    assert dead == key(last, ("pool", "0"), ("none", "1"), ("conv", "0"))


def test_an_identity_of_a_sum_is_that_sum_in_a_sum_but_not_in_a_concatenation() -> None:
    for concat in (False, True):
        space = Nodes("n", 3, OPS, output="all", concat=concat, **RULES)
        through = key(space, ("conv", "0"), ("none", "0"), ("skip", "0+1"))
        other = Nodes("n", 3, OPS, output="all", concat=concat, **{**RULES, "identity": ""})
        as_operation = key(other, ("conv", "0"), ("none", "0"), ("skip", "0+1"))
        assert (through == as_operation) == concat


def _pruned(graph: Graph) -> nx.DiGraph:
    """The nodes on a way from the input to the output."""
    network = nx.DiGraph([(i, j) for i, j, _ in graph.edges])
    network.add_nodes_from((v, {"op": op}) for v, op in enumerate(graph.nodes))
    first, last = 0, len(graph.nodes) - 1
    return network.subgraph((nx.descendants(network, first) | {first}) & (nx.ancestors(network, last) | {last}))


@pytest.mark.parametrize("output", ["ends", "all", "last"])
def test_without_identities_keys_agree_with_graph_isomorphism(output: Any) -> None:
    space = Nodes("n", 4, ["none", "a", "b"], zero="none", output=output)
    archs = space.sample(150, np.random.default_rng(0))
    keys, graphs = space.canonical(archs), space.graphs(archs)
    networks = [_pruned(graphs[k]) for k in range(len(archs))]
    same = [
        (keys[a] == keys[b], nx.is_isomorphic(networks[a], networks[b], node_match=lambda x, y: x["op"] == y["op"]))
        for a, b in itertools.combinations(range(len(archs)), 2)
    ]
    assert all(mine == theirs for mine, theirs in same)
    assert sum(mine for mine, _ in same) > 20


def _form(space: Nodes, genes: list[int]) -> str:
    """The smallest text of the network that a cell with a summing output computes, written out as a tree."""
    values: list[Any] = [((("in",), 1),)]
    read = space.wiring(Architectures(space, np.array([genes])))[0]

    def total(node: int) -> Any:
        terms: Counter[Any] = Counter()
        for source in np.flatnonzero(read[: len(values), node]):
            terms.update(dict(values[source]))
        return tuple(sorted(terms.items(), key=repr))

    for k in range(1, space.nodes + 1):
        op, value = space.ops[genes[2 * k - 2]], total(k)
        if op == space.zero_op or not value:
            values.append(())
        elif op == space.identity_op:
            values.append(value)
        else:
            values.append((((op, value) if op in space.shared else (op, value, k), 1),))
    output, kinds = total(space.nodes + 1), dict[int, str]()
    _convolutions(output, kinds)
    groups: dict[str, list[int]] = {}
    for number, kind in kinds.items():
        groups.setdefault(kind, []).append(number)
    orders = itertools.product(*(itertools.permutations(groups[kind]) for kind in sorted(groups)))
    return min(_text(output, {number: k for k, number in enumerate(itertools.chain(*permuted))}) for permuted in orders)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from(["ends", "all", "last"]))
def test_with_all_rules_keys_agree_with_the_written_out_network(seed: int, nodes: int, output: Any) -> None:
    space, rng = Nodes("n", nodes, OPS, output=output, **RULES), np.random.default_rng(seed)
    cells = space.sample(25, rng)
    rows = Architectures(space, np.concatenate([cells.genes, space.mutate(cells, rng).genes]))
    found, forms = space.canonical(rows), np.array([_form(space, row) for row in rows.genes.tolist()])
    assert ((found[:, None] == found) == (forms[:, None] == forms)).all()


def test_costs_by_hand() -> None:
    space = Nodes("n", 2, OPS, **RULES, network=NETWORK)
    archs = cell(space, ("conv", "0"), ("conv", "0+1"))
    convolution = 2 * 9 * 16 * 16 * 32 * 32 + 9 * 32 * 32 * 16 * 16
    assert space.totals(archs).tolist() == [[2 * convolution + 320, 2 * (2 * 9 * 256 + 9 * 1024) + 32]]
    costs = space.costs(archs)
    assert costs.shape == (1, 3, 4, 4, 2)
    assert costs[0, 2, 0, 1].tolist() == costs[0, 2, 0, 2].tolist() == [9 * 1024 * 256, 9 * 1024]
    with pytest.raises(BadSetting, match="cost formulas"):
        Nodes("n", 2, OPS).totals(archs)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"nodes": 0}, "1 to 60 interior nodes"),
        ({"ops": ["a", "a"]}, "distinct ops"),
        ({"ops": ["a", "input"]}, "names other than"),
        ({"inputs": [0]}, "different numbers of 1 or more"),
        ({"inputs": [1, 1]}, "different numbers of 1 or more"),
        ({"nodes": 40, "inputs": [20]}, "options of one choice are too many"),
        ({"output": "end"}, '"ends", "all" or "last"'),
    ],
)
def test_an_impossible_cell_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        Nodes("bad", **{"nodes": 3, "ops": ["a", "b"], **settings})


def test_a_cost_of_an_unknown_operation_is_refused() -> None:
    with pytest.raises(UnknownName, match='did you mean "conv"'):
        Nodes("bad", 2, OPS, network=Network(costs={"covn": Cost()}))
