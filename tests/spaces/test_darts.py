"""The cells of DARTS: published genotypes, equal networks, published sizes, and searches in a space of 10^18."""

from __future__ import annotations

import itertools
import json
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spaces.darts_texts import AMOEBANET, CONFIGURATION, PREFIX, PUBLISHED, SAME, V2
from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, TooLarge
from tierwise.spaces.darts import DARTS, OPS
from tierwise.strategies.tiers import Tiers
from tierwise.testing import check_space

SPACE = DARTS()


def batch(*texts: str) -> Architectures:
    return Architectures.of([SPACE.parse(text) for text in texts], SPACE)


def test_it_does_all_that_a_space_must() -> None:
    check_space(SPACE)


def test_its_size_is_known_exactly_and_too_large_to_list() -> None:
    assert SPACE.size == (7**8 * math.comb(2, 2) * math.comb(3, 2) * math.comb(4, 2) * math.comb(5, 2)) ** 2
    with pytest.raises(TooLarge):
        SPACE.enumerate()


# ---- text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_genotypes_round_trip(name: str) -> None:
    arch = SPACE.parse(PUBLISHED[name])
    written = SPACE.format(Architectures.of([arch], SPACE))[0]
    assert SPACE.parse(written) == arch
    assert arch in SPACE
    for text in (written, PUBLISHED[name]):
        fields = eval_free(text)
        for cell in ("normal", "reduce"):
            nodes = [frozenset(fields[cell][k : k + 2]) for k in range(0, 8, 2)]
            ours = [frozenset(eval_free(written)[cell][k : k + 2]) for k in range(0, 8, 2)]
            assert nodes == ours


def eval_free(text: str) -> dict[str, list[tuple[str, int]]]:
    """The edges of a genotype, by plain string cutting."""
    cells = {}
    for cell in ("normal", "reduce"):
        inside = text.split(f"{cell}=[")[1].split("]")[0]
        edges = [part.strip(" (,").split(",") for part in inside.split(")") if part.strip(" ,")]
        cells[cell] = [(op.strip(" '"), int(node)) for op, node in edges]
    return cells


def test_the_order_of_the_two_edges_of_a_node_has_no_part() -> None:
    turned = V2.replace("('sep_conv_3x3', 1), ('skip_connect', 0)", "('skip_connect', 0), ('sep_conv_3x3', 1)")
    assert turned != V2
    assert SPACE.parse(turned) == SPACE.parse(V2)


def test_a_configuration_of_nasbench301_is_read() -> None:
    """As its repository converts genotypes: edges into node j are numbered from 0, 2, 5 and 9."""
    assert SPACE.parse(json.dumps(CONFIGURATION)) == SPACE.parse(repr(CONFIGURATION)) == SPACE.parse(SAME)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Genotype()", "expected the form"),
        ("Genotype(normal=[", "expected the form"),
        ("Genotype(1, 2, 3, 4)", "expected the form"),
        (V2.replace("Genotype", "print"), "expected the form"),
        (V2.replace("'sep_conv_3x3'", "open('x')", 1), "expected the form"),
        (V2.replace("[2, 3, 4, 5]", "range(2, 10**9)", 1), "expected the form"),
        (V2.replace("[2, 3, 4, 5]", "range(2, 6, 0)", 1), "concatenates"),
        (V2.replace("[2, 3, 4, 5]", "[2, 3, 4]", 1), "normal_concat is"),
        (V2.replace("'dil_conv_3x3'", "'sep_conv_7x7'"), "'sep_conv_7x7' is not in this space"),
        (V2.replace("'dil_conv_3x3'", "'none'"), "'none' is not in this space"),
        (V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)"), "two different before it"),
        (V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"), "two different before it"),
        (V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', -1)"), "two different before it"),
        (V2.replace("('dil_conv_3x3', 2)", "2"), "2 is no edge"),
        (V2.replace(", ('dil_conv_3x3', 2)", ""), "7 edges in normal"),
        (V2.replace("('dil_conv_3x3', 2)]", "('dil_conv_3x3', 2)" + ", ('skip_connect', 1)" * 2 + "]"), "10 edges"),
        ("{}", "inputs of node 2"),
        (json.dumps({**CONFIGURATION, PREFIX + "inputs_node_normal_4": "2_8"}), "inputs of node 4 of normal"),
        (json.dumps({**CONFIGURATION, PREFIX + "inputs_node_normal_4": "2_3_4"}), "inputs of node 4|9 edges|edges"),
        (json.dumps({**CONFIGURATION, PREFIX + "edge_normal_7": "none"}), "'none' is not in this space"),
        ("{'a'}", "expected a dictionary"),
        ("(" * 500, "expected the form"),
        ("Genotype(" + "0" * 30_000 + ")", "at most 20,000"),
        ("darts/0-0", "22 genes"),
    ],
)
def test_a_text_that_is_no_member_says_why(text: str, says: str) -> None:
    with pytest.raises(BadArchitecture, match=says):
        SPACE.parse(text)


def test_a_published_cell_of_another_space_names_the_operation_that_is_missing() -> None:
    with pytest.raises(BadArchitecture, match="'sep_conv_7x7' is not in this space"):
        SPACE.parse(AMOEBANET)
    with pytest.raises(BadArchitecture, match="normal_concat is"):
        SPACE.parse(AMOEBANET.replace("7x7", "5x5").replace("conv_7x1_1x7", "sep_conv_3x3"))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.integers(0, len(V2)))
def test_noise_is_refused_with_a_named_error(noise: str, at: int) -> None:
    for text in (noise, V2[:at] + noise, V2[:at] + noise + V2[at:], "{" + noise):
        try:
            assert SPACE.parse(text) in SPACE
        except BadArchitecture as error:
            assert error.reason


# ---- equal networks ----------------------------------------------------------------------------------------------


def as_networkx(archs: Architectures, row: int, cell: int) -> nx.DiGraph:
    before, ops = SPACE.sources(archs)
    graph = nx.DiGraph()
    graph.add_nodes_from((k, {"kind": k if k < 2 else "node"}) for k in range(6))
    for k, which in itertools.product(range(4), range(2)):
        graph.add_edge(int(before[row, cell, k, which]), k + 2, op=int(ops[row, cell, k, which]))
    return graph


def test_cells_have_equal_keys_exactly_where_they_are_isomorphic() -> None:
    """By an independent search for isomorphisms; with few operations many cells are equal."""
    smaller = SPACE
    for choice in SPACE.choices:
        if choice.options == OPS:
            smaller = smaller.narrow(
                choice.path, OPS[: 2 if choice.path in ("normal/2/first", "normal/5/first") else 1]
            )
        elif choice.path.startswith("reduce"):
            smaller = smaller.narrow(choice.path, choice.options[:1])
    archs = smaller.sample(400, np.random.default_rng(0)).unique()[:150]
    keys = SPACE.canonical(archs)
    graphs = [as_networkx(archs, row, 0) for row in range(len(archs))]
    hashes = [sorted(d["op"] for *_, d in graph.edges(data=True)) for graph in graphs]
    equal = 0
    for a, b in itertools.combinations(range(len(archs)), 2):
        same = hashes[a] == hashes[b] and nx.is_isomorphic(
            graphs[a], graphs[b], lambda x, y: x["kind"] == y["kind"], lambda x, y: x["op"] == y["op"]
        )
        assert same == (keys[a] == keys[b])
        equal += same
    assert equal > 3


def test_another_order_of_the_nodes_is_the_same_network_and_other_cells_are_not() -> None:
    first, second = (
        "('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('skip_connect', 1)",
        ("('sep_conv_5x5', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"),
    )
    rest = "('dil_conv_3x3', {}), ('skip_connect', 0), ('dil_conv_5x5', {}), ('skip_connect', 4)"
    whole = (
        "Genotype(normal=[{}, {}], normal_concat=range(2, 6), reduce=" + V2.split("reduce=")[1].split("]")[0] + "], "
        "reduce_concat=range(2, 6))"
    )
    one = whole.format(first, rest.format(2, 3))
    other = whole.format(second, rest.format(3, 2))
    not_it = whole.format(second, rest.format(2, 3))
    keys = SPACE.canonical(batch(one, other, not_it))
    assert keys[0] == keys[1] != keys[2]
    for name in ("paths", "flops", "params"):
        features = make("encoding", name).transform(batch(one, other))
        assert np.array_equal(features[0], features[1])
    both = batch(V2, PUBLISHED["DARTS_V1"])
    turned = Architectures(SPACE, np.roll(both.genes, len(SPACE.choices) // 2, axis=1))
    assert not np.isin(SPACE.canonical(turned), SPACE.canonical(both)).any(), "normal and reduction cell differ"


# ---- graphs ------------------------------------------------------------------------------------------------------


def test_the_graph_holds_both_cells() -> None:
    graph = SPACE.graph(SPACE.parse(V2))
    assert graph.nodes == ("prev_prev", "prev", *["sum"] * 8, "output")
    normal = [edge for edge in graph.edges if edge[2] and not edge[2].startswith("r:")]
    assert (2, 5, "dil_conv_3x3") in normal
    assert len(normal) == 8
    assert (6, 7, "r:skip_connect") in graph.edges
    assert [edge for edge in graph.edges if not edge[2]] == [(0, 1, ""), *((k, 10, "") for k in range(2, 10))]


def test_the_picture_shows_every_operation() -> None:
    picture = SPACE.graph(SPACE.parse(V2))._repr_svg_()
    assert picture.count(">sep conv 3×3<") == 5
    assert picture.count(">r:max pool 3×3<") == 5
    assert picture.count(">r:skip<") == 3
    assert picture.count(">+<") == 8


# ---- costs and networks ------------------------------------------------------------------------------------------


def test_the_published_network_has_the_published_size() -> None:
    """3.3 million parameters and 528 million multiply-adds are published for this genotype."""
    assert SPACE.totals(batch(V2)).tolist() == [[528_359_040, 3_349_342]]
    assert round(SPACE.totals(batch(PUBLISHED["PC_DARTS_cifar"]))[0, 1] / 1e6, 2) == 3.63


@pytest.mark.parametrize(("channels", "layers"), [(36, 20), (32, 8), (4, 3), (6, 5)])
@pytest.mark.parametrize(("classes", "shape"), [(10, (3, 32, 32)), (7, (1, 16, 8))])
def test_built_networks_have_exactly_the_counted_costs(
    channels: int, layers: int, classes: int, shape: tuple[int, int, int]
) -> None:
    torch = pytest.importorskip("torch")
    space = DARTS(channels, layers)
    for arch in space.sample(1 if layers == 20 else 3, np.random.default_rng(layers)):
        network = space.build(arch, classes=classes, shape=shape).eval()
        counted = [0]

        def count(module: torch.nn.Module, inputs: object, output: torch.Tensor, counted: list[int] = counted) -> None:
            counted[0] += module.weight.numel() * output[0, 0].numel()  # type: ignore[union-attr,operator]

        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count)
        with torch.no_grad():
            assert network(torch.zeros(1, *shape)).shape == (1, classes)
        flops, params = space.totals(Architectures.of([arch], space), classes=classes, shape=shape)[0].tolist()
        assert sum(p.numel() for p in network.parameters()) == params
        assert counted[0] + network.classifier.weight.numel() == flops


def test_costs_are_those_of_the_cells_in_their_places() -> None:
    some = SPACE.sample(20, np.random.default_rng(0))
    costs = SPACE.costs(some)
    assert costs.shape == (20, 20, 11, 11, 2)
    rest = SPACE.totals(some) - costs.sum((1, 2, 3))
    assert len(np.unique(rest, axis=0)) == 1
    reduction = np.isin(np.arange(20), [6, 13])
    assert not costs[:, ~reduction, :, 6:].any()
    assert not costs[:, reduction, :, 2:6].any()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(BadSetting, match="channels"):
        DARTS(channels=0)
    with pytest.raises(BadSetting, match="layers"):
        DARTS(layers=2)
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.totals(batch(V2), shape=(3, 30, 32))
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.totals(batch(V2), shape=(64,))
    with pytest.raises(BadArchitecture):
        SPACE.build(Architecture("darts", (7, *[0] * 21)), classes=10, shape=(3, 32, 32))
    assert DARTS(32, 8) != DARTS() == DARTS(36, 20)


# ---- searches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["random", "evolution", Tiers(draws=300)], ids=["random", "evolution", "tiers"])
def test_a_search_runs_on_it(strategy: object) -> None:
    """Towards a made-up aim: separable convolutions in the normal cell, pools in the reduction cell."""

    def value(arch: Architecture) -> float:
        _, ops = SPACE.sources(Architectures.of([arch], SPACE))
        return float((ops[0, 0] < 2).sum() + (ops[0, 1] >= 4).sum())

    rng = np.random.default_rng(0)
    usual = np.median([value(arch) for arch in SPACE.sample(200, rng)])
    with Study(None, SPACE, strategy, value) as study:  # type: ignore[arg-type]
        study.run(40)
        assert study.finished == 40
        assert study.best()[0].metrics["accuracy"] > usual + 2
