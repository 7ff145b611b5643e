"""One's own table on one's own space: what is read, what is refused, and how a search stays inside it."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tierwise import Study
from tierwise.architecture import Architecture, Architectures
from tierwise.benchmarks.own import load
from tierwise.benchmarks.table import Table
from tierwise.errors import BadArchitecture, BadSetting, BadTable
from tierwise.spaces.declared import load_space
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.subset import Subset
from tierwise.testing import check_evaluator, check_space

EXAMPLES = Path(__file__).parents[2] / "examples"
CELLS = {
    "kind": "edges",
    "name": "cells",
    "nodes": 3,
    "ops": ["none", "skip", "conv"],
    "zero": "none",
    "identity": "skip",
    "cost": {"conv": {"flops": "c*c*h*w", "params": "c*c"}},
}


def write(folder: Path, header: str, *lines: str) -> Path:
    path = folder / "results.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def measured() -> Table:
    """The committed accuracies of multilayer perceptrons on digits."""
    return load(EXAMPLES / "own_table.toml", EXAMPLES / "own_table.csv")


# ---- the committed example -----------------------------------------------------------------------------


def test_the_example_runs_and_finds_nearly_the_best_network_that_is_small_enough() -> None:
    script = EXAMPLES / "own_table.py"
    code = [line for line in script.read_text().splitlines() if line.strip() and not line.startswith(('"""', "#"))]
    assert len(code) < 15
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [float(line.split()[1]) for line in done.stdout.splitlines()]
    assert len(found) == 5
    assert found == sorted(found, reverse=True)
    data = measured()
    small = data.space.totals(data.space.enumerate())[:, 1] <= 4000
    assert found[0] >= np.sort(data.metrics["accuracy"][small])[-3].round(2)


def test_every_recorded_network_of_the_example_is_found_by_all_its_gene_rows() -> None:
    data = measured()
    whole = load_space(EXAMPLES / "own_table.toml")
    assert (data.space.size, whole.size) == (5 + 25 + 125, 3 * 5**3)
    assert set(data.metrics) == {"accuracy", "seconds"}
    every = whole.enumerate()
    values, keys = data.many(every, [0] * len(every))["accuracy"], whole.canonical(every)
    assert np.isfinite(values).all()
    assert len({(key, value) for key, value in zip(keys.tolist(), values.tolist(), strict=True)}) == 155


def test_the_example_table_is_an_evaluator() -> None:
    check_evaluator(measured(), measured().space)


def test_small_networks_of_the_example_are_worse() -> None:
    data = measured()
    params, accuracy = data.space.totals(data.space.enumerate())[:, 1], data.metrics["accuracy"]
    assert np.corrcoef(np.log(params), accuracy)[0, 1] > 0.6
    assert accuracy.max() < 100


# ---- forms of tables -----------------------------------------------------------------------------------


def _rows(space: Edges) -> tuple[list[str], list[float]]:
    every = space.enumerate()
    return [arch.gene_text for arch in every], (every.genes.sum(1) * 1.5 + 50).tolist()


@pytest.mark.parametrize(
    "form", ["genes.csv", "text.csv", "choices.csv", "genes.parquet", "choices.parquet", "genes.npz"]
)
def test_every_form_of_table_gives_the_same_columns(form: str, tmp_path: Path) -> None:
    space = load_space(CELLS)
    assert isinstance(space, Edges)
    genes, accuracy = _rows(space)
    order = np.random.default_rng(0).permutation(27)
    how, path = form.split(".")[0], tmp_path / form
    columns: dict[str, Sequence[object]] = {"architecture": [genes[k] for k in order]}
    if how == "text":
        columns = {"architecture": [f"cells/{genes[k]}" for k in order]}
    if how == "choices":
        named = np.array(space.ops)[space.enumerate().genes[order]]
        columns = {choice.path: named[:, g].tolist() for g, choice in enumerate(space.choices)}
    columns |= {
        "accuracy": [accuracy[k] for k in order],
        "remark": ["fine"] * 27,
        "loss": [-accuracy[k] for k in order],
    }
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: np.array(column) for name, column in columns.items()})
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    data = load(space, path)
    assert data.space == space
    assert data.metrics["accuracy"].tolist() == accuracy
    assert set(data.truth) == {"loss"}
    check_evaluator(data, data.space)


def test_a_registered_space_takes_a_table_of_ones_own(tmp_path: Path) -> None:
    official = NASBench201().format(NASBench201().at([6111, 7]))
    data = load("nasbench201", write(tmp_path, "architecture,accuracy", f"{official[0]},91.5", f"{official[1]},80"))
    assert data.space.size == 2
    assert data.many(NASBench201().at([7, 6111]), [0, 0])["accuracy"].tolist() == [80.0, 91.5]


def test_small_is_good_where_a_metric_is_minimised(tmp_path: Path) -> None:
    table = write(tmp_path, "architecture,loss,latency", "0-0-0,3.5,1", "2-2-2,0.5,9", "1-1-1,1.5,4")
    data = load(CELLS, table, "loss", maximize=False, known=["latency"])
    assert data.metrics["negative_loss"].tolist() == [-3.5, -0.5, -1.5]
    with Study(None, data.space, "random", data, maximize="negative_loss", limits={"latency": 5}) as study:
        study.run(3)
        assert [trial.metrics["negative_loss"] for trial in study.best(3)] == [-1.5, -3.5]


def test_columns_with_a_budget_are_cheap_evaluations(tmp_path: Path) -> None:
    header = "architecture,loss,loss@4,loss@12,seconds,seconds@4,seconds@12,other@4"
    lines = ("0-0-0,3,6,4,90,1,2,5", "2-2-2,0.5,,2,90,1,,5", "1-1-1,1,3,2.5,90,1,2,5")
    data = load(CELLS, write(tmp_path, header, *lines), "loss", maximize=False)
    archs = data.space.enumerate()
    assert data.budgets == (4, 12)
    assert set(data.metrics) == {"negative_loss", "seconds"}
    told = data.many(archs, [0, 0, 0], 12)
    assert {name: column.tolist() for name, column in told.items()} == {"negative_loss": [-4, -2, -2.5]}
    told = data.many(archs[[0, 2]], [0, 0], 4)
    assert {name: column.tolist() for name, column in told.items()} == {"negative_loss": [-6, -3], "seconds": [1, 1]}
    assert set(data.truth) == {"seconds@12", "other@4"}  # one with gaps is no clock, one of another metric no result


# ---- a part of a space ---------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["random", "evolution", "tiers"])
def test_every_strategy_stays_inside_what_is_recorded(strategy: str, tmp_path: Path) -> None:
    """600 of 15,625 cells, labelled by what they cost."""
    space = NASBench201()
    some = space.at(np.random.default_rng(0).permutation(15_625)[:600])
    lines = [f"{arch.gene_text},{value}" for arch, value in zip(some, np.log(space.totals(some)[:, 0]), strict=True)]
    data = load(space, write(tmp_path, "architecture,accuracy", *lines))
    with Study(None, data.space, strategy, data) as study:
        study.run(60)
        trials = study.trials()
        assert [trial.state for trial in trials] == ["done"] * 60
        assert some.isin(Architectures.of([trial.arch for trial in trials], space)).sum() == 60
        if strategy != "random":
            assert study.best()[0].metrics["accuracy"] >= np.quantile(data.metrics["accuracy"], 0.98)


def test_a_row_without_the_metric_is_not_recorded(tmp_path: Path) -> None:
    data = load(CELLS, write(tmp_path, "architecture,accuracy", "0-0-1,3", "2-2-2,", "1-1-1,nan", "2-0-2,7"))
    assert [arch.gene_text for arch in data.space.enumerate()] == ["0-0-1", "2-0-2"]
    with pytest.raises(BadArchitecture, match="not in the table"):
        data.many(load_space(CELLS).enumerate()[[26]], [0])


def test_a_table_that_must_be_complete_names_what_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "architecture,accuracy", "0-0-0,1", "0-0-2,2")
    with pytest.raises(BadTable, match="25 of 27 architectures are missing") as caught:
        load(CELLS, path, complete=True)
    assert caught.value.rows == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_the_recorded_part_conforms() -> None:
    space = NASBench201()
    some = Subset(space, space.at(np.random.default_rng(1).permutation(15_625)[:2000]))
    check_space(some)
    cells = load_space(CELLS)
    check_space(Subset(cells, cells.enumerate()[np.arange(0, 27, 2)]))
    assert some != Subset(space, space.at(np.arange(2000)))
    assert some.totals(some.enumerate()).tolist() == space.totals(some.enumerate()).tolist()


def test_a_child_in_a_sparse_part_is_one_of_the_nearest_members() -> None:
    space = NASBench201()
    some = Subset(space, space.at(np.random.default_rng(2).permutation(15_625)[:30]))
    parents = some.enumerate()
    alone = np.setdiff1d(np.arange(30), some.neighbours(parents)[1])
    child = some.mutate(parents, np.random.default_rng(0))
    changed = (child.genes != parents.genes).sum(1)
    distance = (parents.genes[:, None] != parents.genes).sum(2)
    np.fill_diagonal(distance, 9)
    assert len(alone) == 3
    assert changed.min() > 0
    assert (changed == distance.min(1))[alone].all()


def test_an_impossible_part_is_refused() -> None:
    space = NASBench201()
    with pytest.raises(BadSetting, match="each once"):
        Subset(space, space.at([3, 3]))
    with pytest.raises(BadSetting, match="one architecture or more"):
        Subset(space, space.at(np.array([], dtype=np.int64)))
    with pytest.raises(BadArchitecture, match="not in"):
        Subset(space.narrow("cell/0-1", ["none"]), space.enumerate())


# ---- broken tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "lines", "said", "rows"),
    [
        ("architecture,accuracy", ["0-0-0,1", "0-0-1,2", "0-0-0,3"], "stand there twice", [4]),
        ("architecture,accuracy", ["0-0-0,1", "0-0-9,2", "cat,3"], "no architecture of cells", [3, 4]),
        ("architecture,accuracy", ["0-0-0,1", ",2"], "no architecture of cells", [3]),
        ("architecture,accuracy", ["0-0-0,good", "0-0-1,2", "0-1-1,inf"], "no finite number", [2, 4]),
        ("architecture,accuracy,loss", ["0-0-0,1,2", "0-0-1,2,x"], "column 'loss' holds what is no finite", [3]),
        ("architecture,accuracy", ["0-0-0,1,5", "0-0-1,2"], "without exactly 2 fields", [2]),
        ("architecture,accuracy", ["0-0-0,", "0-0-1,"], "no number in the column 'accuracy'", []),
        ("architecture,accuracy", [], "has no rows", []),
        ("architecture,score", ["0-0-0,1"], "no column 'accuracy'; there is: architecture, score", []),
        ("cell,accuracy", ["0-0-0,1"], "no column for the choices cell/0-1, cell/0-2, cell/1-2", []),
        ("architecture,accuracy,accuracy", ["0-0-0,1,1"], "two columns of one name", []),
        ("cell/0-1,cell/0-2,cell/1-2,accuracy", ["none,none,cnv,1"], "holds 'cnv'; allowed: none, skip, conv", [2]),
        ("cell/0-1,cell/0-2,cell/1-2,accuracy", ["conv,none,,1"], "that the network depends on", [2]),
    ],
)
def test_a_broken_table_is_refused_with_its_rows(
    header: str, lines: list[str], said: str, rows: list[int], tmp_path: Path
) -> None:
    with pytest.raises(BadTable, match=said) as caught:
        load(CELLS, write(tmp_path, header, *lines))
    assert caught.value.rows == rows
    assert "results.csv" in str(caught.value)


def test_of_many_broken_rows_ten_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r"rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, \.\.\.") as caught:
        load(CELLS, write(tmp_path, "architecture,accuracy", *["what,1"] * 20))
    assert len(caught.value.rows) == 10


@pytest.mark.parametrize("name", ["none.csv", "results.txt", "broken.parquet", "broken.npz", "binary.csv"])
def test_an_unreadable_file_is_named(name: str, tmp_path: Path) -> None:
    if name != "none.csv":
        (tmp_path / name).write_bytes(b"\x93\xff not a table \x00")
    with pytest.raises(BadTable, match=name):
        load(CELLS, tmp_path / name)


def test_arrays_with_python_objects_are_not_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", architecture=np.array(["0-0-0", None], dtype=object), accuracy=np.array([1.0, 2.0]))
    with pytest.raises(BadTable, match="Python objects"):
        load(CELLS, tmp_path / "o.npz")


def test_the_network_of_an_equal_cell_is_looked_up() -> None:
    """A cell that is not recorded but is the very same network as one that is."""
    cells = load_space(CELLS)
    recorded = Architectures.of([Architecture("cells", (0, 2, 0)), Architecture("cells", (2, 2, 2))], cells)
    part = Subset(cells, recorded)
    same = Architectures.of([Architecture("cells", (1, 0, 2)), Architecture("cells", (0, 0, 0))], cells)
    assert part.index(same).tolist() == [0, -1]
