"""What sampling and moving in a space must do: a part of ``check_space``.

Where every combination of options is an architecture (``free``), moves are exact changes of genes. Where members
are listed, a move gives the member that is the same network, whose genes may all be others.
"""

from __future__ import annotations

import numpy as np

from tierwise.architecture import Architecture
from tierwise.space import Space
from tierwise.testing.space_case import SpaceCase, expect_inside, rng
from tierwise.testing.suite import expect, expect_equal, expect_rows


def sample_stays_inside(case: SpaceCase) -> None:
    drawn = case.space.sample(500, rng(1))
    expect_equal("shape of sample(500)", drawn.shape, (500, len(case.space.choices)))
    expect_inside("sample", case.space, drawn)
    expect_rows("sample with an equal rng", case.space.sample(500, rng(1)).genes, drawn.genes)


def sample_reaches_every_option(case: SpaceCase) -> None:
    if not case.space.free:
        _expect_a_uniform_sample(case.listed)
        return
    width = case.space.allowed.shape[1]
    drawn = case.space.sample(40 * width, rng(2)).genes  # an option is missed by chance once in e**40 runs
    seen = (drawn[:, :, None] == np.arange(width)).any(0)
    expect_rows("options that sample reaches, (choice, option)", seen, case.space.allowed)


def _expect_a_uniform_sample(space: Space) -> None:
    """Every tenth of a list is drawn about as often: off by six standard deviations once in a billion runs."""
    tenth = space.index(space.sample(5_000, rng(2))) * 10 // space.size
    share = np.bincount(tenth, minlength=10) / 5_000
    fair = np.bincount(np.arange(space.size) * 10 // space.size, minlength=10) / space.size
    expect(
        (abs(share - fair) <= 6 * np.sqrt(fair * (1 - fair) / 5_000)).all(),
        f"sample: expected each tenth of the list alike, seen shares {share.tolist()}",
    )


def mutate_changes_that_many_genes(case: SpaceCase) -> None:
    if not case.space.free:
        _expect_mutants_among_the_neighbours(case)
        return
    before, free = case.some.genes.copy(), int((case.space.allowed.sum(1) > 1).sum())
    for genes in range(1, min(free, 3) + 1):
        child = case.space.mutate(case.some, rng(genes), genes=genes)
        expect_inside("mutate", case.space, child)
        changed = (child.genes != case.some.genes).sum(1)
        expect_rows(f"genes changed by mutate(genes={genes})", changed, np.full(len(child), genes))
    expect_rows("the parents after mutate", case.some.genes, before)


def _expect_mutants_among_the_neighbours(case: SpaceCase) -> None:
    """Where members have one-step changes (`moves`); elsewhere, as in grammars, a mutant is just another member."""
    parents, before = case.some[:12], case.some.genes.copy()
    around, rows = case.space.neighbours(parents)
    child = case.space.mutate(parents, rng(1))
    expect_inside("mutate", case.space, child)
    expect_inside("mutate(genes=3)", case.space, case.space.mutate(parents, rng(1), genes=3))
    for row in range(len(parents)):
        near, mutant = around[rows == row], child[row : row + 1]
        if not len(near):
            expect(
                mutant.isin(parents[row : row + 1]).all(), f"mutate: expected {parents[row]}, which is alone, to stay"
            )
        elif hasattr(case.space, "moves"):
            expect(mutant.isin(near).all(), f"mutate: expected a neighbour of {parents[row]}")
        else:
            expect(not mutant.isin(parents[row : row + 1]).any(), f"mutate: expected another one than {parents[row]}")
    expect_rows("the parents after mutate", case.some.genes, before)


def cross_takes_genes_of_the_parents(case: SpaceCase) -> None:
    a, b = case.some[:32], case.some[32:]
    child = case.space.cross(a, b, rng(3))
    expect_inside("cross", case.space, child)
    if not case.space.free:
        return  # a mixed row is given as the member that it is equal to
    expect(
        ((child.genes == a.genes) | (child.genes == b.genes)).all(),
        "cross: expected genes of a parent, seen others",
    )


def neighbours_are_all_one_gene_moves(case: SpaceCase) -> None:
    if not case.space.free:
        _expect_each_neighbour_once(case.listed)
        return
    parents = case.some[:6]
    children, rows = case.space.neighbours(parents)
    seen = sorted((int(row), tuple(genes)) for row, genes in zip(rows, children.genes.tolist(), strict=True))
    expected: list[tuple[int, tuple[int, ...]]] = []
    for row, arch in enumerate(parents):
        for gene, choice in enumerate(case.space.choices):
            for option in range(len(choice.options)):
                genes = (*arch.genes[:gene], option, *arch.genes[gene + 1 :])
                if genes != arch.genes and Architecture(arch.space, genes) in case.space:
                    expected.append((row, genes))
    expect_equal("number of neighbours of six", len(seen), len(expected))
    for a, b in zip(seen, sorted(expected), strict=True):
        expect_equal("neighbour (parent row, genes)", a, b)


def _expect_each_neighbour_once(space: Space) -> None:
    parents = space.sample(6, rng(9))
    children, rows = space.neighbours(parents)
    expect_inside("neighbours", space, children)
    at = space.index(children)
    pairs = list(zip(rows.tolist(), at.tolist(), strict=True))
    expect_equal("different (parent row, neighbour)", len(set(pairs)), len(pairs))
    expect((at != space.index(parents)[rows]).all(), "neighbours: expected other members, seen the parent itself")
    expect_rows("neighbours as members", space.at(at).genes, children.genes)


CHECKS = (
    sample_stays_inside,
    sample_reaches_every_option,
    mutate_changes_that_many_genes,
    cross_takes_genes_of_the_parents,
    neighbours_are_all_one_gene_moves,
)
