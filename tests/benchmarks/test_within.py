"""A table inside a smaller space: what is kept of it, and that a search there finds what the whole table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tierwise import Study, load_space, make, save_space
from tierwise.architecture import Architectures
from tierwise.benchmarks.own import load
from tierwise.benchmarks.table import Table
from tierwise.errors import BadSetting, BadTable
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.subset import Subset, part
from tierwise.testing import check_evaluator

NARROWED = NASBench201().narrow("cell/0-1", ["none", "nor_conv_3x3"]).narrow("cell/2-3", ["skip_connect"])
MEMBERS = part(NARROWED, NARROWED.at([7, 3, 600, 900]))


@pytest.fixture(scope="module")
def whole() -> Table:
    return make("benchmark", "nasbench201", label="validation#noise")


@pytest.mark.parametrize("smaller", [NARROWED, MEMBERS, NASBench201()], ids=["narrowed", "members", "whole"])
def test_every_column_is_that_of_the_whole(whole: Table, smaller: Space) -> None:
    inside = whole.within(smaller, "small")
    assert inside.space == smaller
    assert inside.name == "nasbench201:cifar10:small"
    every = smaller.enumerate()
    at = whole.space.index(every)
    seeds = list(range(len(at)))
    for name, column in inside.many(every, seeds).items():
        assert column == pytest.approx(whole.many(every, seeds)[name])
    assert inside.expected("accuracy") == pytest.approx(whole.expected("accuracy")[at])
    assert inside.truth["seed0"] == pytest.approx(whole.truth["seed0"][at], nan_ok=True)
    assert inside.known("latency", every) == pytest.approx(whole.known_columns["latency"][at])
    check_evaluator(inside, inside.space)


def test_of_a_partial_table_what_is_in_both(whole: Table) -> None:
    recorded = whole.part(NASBench201().index(MEMBERS.enumerate())[[0, 2]])
    both = recorded.within(NARROWED, "small")
    every = both.space.enumerate()
    assert NARROWED.contains(every).all()
    assert recorded.space.contains(every).all()  # the two recorded networks, in whatever genes the part has them
    assert len(np.unique(both.space.canonical(every))) == 2
    assert both.space.size == recorded.space.contains(NARROWED.enumerate()).sum()
    assert both.expected("accuracy") == pytest.approx(recorded.expected("accuracy")[recorded.space.index(every)])
    assert (both.space.allowed == NARROWED.allowed).all()


def test_a_part_of_something_else_is_refused(whole: Table) -> None:
    with pytest.raises(BadSetting, match="a part of <space nasbench201: 15,625 architectures>"):
        whole.within(make("space", "nasbench101"), "small")
    with pytest.raises(BadSetting, match="of which nasbench201:cifar10 has results"):
        whole.part(np.arange(1)).within(MEMBERS, "small")


@pytest.mark.parametrize("smaller", [NARROWED, MEMBERS], ids=["narrowed", "members"])
def test_a_search_stays_inside(whole: Table, smaller: Space) -> None:
    inside = whole.within(smaller, "small")
    with Study(None, inside.space, "evolution", inside) as study:
        study.run(40)
        trials = study.trials()
    found = Architectures.of([trial.arch for trial in trials], NASBench201())
    assert len(found) == min(40, len(np.unique(smaller.canonical(smaller.enumerate()))))
    assert smaller.contains(found).all()


# ---- one's own table -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A part of a declared space, and results of nearly all of that space."""
    declared, small, table = (tmp_path / name for name in ("cells.toml", "small.toml", "results.csv"))
    declared.write_text('kind = "edges"\nnodes = 3\nops = ["none", "skip", "conv"]\nzero = "none"\nidentity = "skip"\n')
    space = load_space(declared)
    save_space(space.narrow("cell/0-1", ["conv"]), small, declared)
    lines = [f"{arch.gene_text},{k}" for k, arch in enumerate(space.enumerate()) if k != 20]
    table.write_text("\n".join(["architecture,accuracy", *lines, ""]))
    return small, table


def test_results_of_the_whole_serve_a_part(files: tuple[Path, Path]) -> None:
    small, table = files
    data = load(small, table)
    assert data.name == "own:results:small"
    assert isinstance(data.space, Subset)
    assert data.expected("accuracy").tolist() == [18, 19, 21, 22, 23, 24, 25, 26]
    assert load(load_space(small), table).space == data.space
    with pytest.raises(BadTable, match="1 of 9 architectures are missing") as caught:
        load(small, table, complete=True)
    assert caught.value.rows == [2]


def test_a_row_that_is_no_architecture_at_all_is_still_refused(files: tuple[Path, Path]) -> None:
    small, table = files
    table.write_text(table.read_text() + "0-0-3,5\n")
    with pytest.raises(BadTable, match="no architecture of cells"):
        load(small, table)
