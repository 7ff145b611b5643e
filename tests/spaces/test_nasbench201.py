"""The 15,625 cells: their order, their texts, their costs, and which of them are the very same network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.canonical_oracle import canonical_form
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.spaces.nasbench201 import EXAMPLE, OPS, NASBench201

SPACE = NASBench201()
FIRST = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
EVERY = SPACE.enumerate()


# ---- order and text ---------------------------------------------------------------------------------------------


def test_the_first_cell_of_the_official_order() -> None:
    assert SPACE.format(SPACE.at([0])) == [FIRST]
    assert SPACE.parse("0") == SPACE.parse(FIRST) == SPACE.at([0])[0]
    assert SPACE.index(SPACE.at([0])).tolist() == [0]


def test_the_whole_official_order(nb201: Mapping[str, Any]) -> None:
    assert EVERY.genes.tolist() == nb201["ops"].tolist()


def test_a_narrowed_space_keeps_the_official_order() -> None:
    smaller = SPACE.narrow("cell/0-1", ["none", "avg_pool_3x3"]).narrow("cell/2-3", ["nor_conv_3x3"])
    left = EVERY[(np.isin(EVERY.genes[:, 0], [0, 4])) & (EVERY.genes[:, 5] == 3)]
    assert smaller.enumerate().genes.tolist() == left.genes.tolist()
    assert smaller.index(left).tolist() == list(range(1250))
    assert SPACE.size == 15_625


def test_an_official_index_means_the_same_in_a_narrowed_space() -> None:
    smaller = SPACE.narrow("cell/0-1", ["none"])
    assert smaller.parse("6111") == SPACE.parse("6111") == EVERY[6111]


def test_every_text_is_read_back() -> None:
    texts = SPACE.format(EVERY)
    assert len(set(texts)) == 15_625
    assert [SPACE.parse(text) for text in texts[::7]] == list(EVERY[::7])


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=80))
def test_noise_is_refused_with_a_named_error(noise: str) -> None:
    for text in (noise, FIRST[:40] + noise, noise + FIRST[40:]):
        found = parsed(text)
        assert found in SPACE if isinstance(found, Architecture) else found.text.strip() == text.strip()


def parsed(text: str) -> Architecture | BadArchitecture:
    try:
        return SPACE.parse(text)
    except BadArchitecture as error:
        return error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected"),
        ("15625", "0 to 15624"),
        ("-1", "expected"),
        ("9" * 5_000, "0 to 15624"),
        ("²", "expected"),
        ("1_0", "expected"),
        ("nasbench201/3-0-2-1-3", "6 genes"),
        ("nasbench201/3-0-2-1-3-3-0", "6 genes"),
        ("nasbench201/3-0-2-1-3-5", "gene cell/2-3 is 5, allowed 0 to 4"),
        ("nasbench201/3-0-2-1-3-_", "gene cell/2-3 is -1, allowed 0 to 4"),
        ("nasbench201/3-0-2-1-3-99999", "genes are"),
        ("darts/3-0-2-1-3-3", "not of space nasbench201"),
        (FIRST[:-1], EXAMPLE),
        (FIRST[1:], EXAMPLE),
        (FIRST.replace("~2", "~1"), EXAMPLE),
        (FIRST.replace("+", "&"), EXAMPLE),
        (FIRST + FIRST, EXAMPLE),
        (FIRST.replace("+", "+ "), EXAMPLE),
        (FIRST.replace("avg_pool_3x3", "avg_pool_3x2"), 'did you mean "avg_pool_3x3"'),
        (FIRST.replace("avg_pool_3x3", "AVG_POOL_3X3"), "no operation"),
    ],
)
def test_malformed_text_says_what_is_expected(text: str, says: str) -> None:
    with pytest.raises(BadArchitecture) as caught:
        SPACE.parse(text)
    assert says in str(caught.value)
    assert caught.value.text == text


# ---- the very same networks --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forms() -> list[str]:
    """The canonical form of every cell, by the oracle."""
    cells = [[OPS[gene] for gene in row] for row in EVERY.genes.tolist()]
    return [canonical_form(c, 4, zero="none", identity="skip_connect", shared=("avg_pool_3x3",)) for c in cells]


def test_the_keys_part_the_space_as_the_oracle_does(forms: list[str]) -> None:
    keys = SPACE.canonical(EVERY).tolist()
    assert len(set(keys)) == len(set(forms)) == len(set(zip(keys, forms, strict=True))) == 5_260


def test_the_classes_have_the_known_sizes() -> None:
    keys = SPACE.canonical(EVERY).tolist()
    sizes = Counter(keys)
    assert sum(size == 1 for size in sizes.values()) == 4_072
    assert max(sizes.values()) == 460
    disconnected = SPACE.canonical(Architectures(SPACE, np.zeros((1, 6))))[0]
    assert sizes[int(disconnected)] == 341


def test_the_disconnected_cells_are_those_without_a_path(forms: list[str]) -> None:
    passes = EVERY.genes != 0
    direct, first, second = passes[:, 3], passes[:, 0] & passes[:, 4], passes[:, 1] & passes[:, 5]
    long = passes[:, 0] & passes[:, 2] & passes[:, 5]
    cut = ~(direct | first | second | long)
    assert cut.sum() == 341
    assert {forms[row] for row in np.flatnonzero(cut)} == {""}
    assert len(set(SPACE.canonical(EVERY[cut]).tolist())) == 1


def test_equal_networks_have_equal_results(nb201: Mapping[str, Any]) -> None:
    """Independent evidence: inside a class, results differ by the noise of a seed, far less than between classes."""
    _, group = np.unique(SPACE.canonical(EVERY), return_inverse=True)
    accuracy = nb201["c10_val200"].mean(1, where=~np.isnan(nb201["c10_val200"]))
    means = np.bincount(group, accuracy) / np.bincount(group)
    within = np.sqrt(np.mean((accuracy - means[group])[np.bincount(group)[group] > 1] ** 2))
    assert within < 1.0
    assert accuracy.std() > 10.0


# ---- costs -------------------------------------------------------------------------------------------------------

TASKS = {
    "c10": (10, (3, 32, 32), 16_315_008, 129_306),
    "c100": (100, (3, 32, 32), 16_320_768, 135_156),
    "in16": (120, (3, 16, 16), 4_086_272, 136_456),
}


@pytest.mark.parametrize("task", TASKS)
def test_the_published_example_costs_what_was_published(task: str) -> None:
    classes, shape, flops, params = TASKS[task]
    assert SPACE.totals(SPACE.at([0]), classes=classes, shape=shape).tolist() == [[flops, params]]


@pytest.mark.parametrize("task", TASKS)
def test_the_sizes_of_all_cells_are_the_recorded_ones(task: str, nb201: Mapping[str, Any]) -> None:
    classes, shape, _, _ = TASKS[task]
    params = SPACE.totals(EVERY, classes=classes, shape=shape)[:, 1]
    np.testing.assert_allclose(params / 1e6, nb201[f"{task}_params_M"], rtol=0, atol=1e-6)


def test_every_edge_costs_its_closed_form() -> None:
    costs = SPACE.costs(EVERY)
    assert costs.shape == (15_625, 15, 4, 4, 2)
    for cell, (width, side) in enumerate([(16, 32)] * 5 + [(32, 16)] * 5 + [(64, 8)] * 5):
        for gene, (i, j) in enumerate(SPACE.edges):
            kernel = np.array([0, 0, 1, 3, 0])[EVERY.genes[:, gene]]
            weights, norms = kernel**2 * width**2, np.where(kernel > 0, 2 * width, 0)
            assert (costs[:, cell, i, j, 0] == (weights + norms) * side**2).all()
            assert (costs[:, cell, i, j, 1] == weights + norms).all()
    on_edges = np.zeros((4, 4), dtype=bool)
    on_edges[tuple(zip(*SPACE.edges, strict=True))] = True
    assert not costs[:, :, ~on_edges].any()


def test_totals_are_the_cells_and_what_all_cells_share() -> None:
    rest = SPACE.totals(EVERY) - SPACE.costs(EVERY).sum((1, 2, 3))
    assert len(np.unique(rest, axis=0)) == 1


@pytest.mark.parametrize("shape", [(3, 30, 32), (3, 32, 30), (0, 32, 32), (3, 0, 32)])
def test_an_impossible_image_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.totals(SPACE.at([0]), shape=shape)


def test_the_identity_is_named() -> None:
    assert OPS[OPS.index(SPACE.identity_op)] == "skip_connect"
    assert SPACE.graph(Architecture("nasbench201", (0, 1, 2, 3, 4, 0))).edges == (
        (0, 2, "skip_connect"),
        (0, 3, "nor_conv_3x3"),
        (1, 2, "nor_conv_1x1"),
        (1, 3, "avg_pool_3x3"),
    )
