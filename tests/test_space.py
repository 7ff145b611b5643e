"""Laws of every space, for spaces, narrowings and random numbers that nobody chose."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_spaces import Costed, Flat, tiny
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, TooLarge, UnknownName
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201

quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def narrowed(draw: st.DrawFn) -> Space:
    """A small space, narrowed at random."""
    space: Space = draw(st.sampled_from([tiny(), NASBench201()]))
    for choice in space.choices:
        keep = draw(st.sets(st.sampled_from(choice.options), min_size=1))
        space = space.narrow(choice.path, keep)
    return space


@quick
@given(narrowed())
def test_enumerate_is_the_product_of_what_is_left(space: Space) -> None:
    left = [np.flatnonzero(row).tolist() for row in space.allowed]
    assert sorted(map(tuple, space.enumerate().genes.tolist())) == sorted(itertools.product(*left))
    assert space.size == len(space.enumerate())


@quick
@given(narrowed(), seeds)
def test_index_and_at_are_inverse(space: Space, rng: np.random.Generator) -> None:
    rows = rng.integers(0, space.size, 20)
    assert space.index(space.at(rows)).tolist() == rows.tolist()
    every = type(space).enumerate(NASBench201() if space.name == "nasbench201" else tiny())
    outside = every[~space.contains(every)]
    assert (space.index(outside) == -1).all()
    assert (space.index(every) >= 0).tolist() == space.contains(every).tolist()


@quick
@given(narrowed(), seeds, st.integers(0, 5))
def test_moves_stay_inside_and_change_what_they_say(space: Space, rng: np.random.Generator, genes: int) -> None:
    parents = space.sample(20, rng)
    free = int((space.allowed.sum(1) > 1).sum())
    child = space.mutate(parents, rng, genes=genes)
    assert space.contains(child).all()
    assert ((child.genes != parents.genes).sum(1) == min(genes, free)).all()
    other = space.sample(20, rng)
    cross = space.cross(parents, other, rng).genes
    assert ((cross == parents.genes) | (cross == other.genes)).all()


@quick
@given(narrowed(), seeds)
def test_neighbours_are_counted_and_one_move_away(space: Space, rng: np.random.Generator) -> None:
    parents = space.sample(5, rng)
    children, rows = space.neighbours(parents)
    each = int(space.allowed.sum() - len(space.choices))
    assert np.bincount(rows, minlength=5).tolist() == [each] * 5
    assert ((children.genes != parents.genes[rows]).sum(1) == 1).all()
    assert space.contains(children).all()
    pairs = set(zip(rows.tolist(), map(tuple, children.genes.tolist()), strict=True))
    assert len(pairs) == len(children)


@quick
@given(narrowed(), seeds, st.data())
def test_narrow_shrinks_and_commutes(space: Space, rng: np.random.Generator, data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(range(len(space.choices))))[:2]
    keeps = [
        (space.choices[g].path, [space.choices[g].options[int(np.flatnonzero(space.allowed[g])[0])]])
        for g in (first, second)
    ]
    one = space.narrow(*keeps[0]).narrow(*keeps[1])
    other = space.narrow(*keeps[1]).narrow(*keeps[0])
    assert one == other
    assert hash(one) == hash(other)
    assert not (one.allowed & ~space.allowed).any()
    assert space.contains(one.sample(10, rng)).all()


def test_sampling_is_uniform() -> None:
    space = tiny().narrow("cell/0-1", ["none", "pool"]).narrow("cell/0-2", ["skip"])
    drawn = space.index(space.sample(20_000, np.random.default_rng(0)))
    counts = np.bincount(drawn, minlength=space.size)
    assert len(counts) == space.size == 10
    assert abs(counts - 2_000).max() < 250  # six standard deviations


def test_mutation_is_uniform_over_genes_and_other_options() -> None:
    space = tiny()
    parents = Architectures(space, np.zeros((12_000, 3)))
    child = space.mutate(parents, np.random.default_rng(0)).genes
    counts = [np.bincount(child[:, gene], minlength=5)[1:] for gene in range(3)]
    assert np.sum(counts) == 12_000
    assert abs(np.array(counts) - 1_000).max() < 190


def test_a_parent_outside_a_narrowed_space_has_its_neighbours_inside() -> None:
    space = tiny().narrow("cell/0-1", ["none", "skip"])
    children, _ = space.neighbours(Architectures(space, np.full((1, 3), 4)))
    inside = children[space.contains(children)]
    assert sorted(inside.genes.tolist()) == [[0, 4, 4], [1, 4, 4]]


def test_sizes_are_exact_far_beyond_64_bits() -> None:
    assert Flat().size == 2**40 * 3**40
    assert type(Flat().size) is int
    assert NASBench201().size == 15_625


def test_a_space_too_large_to_list_says_so_and_works_when_narrowed() -> None:
    space: Space = Flat()
    for call in (space.enumerate, lambda: space.index(space.sample(1, np.random.default_rng(0)))):
        with pytest.raises(TooLarge, match="narrow") as caught:
            call()
        assert caught.value.size == space.size
    for choice in space.choices[3:]:
        space = space.narrow(choice.path, ["wide"])
    assert space.size == len(space.enumerate()) == 2 * 3 * 2
    assert space.index(space.enumerate()).tolist() == list(range(12))


def test_membership_of_anything_is_a_plain_answer() -> None:
    space = tiny()
    assert Architecture("tiny", (0, 4, 2)) in space
    for genes in [(0, 4), (0, 4, 5), (-1, 0, 0), (0, 4, 99_999), (0, 4, 2, 1)]:
        assert Architecture("tiny", genes) not in space
    assert Architecture("other", (0, 4, 2)) not in space
    assert Architecture("tiny", (0, 4, 2)) not in space.narrow("cell/0-1", ["pool"])


@pytest.mark.parametrize(
    ("path", "keep", "error", "says"),
    [
        ("cell/0-9", ["none"], UnknownName, 'no choice "cell/0-9"; did you mean "cell/0-'),
        ("cell/0-1", ["conv"], UnknownName, 'no option of cell/0-1 "conv"; did you mean "conv'),
        ("cell/0-1", [], BadSetting, "at least one option"),
    ],
)
def test_a_narrowing_that_cannot_be_obeyed_says_why(
    path: str, keep: list[str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        tiny().narrow(path, keep)


def test_narrowing_to_nothing_in_two_steps_is_refused() -> None:
    with pytest.raises(BadSetting, match="still allowed"):
        tiny().narrow("cell/0-1", ["none"]).narrow("cell/0-1", ["pool"])


def test_a_narrowed_space_says_so() -> None:
    assert not tiny().narrowed
    smaller = tiny().narrow("cell/0-1", ["none", "pool"])
    assert smaller.narrowed
    assert repr(smaller) == "<space tiny: 50 architectures, narrowed>"
    assert smaller.narrow("cell/0-1", ["none", "pool"]) == smaller


def test_spaces_differ_by_kind_name_and_choices() -> None:
    assert tiny() == tiny()
    assert tiny() != tiny(4)
    assert tiny() != tiny(cls=Costed)
    assert tiny() != "tiny"


def test_a_bad_row_is_named_with_its_choice() -> None:
    with pytest.raises(BadArchitecture, match="gene cell/0-2 is 7, allowed 0 to 4") as caught:
        tiny().check(Architectures(tiny(), np.array([[0, 0, 0], [1, 7, 0]])))
    assert caught.value.text == "tiny/1-7-0"


@pytest.mark.parametrize("ask", ["costs", "totals"])
def test_a_space_without_costs_says_so(ask: str) -> None:
    with pytest.raises(BadSetting, match="a space with cost formulas"):
        getattr(tiny(), ask)(tiny().at([0]))
