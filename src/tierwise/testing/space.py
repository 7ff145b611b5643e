"""What every space must do."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Space
from tierwise.testing import space_moves, space_narrowing
from tierwise.testing.space_case import SpaceCase, rng
from tierwise.testing.suite import (
    MANY,
    expect,
    expect_bounded_row_cost,
    expect_equal,
    expect_error,
    expect_rows,
    halved,
    run_checks,
)

MOST_GENES = 2_000_000  # of the rows whose costs are measured


def check_space(space: Space, *, expected_failures: Collection[str] = ()) -> None:
    """Raises NotConforming unless `space`, of two architectures or more, does all that its users rely on."""
    run_checks("check_space", CHECKS, SpaceCase(space, space.sample(64, rng())), expected_failures)


# ---- text ----------------------------------------------------------------------------------------------


def text_round_trip(case: SpaceCase) -> None:
    for arch, text in zip(case.some, case.space.format(case.some), strict=True):
        expect_equal(f"parse({text!r})", case.space.parse(text), arch)
        expect_equal(f"Architecture.parse({str(arch)!r})", Architecture.parse(str(arch)), arch)
        expect_equal(f"parse({str(arch)!r})", case.space.parse(str(arch)), arch)


def bad_text_is_refused(case: SpaceCase) -> None:
    name, genes = case.space.name, case.some[0].genes
    many = len(case.space.choices[0].options)
    rows = {
        "one gene more": (*genes, 0),
        "a gene out of range": (many, *genes[1:]),
        "a huge gene": (99_999, *genes[1:]),
    }
    texts = {what: str(Architecture(name, row)) for what, row in rows.items()}
    texts |= {
        "another space": str(Architecture(name + "x", genes)),
        "nothing": "",
        "noise": "no such architecture",
    }
    for what, text in texts.items():
        expect_error(BadArchitecture, f"parse of {what}", lambda text=text: case.space.parse(text))


# ---- keys, graphs, identity ----------------------------------------------------------------------------


def canonical_is_a_key_of_the_row(case: SpaceCase) -> None:
    keys = case.space.canonical(case.some)
    expect_equal("type of canonical keys", (keys.dtype, keys.shape), (np.dtype(np.uint64), (len(case.some),)))
    one_by_one = [int(case.space.canonical(case.some[k : k + 1])[0]) for k in range(len(case.some))]
    expect_rows("canonical keys of a batch, against one by one", keys, np.array(one_by_one, dtype=np.uint64))
    twice = Architectures(case.space, np.repeat(case.some.genes, 2, axis=0))
    expect_rows("canonical keys of equal rows", case.space.canonical(twice), np.repeat(keys, 2))
    expect_rows("canonical keys in a copy of the space", _copy(case.space).canonical(case.some), keys)


def graphs_are_padded_and_forward(case: SpaceCase) -> None:
    graphs, n = case.space.graphs(case.some), len(case.some)
    v = graphs.node_op.shape[-1]
    expect_equal("shapes of graphs", (graphs.node_op.shape, graphs.edge_op.shape), ((n, v), (n, v, v)))
    expect_equal("types of graphs", (graphs.node_op.dtype, graphs.edge_op.dtype), (np.dtype(np.uint8),) * 2)
    expect_rows("edges of graphs that do not go forward", np.tril(graphs.edge_op), np.zeros((n, v, v)))
    most = max(int(graphs.node_op.max()), int(graphs.edge_op.max()))
    expect(most <= len(graphs.ops), f"codes in graphs: expected at most {len(graphs.ops)}, seen {most}")
    for row, arch in enumerate(case.some[:8]):
        expect_equal(f"graph({arch}), against its row in the batch", case.space.graph(arch), graphs[row])


def costs_agree_with_graphs(case: SpaceCase) -> None:
    try:
        costs, totals = case.space.costs(case.some), case.space.totals(case.some)
    except BadSetting:
        return  # a space need not know what its networks cost
    n, v = len(case.some), case.space.graphs(case.some[:1]).node_op.shape[1]
    expect_equal("shape of costs", costs.shape, (n, costs.shape[1], v, v, 2))
    expect_equal("shape of totals", totals.shape, (n, 2))
    plain = "" in case.space.graphs(case.some[:1]).ops  # operations on nodes: every edge into one has its cost
    within = (costs.max(2) if plain else costs.sum(2)).sum((1, 2))
    expect(
        (costs >= 0).all() and (totals >= within).all(),
        "totals: expected at least the sum of costs, seen less",
    )
    expect_rows("totals of a part", case.space.totals(case.some[:5]), totals[:5])


def empty_batches_work(case: SpaceCase) -> None:
    space, none = case.space, case.some[:0]
    for what, result in {
        "sample": space.sample(0, rng()),
        "mutate": space.mutate(none, rng()),
        "cross": space.cross(none, none, rng()),
        "neighbours": space.neighbours(none)[0],
        "contains": space.contains(none),
        "canonical": space.canonical(none),
        "graphs": space.graphs(none),
        "format": space.format(none),
        "unique": none.unique(),
        "isin": none.isin(case.some),
    }.items():
        expect_equal(f"rows of {what} of an empty batch", len(result), 0)


def _copy(space: Space) -> Space:
    return pickle.loads(pickle.dumps(space))  # noqa: S301  our own bytes: how a worker process gets it


def pickle_round_trip(case: SpaceCase) -> None:
    for space in (case.space, halved(case.space)[0]):
        copied = _copy(space)
        expect_equal("unpickled space", copied, space)
        expect_rows("sample of the unpickled space", copied.sample(20, rng(9)).genes, space.sample(20, rng(9)).genes)


def equality_and_hash(case: SpaceCase) -> None:
    smaller, copied = halved(case.space)[0], _copy(case.space)
    expect(
        case.space == copied and hash(case.space) == hash(copied),
        "expected a copy to be equal with an equal hash",
    )
    expect(
        case.space != smaller and case.space != case.space.name,
        "expected a narrowed space to be unequal, seen equal",
    )
    expect(smaller == halved(case.space)[0], "expected equal narrowings to be equal, seen unequal")


def rows_cost_no_python(case: SpaceCase) -> None:
    space = case.space
    work: dict[str, Callable[[Architectures], object]] = {
        "sample": lambda archs: space.sample(len(archs), rng()),
        "mutate": lambda archs: space.mutate(archs, rng()),
        "cross": lambda archs: space.cross(archs, archs, rng()),
        "contains": space.contains,
        "canonical": space.canonical,
        "graphs": space.graphs,
        "unique": lambda archs: archs.unique(),
    }
    if space.size <= 20_000:
        work |= {"index": space.index}
    many = min(MANY, max(1_000, MOST_GENES // len(space.choices)))
    archs = Architectures(space, np.resize(case.some.genes, (many, case.some.shape[1])))
    for what, call in work.items():
        expect_bounded_row_cost(what, lambda n, call=call: lambda: call(archs[:n]), many)


CHECKS = (
    text_round_trip,
    bad_text_is_refused,
    *space_moves.CHECKS,
    *space_narrowing.CHECKS,
    canonical_is_a_key_of_the_row,
    graphs_are_padded_and_forward,
    costs_agree_with_graphs,
    empty_batches_work,
    pickle_round_trip,
    equality_and_hash,
    rows_cost_no_python,
)
