from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_spaces import Flat, tiny
from tierwise.architecture import Architecture, Architectures, Graph, concatenate
from tierwise.errors import BadArchitecture, TierwiseError
from tierwise.spaces.nasbench201 import NASBench201

SPACE = NASBench201()
quick = settings(deadline=None, max_examples=50)
genes = st.lists(st.integers(-1, 30_000), min_size=1, max_size=12).map(tuple)


@quick
@given(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), genes)
def test_text_is_read_back(space: str, row: tuple[int, ...]) -> None:
    arch = Architecture(space, row)
    assert Architecture.parse(str(arch)) == arch
    assert hash(Architecture.parse(f"  {arch}\n")) == hash(arch)


@quick
@given(st.text(max_size=40))
def test_any_text_is_an_architecture_or_a_named_error(text: str) -> None:
    found = parsed(text)
    if isinstance(found, Architecture):
        assert Architecture.parse(str(found)) == found
    else:
        assert found.text == text
        assert "expected" in found.reason


def parsed(text: str) -> Architecture | BadArchitecture:
    try:
        return Architecture.parse(text)
    except BadArchitecture as error:
        return error


def test_text_is_what_people_read() -> None:
    assert str(Architecture("nasbench201", (3, 0, 2, 1, 3, 3))) == "nasbench201/3-0-2-1-3-3"
    assert str(Architecture("chain", (3, -1, 0))) == "chain/3-_-0"


@pytest.mark.parametrize("text", ["", "nasbench201", "nasbench201/", "/1-2", "nasbench201/a-b", "x/1--2", "x/1-2-"])
def test_bad_text_says_what_is_expected(text: str) -> None:
    with pytest.raises(BadArchitecture, match="nasbench201/3-0-2-1-3-3") as caught:
        Architecture.parse(text)
    assert caught.value.text == text


def test_a_batch_is_indexed_like_an_array() -> None:
    batch = SPACE.at(np.arange(100))
    assert batch[3] == SPACE.at([3])[0] == list(batch)[3]
    assert batch[np.int64(3)] == batch[3]
    assert batch[-1] == batch[99]
    assert batch[10:20].genes.tolist() == batch.genes[10:20].tolist()
    mask = np.arange(100) % 7 == 0
    assert batch[mask].genes.tolist() == batch.genes[mask].tolist()
    assert batch[[5, 5, 1]].genes.tolist() == batch.genes[[5, 5, 1]].tolist()
    assert batch.shape == (100, 6)
    assert len(batch[:0]) == 0
    with pytest.raises(IndexError):
        batch[100]


@quick
@given(st.lists(st.integers(0, 124), max_size=30), st.lists(st.integers(0, 124), max_size=30))
def test_keys_unique_and_isin_agree_with_sets(a: list[int], b: list[int]) -> None:
    space = tiny()
    left, right = space.at(a), space.at(b)
    assert [x == y for x in left for y in right] == (left.keys()[:, None] == right.keys()).ravel().tolist()
    assert list(left.unique()) == list(dict.fromkeys(left))
    assert left.isin(right).tolist() == [arch in set(right) for arch in left]


def test_keys_of_a_huge_space_work_as_well() -> None:
    batch = Flat().sample(50, np.random.default_rng(0))
    twice = concatenate([batch, batch[::-1]])
    assert len(np.unique(twice.keys())) == 50
    assert twice.unique().genes.tolist() == batch.genes.tolist()
    assert twice.isin(batch[:1]).sum() == 2


def test_keys_tell_an_inactive_choice_from_every_option() -> None:
    rows = Architectures(tiny(), np.array([[-1, 4, 0], [0, 4, 0], [4, -1, 0]]))
    assert len(np.unique(rows.keys())) == 3


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11])
def test_chunks_are_the_batch_in_order(n: int) -> None:
    batch = SPACE.at(np.arange(n))
    parts = list(batch.chunks(5))
    assert concatenate(parts).genes.tolist() == batch.genes.tolist()
    assert max(len(part) for part in parts) <= 5
    assert len(parts) >= 1, "the scores of no architectures are made of one empty piece"


def test_a_list_becomes_a_batch() -> None:
    archs = [Architecture("nasbench201", (0, 1, 2, 3, 4, 0)), Architecture("nasbench201", (4, 4, 4, 4, 4, 4))]
    batch = Architectures.of(archs, SPACE)
    assert list(batch) == archs
    assert Architectures.of(batch) is batch
    assert Architectures.of([], SPACE).shape == (0, 6)


@pytest.mark.parametrize(
    ("arch", "reason"),
    [
        (Architecture("darts", (0,) * 6), "not of space nasbench201"),
        (Architecture("nasbench201", (0,) * 5), "6 genes"),
        (Architecture("nasbench201", (70_000, 0, 0, 0, 0, 0)), "genes are"),
        (Architecture("nasbench201", (-2, 0, 0, 0, 0, 0)), "genes are"),
    ],
)
def test_a_foreign_member_is_refused(arch: Architecture, reason: str) -> None:
    with pytest.raises(BadArchitecture, match=reason) as caught:
        Architectures.of([arch], SPACE)
    assert caught.value.text == str(arch)
    assert arch not in SPACE


def test_a_bare_list_does_not_say_its_space() -> None:
    with pytest.raises(BadArchitecture, match="which space"):
        Architectures.of([Architecture("nasbench201", (0,) * 6)])


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 5), int),
        np.zeros(6, int),
        np.full((1, 6), 65_536),  # int16 would make 0 of it
        np.full((1, 6), 0.5),
    ],
    ids=["columns", "dimensions", "overflow", "fractions"],
)
def test_a_gene_matrix_that_is_none_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(BadArchitecture, match="gene array"):
        Architectures(SPACE, matrix)


def test_a_graph_drops_absent_nodes_and_names_its_ops() -> None:
    graph = tiny().graph(Architecture("tiny", (3, 0, 1)))
    assert graph == Graph(("input", "sum", "output"), ((0, 1, "conv3x3"), (1, 2, "skip")))


def test_a_batch_says_what_it_is() -> None:
    assert repr(SPACE.enumerate()) == "<15,625 architectures of nasbench201>"
    assert issubclass(BadArchitecture, TierwiseError)
