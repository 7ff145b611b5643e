"""The 423,624 cells: their enumeration, order, keys and hashes, texts, costs, moves, and the networks themselves."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import make_nasbench101 as maker

from tests.conftest import DATA
from tierwise.architecture import Architecture, Architectures
from tierwise.encodings.cost_tensor import CostTensor
from tierwise.encodings.onehot import OneHot
from tierwise.encodings.paths import LivePaths
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.spaces import nasbench101_graphs as cells
from tierwise.spaces.nasbench101 import EXAMPLE, OPS, NASBench101
from tierwise.testing import check_space

SPACE = NASBench101()
EVERY = SPACE.enumerate()
FIRST = "00005c142e6f48ac74fdcf73e3439874"
LAST = "ffff76fafa7b0cdf545fd7feee9c8bf9"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def nb101() -> Mapping[str, Any]:
    path = DATA / "nb101.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def labelled() -> Any:
    """All labelled graphs as packed words, in enumeration order."""
    return np.concatenate([maker.labelled_graphs(v) for v in range(2, 8)])


def adjacency_of(arch: Architecture) -> tuple[np.ndarray, list[int]]:
    """Matrix of the vertices that are there, and the operations between: read from the genes one by one."""
    ops = [op for op in arch.genes[21:] if op >= 0]
    place = {**{v: v for v in range(len(ops) + 1)}, 6: len(ops) + 1}
    matrix = np.zeros((len(ops) + 2, len(ops) + 2), np.int64)
    for bit, (x, y) in zip(arch.genes, cells.EDGES, strict=False):
        if bit:
            matrix[place[x], place[y]] = 1
    return matrix, ops


def published_hash(matrix: np.ndarray, ops: list[int]) -> str:
    """The benchmark's hash, written from its description, on a matrix."""
    n, labels = len(matrix), [-1, *ops, -2]
    done = [
        hashlib.md5(str((int(matrix[k].sum()), int(matrix[:, k].sum()), labels[k])).encode()).hexdigest()
        for k in range(n)
    ]
    for _ in range(n):
        into = ["".join(sorted(done[w] for w in np.flatnonzero(matrix[:, k]))) for k in range(n)]
        out = ["".join(sorted(done[w] for w in np.flatnonzero(matrix[k]))) for k in range(n)]
        done = [hashlib.md5(f"{into[k]}|{out[k]}|{done[k]}".encode()).hexdigest() for k in range(n)]
    return hashlib.md5(str(sorted(done)).encode()).hexdigest()


# ---- the list of cells -------------------------------------------------------------------------------------------


def test_the_published_algorithm_gives_the_published_number_of_cells(labelled: Any) -> None:
    assert len(labelled) == 1_293_208
    keys = cells.isomorphism_keys(*cells.from_words(labelled))
    assert len(np.unique(keys)) == 423_624
    assert (keys != 0).all()
    with np.load(Path(cells.__file__).with_name("nasbench101.npz"), allow_pickle=False) as shipped:
        assert np.array_equal(np.sort(shipped["words"]), np.sort(maker.representatives()))


def test_one_round_fewer_would_not_tell_all_cells_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_KEY_ROUNDS", 1)
    assert len(np.unique(SPACE.canonical(EVERY))) < 423_624


def test_the_cells_have_the_published_sizes() -> None:
    assert SPACE.size == len(EVERY) == 423_624
    vertices = (EVERY.genes[:, 21:] >= 0).sum(1) + 2
    assert np.bincount(vertices)[2:].tolist() == [1, 6, 84, 2_441, 62_010, 359_082]
    assert EVERY.genes[:, :21].sum(1).max() == 9


def test_every_row_is_the_official_one(nb101: Mapping[str, Any]) -> None:
    words = nb101["bits"].astype(np.uint32)
    words |= nb101["v"].astype(np.uint32) << np.uint32(21)
    words |= nb101["lab"].astype(np.uint32) << np.uint32(24)
    assert np.array_equal(cells.to_genes(*cells.from_words(words)), EVERY.genes)
    assert np.array_equal(SPACE.index(EVERY), np.arange(423_624))


def test_known_rows_have_their_hashes() -> None:
    assert SPACE.hashes(SPACE.at([0, 211_812, 423_623])) == [FIRST, "804b6e245096a36d54a544c8cd3b1ab9", LAST]


def test_rows_ascend_by_hash() -> None:
    rows = np.unique(np.concatenate([np.arange(300), np.arange(0, 423_624, 150), np.arange(423_324, 423_624)]))
    hashes = SPACE.hashes(SPACE.at(rows))
    assert hashes == sorted(set(hashes))


def test_the_hash_is_the_published_one() -> None:
    some = EVERY[::8_011]
    assert SPACE.hashes(some) == [published_hash(*adjacency_of(arch)) for arch in some]
    smallest = Architectures(SPACE, np.array([[0] * 15 + [1] + [0] * 5 + [-1] * 5]))  # the edge from input to output
    assert SPACE.hashes(smallest) == [published_hash(np.array([[0, 1], [0, 0]]), [])]


@pytest.mark.skipif(os.environ.get("TIERWISE_SLOW") != "1", reason="hashes every cell: set TIERWISE_SLOW=1")
def test_all_hashes_together_have_the_known_checksum() -> None:
    text = "\n".join(SPACE.hashes(EVERY))
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "a7f10bf770c1b5b8a221e37824e42b3b1a237a5d21ccf545bbe8e23abd933403"
    )


# ---- the very same cell ------------------------------------------------------------------------------------------


def relabelled(matrix: np.ndarray, ops: list[int], order: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The same graph with its interior vertices in another order, as a batch of one."""
    place = [0, *order, len(matrix) - 1]
    return matrix[np.ix_(place, place)][None], np.array([[ops[v - 1] for v in order]], dtype=np.int64).reshape(1, -1)


@settings(deadline=None, max_examples=60)
@given(row=st.integers(0, 423_623), data=st.data())
def test_renumbered_vertices_keep_key_and_hash(row: int, data: st.DataObject) -> None:
    matrix, ops = adjacency_of(EVERY[row])
    order = data.draw(st.permutations(range(1, len(ops) + 1)))
    other = SPACE.encode(*relabelled(matrix, ops, order))
    assert SPACE.index(other).tolist() == [row]
    assert SPACE.hashes(other) == SPACE.hashes(SPACE.at([row]))


@settings(deadline=None, max_examples=60)
@given(row=st.integers(0, 423_623), data=st.data())
def test_parts_that_lead_nowhere_are_pruned(row: int, data: st.DataObject) -> None:
    matrix, ops = adjacency_of(EVERY[row])
    n = len(matrix)
    if n == 7:
        return
    into = data.draw(st.booleans())  # a vertex that is only left, or only entered
    others = data.draw(st.sets(st.integers(1, n - 1) if into else st.integers(0, n - 2), min_size=1))
    larger = np.insert(np.insert(matrix, n - 1, 0, axis=0), n - 1, 0, axis=1)
    for v in others:
        place = n if v == n - 1 and into else v
        larger[(n - 1, place) if into else (place, n - 1)] = 1
    cell = SPACE.encode(larger[None], np.array([[*ops, data.draw(st.integers(0, 2))]]))
    assert SPACE.index(cell).tolist() == [row]
    if not into:  # else the cell is relabelled, and which vertex gets a channel that is left over depends on labels
        assert SPACE.totals(cell).tolist() == SPACE.totals(SPACE.encode(matrix[None], np.array([ops]))).tolist()


def test_equal_keys_mean_isomorphic_graphs(labelled: Any) -> None:
    """An independent oracle on labelled graphs of classes with several forms, and on pairs of different keys."""
    some = labelled[rng(3).integers(0, len(labelled), 4_000)]
    keys = cells.isomorphism_keys(*cells.from_words(some))
    row = SPACE.index(Architectures(SPACE, cells.to_genes(*cells.from_words(some))))
    members = SPACE.canonical(SPACE.at(row))
    assert np.array_equal(members, keys)
    forms = cells.to_genes(*cells.from_words(some))
    other = np.flatnonzero((forms != SPACE.at(row).genes).any(1))[:400]
    assert len(other) == 400
    for k in other:
        assert isomorphic(Architecture("nasbench101", tuple(forms[k].tolist())), EVERY[int(row[k])])
    by_shape = np.lexsort((EVERY.genes[:, 21:].sum(1), EVERY.genes[:, :21].sum(1)))[:40_000:100]
    assert not any(isomorphic(EVERY[int(a)], EVERY[int(b)]) for a, b in pairwise(by_shape))


def isomorphic(a: Architecture, b: Architecture) -> bool:
    one, two = (as_networkx(x) for x in (a, b))
    return nx.is_isomorphic(one, two, node_match=lambda u, v: u["op"] == v["op"])


def as_networkx(arch: Architecture) -> nx.DiGraph:
    matrix, ops = adjacency_of(arch)
    graph = nx.DiGraph([(int(x), int(y)) for x, y in zip(*np.nonzero(matrix), strict=True)])
    nx.set_node_attributes(graph, dict(enumerate(["in", *ops, "out"])), "op")
    return graph


def test_all_cells_have_different_keys() -> None:
    keys = SPACE.canonical(EVERY)
    assert len(np.unique(keys)) == 423_624
    assert (keys != 0).all()


def test_what_is_no_cell_has_no_index() -> None:
    chain = np.eye(7, k=1, dtype=np.uint8)
    full, cycle, cut = np.triu(np.ones((7, 7), np.uint8), 1), chain.copy(), chain.copy()
    cycle[3, 2], cut[5, 6] = 1, 0
    backward_end = chain.copy()
    backward_end[6, 0] = 1
    ops = np.array([[0, 1, 2, 0, 1]] * 5)
    found = SPACE.encode(np.stack([chain, full, cycle, cut, backward_end]), ops)
    assert (SPACE.index(found) >= 0).tolist() == [True, False, False, False, False]
    assert (SPACE.index(SPACE.encode(chain[None], np.array([[0, 1, 3, 0, 1]]))) == -1).all()
    assert (SPACE.index(SPACE.encode(chain[None], np.array([[0, 1, -1, 0, 1]]))) == -1).all()
    genes = EVERY.genes[:3].copy()
    genes[0, 0], genes[1, 21], genes[2, 0] = 2, 3, -1
    assert SPACE.canonical(Architectures(SPACE, genes)).tolist() == [0, 0, 0]
    with pytest.raises(BadArchitecture, match="no architecture of nasbench101"):
        SPACE.hashes(Architectures(SPACE, genes))


@pytest.mark.parametrize(
    ("adjacency", "ops"),
    [
        (np.zeros((1, 8, 8)), np.zeros((1, 6))),
        (np.zeros((1, 7, 6)), np.zeros((1, 5))),
        (np.zeros((2, 7, 7)), np.zeros((1, 5))),
        (np.zeros((1, 1, 1)), np.zeros((1, 0))),
        (np.full((1, 3, 3), 2), np.zeros((1, 1))),
    ],
)
def test_arrays_of_another_form_are_refused(adjacency: np.ndarray, ops: np.ndarray) -> None:
    with pytest.raises(BadArchitecture, match="expected"):
        SPACE.encode(adjacency, ops)


def test_smaller_cells_are_encoded_from_their_own_matrix_or_a_padded_one() -> None:
    matrix = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    padded = np.zeros((1, 7, 7), np.uint8)
    padded[0, 0, 1] = padded[0, 0, 6] = padded[0, 1, 6] = 1
    small = SPACE.encode(matrix[None], np.array([[2]]))
    large = SPACE.encode(padded, np.array([[2, -1, -1, -1, -1]], dtype=np.int8))
    assert small.genes.tolist() == large.genes.tolist()
    assert SPACE.format(small) == ["maxpool3x3:0|output:01"]


# ---- text --------------------------------------------------------------------------------------------------------


def test_every_text_is_read_back() -> None:
    texts = SPACE.format(EVERY)
    assert len(set(texts)) == 423_624
    assert [SPACE.parse(text) for text in texts[::997]] == list(EVERY[::997])


def test_a_cell_is_found_by_hash_row_vertices_and_genes() -> None:
    first = EVERY[0]
    vertices = SPACE.format(EVERY[:1])[0]
    long = re.sub("(conv[13]x[13])", r"\1-bn-relu", vertices)
    assert SPACE.parse(FIRST) == SPACE.parse("0") == SPACE.parse(vertices) == SPACE.parse(long) == first
    assert SPACE.parse(LAST) == SPACE.parse("423623") == SPACE.parse(str(EVERY[-1])) == EVERY[-1]
    assert SPACE.parse(EXAMPLE) in SPACE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected vertices"),
        ("423624", "0 to 423623"),
        ("9" * 5_000, "0 to 423623"),
        ("0" * 32, "no cell of NAS-Bench-101 has this hash"),
        ("-1", "expected vertices"),
        ("²", "expected vertices"),
        ("nasbench101/1-0", "26 genes"),
        ("nasbench201/" + "-".join("0" * 26), "not of space nasbench101"),
        ("nasbench101/" + "-".join("0" * 26), "no architecture"),
        ("conv3x3:0", "expected vertices"),
        ("conv3x3:0|output:11", "each once"),
        ("conv3x3:1|output:1", "earlier vertices"),
        ("conv3x3:0|conv3x3:10|output:2", "ascending"),
        ("conv5x5:0|output:1", "expected vertices"),
        ("|".join(["conv3x3:0"] * 6) + "|output:1", "expected vertices"),
        ("conv3x3:0|conv3x3:01|conv3x3:012|output:0123", "at most 9 edges"),
    ],
)
def test_malformed_text_says_what_is_expected(text: str, says: str) -> None:
    with pytest.raises(BadArchitecture) as caught:
        SPACE.parse(text)
    assert says in str(caught.value)
    assert caught.value.text == text


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=60))
def test_noise_is_refused_with_a_named_error(noise: str) -> None:
    text = SPACE.format(EVERY[:1])[0]
    for given_text in (noise, text[:30] + noise, noise + text[30:]):
        try:
            assert SPACE.parse(given_text) in SPACE
        except BadArchitecture as error:
            assert error.text.strip() == given_text.strip()


# ---- costs -------------------------------------------------------------------------------------------------------


def test_the_parameters_of_all_cells_are_the_recorded_ones(nb101: Mapping[str, Any]) -> None:
    params = SPACE.totals(EVERY)[:, 1]
    assert np.array_equal(params, nb101["params"])
    assert (params.min(), params.max()) == (227_274, 49_979_274)


def test_the_published_example_costs_what_was_published() -> None:
    example = SPACE.at([0])
    assert SPACE.totals(example).tolist() == [[2_527_684_618, 8_555_530]]
    assert SPACE.vertex_costs(example).sum((0, 1, 2)).tolist() == [2_520_367_104, 8_546_688]
    assert SPACE.totals(SPACE.at([423_623]))[0, 1] == 2_490_930


def test_input_and_output_cost_nothing_and_the_smallest_cell_nothing_at_all() -> None:
    some = EVERY[::997]
    costs = SPACE.vertex_costs(some)
    assert costs.shape == (len(some), 9, 7, 2)
    assert not costs[:, :, [0, 6]].any()
    smallest = SPACE.encode(np.array([[[0, 1], [0, 0]]]), np.zeros((1, 0)))
    assert not SPACE.vertex_costs(smallest).any()
    around = 7_077_888 + 196_608 + 32_768 + 10_240 + 10
    pairs = [(128, 128, 1024)] * 3 + [(128, 256, 256)] + [(256, 256, 256)] * 2 + [(256, 512, 64)] + [(512, 512, 64)] * 2
    flops, params = (sum(2 * a * b * s for a, b, s in pairs), sum(a * b + 2 * b for a, b, _ in pairs))
    assert SPACE.totals(smallest).tolist() == [[around + flops, 3_712 + 5_130 + params]]


def test_an_edge_from_input_to_output_adds_a_projection_and_a_sum_to_the_total_alone() -> None:
    with_it, without = (SPACE.parse(f"conv3x3:0|output:{x}") for x in ("01", "1"))
    both = Architectures.of([with_it, without], SPACE)
    totals, costs = SPACE.totals(both), SPACE.vertex_costs(both)
    assert np.array_equal(costs[0], costs[1])
    pairs = [(128, 128, 1024)] * 3 + [(128, 256, 256)] + [(256, 256, 256)] * 2 + [(256, 512, 64)] + [(512, 512, 64)] * 2
    assert totals[0, 0] - totals[1, 0] == sum(2 * a * b * s + b * s for a, b, s in pairs)
    assert totals[0, 1] - totals[1, 1] == sum(a * b + 2 * b for a, b, _ in pairs)


def vertex_costs_of(arch: Architecture) -> list[list[tuple[int, int]]]:
    """The closed form for one cell, vertex by vertex, in plain Python: (9 cells, vertices) of FLOPs, parameters."""
    matrix, ops = adjacency_of(arch)
    last, cost = len(matrix) - 1, []
    pairs = [(128, 128, 1024)] * 3 + [(128, 256, 256)] + [(256, 256, 256)] * 2 + [(256, 512, 64)] + [(512, 512, 64)] * 2
    for entering, leaving, area in pairs:
        feeding = [v for v in range(1, last) if matrix[v, last]]
        width = {v: leaving // len(feeding) + (k < leaving % len(feeding)) for k, v in enumerate(feeding)}
        for v in range(last - 1, 0, -1):
            if v not in width:
                width[v] = max(width[w] for w in range(v + 1, last) if matrix[v, w])
        row = [(0, 0)] * len(matrix)
        for v in range(1, last):
            c, kernel = width[v], {0: 3, 1: 1}.get(ops[v - 1], 0)
            flops = (2 * entering * c if matrix[0, v] else 0) + (int(matrix[:, v].sum()) - 1) * c
            params = entering * c + 2 * c if matrix[0, v] else 0
            flops += 2 * kernel**2 * c**2 if kernel else 9 * c
            params += kernel**2 * c**2 + 2 * c if kernel else 0
            row[v] = (flops * area, params)
        cost.append(row)
    return cost


def test_every_vertex_costs_its_closed_form() -> None:
    some = EVERY[::1_009]
    costs = SPACE.vertex_costs(some)
    for row, arch in enumerate(some):
        expected = np.array(vertex_costs_of(arch))
        interior = expected.shape[1] - 2
        assert np.array_equal(costs[row][:, 1 : interior + 1], expected[:, 1:-1])
        assert not costs[row][:, interior + 1 :].any()


@pytest.mark.parametrize("shape", [(3, 30, 32), (3, 32, 30), (0, 32, 32), (3, 0, 32), (3, 32)])
def test_an_impossible_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.totals(SPACE.at([0]), shape=shape)
    with pytest.raises(BadSetting, match="classes"):
        SPACE.totals(SPACE.at([0]), classes=0)


# ---- what sees the cells -----------------------------------------------------------------------------------------


def test_the_cost_tensor_is_the_published_one() -> None:
    some = EVERY[::9_973]
    tensor = CostTensor(flops_scale=1e7, params_scale=1e5).transform(some)
    assert tensor.shape == (len(some), 19, 7, 7)
    graphs = SPACE.graphs(some)
    code = {"input": 1, "conv1x1-bn-relu": 2, "conv3x3-bn-relu": 3, "maxpool3x3": 4, "output": 5}
    for row, arch in enumerate(some):
        matrix, ops = adjacency_of(arch)
        codes = np.array([1, *(code[OPS[op]] for op in ops), 5])
        place = [*range(len(ops) + 1), 6]
        assert np.array_equal(tensor[row, 0][np.ix_(place, place)], matrix * codes)
        assert np.count_nonzero(tensor[row, 0]) == matrix.sum()
        assert graphs.node_op[row, place].tolist() == codes.tolist()
    assert tensor[:, 1::2].max() < 100
    assert not tensor[:, 1:, :, 6].any()
    assert np.array_equal(tensor[:, 2::2].max(2), (SPACE.vertex_costs(some)[..., 1] / 1e5).astype(np.float32))


def test_eleven_of_nineteen_tokens_differ() -> None:
    tensor = CostTensor().transform(EVERY[:40])
    for one in tensor:
        assert len(np.unique(one.reshape(19, 49), axis=0)) <= 11
    assert max(len(np.unique(one.reshape(19, 49), axis=0)) for one in tensor) == 11


def test_columns_and_live_paths_work_on_cells_of_all_sizes() -> None:
    smallest = SPACE.encode(np.array([[[0, 1], [0, 0]]]), np.zeros((1, 0)))
    some = Architectures(SPACE, np.concatenate([smallest.genes, EVERY.genes[::7_919]]))
    columns = OneHot().transform(some)
    assert columns.shape == (len(some), 57)
    assert columns[0].sum() == 21  # no operation is active
    paths = LivePaths().transform(some)
    assert np.isfinite(paths).all()
    ways = [sum(1 for _ in nx.all_simple_paths(as_networkx(a), 0, len(adjacency_of(a)[0]) - 1)) for a in some]
    assert any(np.array_equal(paths[:, column], ways) for column in range(paths.shape[1]))


def test_live_paths_are_equal_for_isomorphic_cells(labelled: Any) -> None:
    forms = Architectures(SPACE, cells.to_genes(*cells.from_words(labelled[::5_003])))
    assert np.array_equal(LivePaths().transform(forms), LivePaths().transform(SPACE.at(SPACE.index(forms))))


def test_the_default_predictor_ranks_unseen_cells(nb101: Mapping[str, Any]) -> None:
    from scipy.stats import spearmanr

    from tierwise.predictors.tier import Tier

    drawn = rng(5).permutation(len(nb101["labelled_space_index"]))[:2_200]
    cells_of, accuracy = SPACE.at(nb101["labelled_space_index"][drawn]), nb101["labelled_val108"][drawn]
    predictor = Tier(seed=0, members=2).fit(cells_of[:200], accuracy[:200])
    scores = predictor.predict(cells_of[200:])
    assert scores.shape == (2_000,)
    assert spearmanr(scores, accuracy[200:]).statistic > 0.5


def test_a_cell_is_drawn() -> None:
    picture = SPACE.graph(EVERY[0])._repr_svg_()
    assert picture.startswith("<svg")
    assert "max pool 3×3" in picture
    assert len(SPACE.graph(EVERY[0]).edges) == int(EVERY.genes[0, :21].sum())


# ---- drawing and moving ------------------------------------------------------------------------------------------


def test_it_does_all_that_users_of_a_space_rely_on() -> None:
    check_space(SPACE)


def test_the_published_sampler_stays_inside_and_prefers_small_cells() -> None:
    drawn = SPACE.sample_published(4_000, rng(1))
    assert (SPACE.index(drawn) >= 0).all()
    vertices = (drawn.genes[:, 21:] >= 0).sum(1) + 2
    assert set(vertices.tolist()) == set(range(2, 8))
    assert (vertices < 6).mean() > 0.5
    only = SPACE.sample_published(500, rng(2), vertices=(3, 3))
    assert ((only.genes[:, 21:] >= 0).sum(1) <= 1).all()
    assert np.array_equal(SPACE.sample_published(50, rng(3)).genes, SPACE.sample_published(50, rng(3)).genes)
    assert len(SPACE.sample_published(0, rng())) == 0


@pytest.mark.parametrize("vertices", [(1, 7), (2, 8), (5, 4)])
def test_impossible_numbers_of_vertices_are_refused(vertices: tuple[int, int]) -> None:
    with pytest.raises(BadSetting, match="from 2 to 7"):
        SPACE.sample_published(1, rng(), vertices=vertices)


def test_a_narrowed_space_is_sampled_as_published_or_says_that_it_cannot() -> None:
    without_pool = SPACE
    for v in range(1, 6):
        without_pool = without_pool.narrow(f"op/{v}", OPS[:2])
    drawn = without_pool.sample_published(300, rng())
    assert len(drawn) == 300
    assert (drawn.genes[:, 21:] < 2).all()
    dense = SPACE
    for x, y in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6)):
        dense = dense.narrow(f"cell/{x}-{y}", ["1"])
    assert 0 < dense.size <= 243
    with pytest.raises(BadSetting, match="less narrow"):
        dense.sample_published(50, rng())


def test_neighbours_are_neighbours_of_each_other() -> None:
    some = SPACE.sample(100, rng(4))
    around, parent = SPACE.neighbours(some)
    back, child = SPACE.neighbours(around)
    home = SPACE.index(back) == SPACE.index(some)[parent[child]]
    assert np.array_equal(np.unique(child[home]), np.arange(len(around)))


def test_neighbours_are_one_edge_one_operation_or_one_vertex_away() -> None:
    some = SPACE.sample(60, rng(6))
    around, parent = SPACE.neighbours(some)
    vertices = [(x.genes[:, 21:] >= 0).sum(1) for x in (around, some[parent])]
    edges = [x.genes[:, :21].sum(1) for x in (around, some[parent])]
    moved = set(zip((vertices[0] - vertices[1]).tolist(), (edges[0] - edges[1]).tolist(), strict=True))
    assert moved == {(0, 0), (0, 1), (0, -1), (1, 2), (-1, -2)}
    assert len({(int(p), int(i)) for p, i in zip(parent, SPACE.index(around), strict=True)}) == len(around)


def test_the_smallest_cell_grows_in_every_way() -> None:
    smallest = SPACE.encode(np.array([[[0, 1], [0, 0]]]), np.zeros((1, 0)))
    around, _ = SPACE.neighbours(smallest)
    assert sorted(SPACE.format(around)) == [f"{op}:0|output:01" for op in ("conv1x1", "conv3x3", "maxpool3x3")]


# ---- networks ----------------------------------------------------------------------------------------------------

BUILT = (
    "output:0",
    "maxpool3x3:0|output:01",
    "conv3x3:0|conv1x1:01|maxpool3x3:2|output:0123",
    "conv1x1:0|conv3x3:0|maxpool3x3:12|output:13",
    "0",
    "211812",
    "90000",
    "423623",
)


@pytest.mark.parametrize("text", BUILT)
def test_a_built_network_has_the_parameters_that_the_space_counts(text: str) -> None:
    arch = SPACE.parse(text)
    for classes, channels in ((10, 3), (7, 1)):
        network = SPACE.build(arch, classes=classes, shape=(channels, 8, 8))
        expected = SPACE.totals(Architectures.of([arch], SPACE), classes=classes, shape=(channels, 8, 8))[0, 1]
        assert sum(p.numel() for p in network.parameters() if p.requires_grad) == expected


@pytest.mark.parametrize("text", BUILT[:5])
def test_a_built_network_classifies_images_and_learns(text: str) -> None:
    import torch

    network = SPACE.build(SPACE.parse(text), classes=5, shape=(3, 8, 8))
    scores = network(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert scores.shape == (2, 5)
    scores.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_only_cells_are_built() -> None:
    with pytest.raises(BadArchitecture, match="no architecture"):
        SPACE.build(Architecture("nasbench101", (0,) * 26), classes=10, shape=(3, 32, 32))
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.build(EVERY[0], classes=10, shape=(3, 30, 30))
