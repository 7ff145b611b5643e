"""Shrinking from the command: what is shown, what is saved, and the search inside it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tierwise import Study, load_space, make
from tierwise.architecture import Architecture
from tierwise.shrinking import WAYS
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.study import open_study

Cli = Callable[..., tuple[int, str, str]]
GP = ("--predictor", "gp")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As 'tierwise run --strategy random --trials 40' leaves it."""
    path = tmp_path_factory.mktemp("runs") / "random.db"
    data = make("benchmark", "nasbench201")
    with Study(path, data.space, "random", data, notes={"benchmark": {"name": "nasbench201"}}) as search:
        search.run(40)
    return path


@pytest.mark.parametrize("by", WAYS)
def test_shrink_save_and_search(cli: Cli, study: Path, by: str):
    code, out, err = cli("shrink", study, "--by", by, *GP, "--out", "small.toml")
    assert (code, err) == (0, "")
    space = load_space("small.toml")
    accuracy = make("benchmark", "nasbench201").expected("accuracy")
    kept = NASBench201().index(space.enumerate())
    assert f"15,625 │ {space.size:,} (" in " ".join(out.split())
    assert f"{accuracy.mean():.3f} │ {accuracy[kept].mean():.3f}" in " ".join(out.split())
    assert f"1 │ {1 + (accuracy > accuracy[kept].max()).sum()}" in " ".join(out.split())
    assert "still there" in out
    assert "locality" in out
    assert ("cell/" in out) == (by != "lissnas")

    line = ("run", "nasbench201", "--space", "small.toml", "--strategy", "evolution", "--trials", 8, "--no-report")
    code, out, _ = cli(*line)
    assert code == 0
    inside = Path("runs/nasbench201-cifar10-small-evolution-0.db")
    assert str(inside) in out
    assert "8 evaluations are done" in out
    genes = [row.genes for row in open_study(inside)[1]]
    assert all(Architecture.parse(f"nasbench201/{text}") in space for text in genes)
    assert cli(*line)[1].startswith("stopped: 8 evaluations are done")  # goes on after it was opened again
    code, out, _ = cli("best", inside, "-k", 2)
    assert code == 0
    assert f"among all {space.size:,}" in out


def test_a_smaller_space_is_shrunk_again(cli: Cli, study: Path):
    cli("shrink", study, *GP, "--out", "small.toml")
    notes = {"benchmark": {"name": "nasbench201", "space": str(Path("small.toml").resolve())}}
    inside = make("benchmark", "nasbench201").within(load_space("small.toml"), "small")
    with Study("second.db", inside.space, "random", inside, notes=notes) as search:
        search.run(25)
    code, _, _ = cli("shrink", "second.db", *GP, "--keep", 0.3, "--out", "smaller.toml")
    assert code == 0
    small, smaller = load_space("small.toml"), load_space("smaller.toml")
    assert smaller.size < small.size
    assert small.contains(smaller.enumerate()).all()
    assert 'base = "nasbench201"' in Path("smaller.toml").read_text()


def test_a_study_of_ones_own_table(cli: Cli):
    Path("mine.toml").write_text('kind = "edges"\nnodes = 4\nops = ["none", "skip", "conv"]\n')
    space = load_space("mine.toml")
    lines = [f"{arch.gene_text},{arch.genes.count(2) + arch.genes[0]}" for arch in space.enumerate()]
    Path("results.csv").write_text("\n".join(["architecture,accuracy", *lines, ""]))
    given = {name: str(Path(file).resolve()) for name, file in (("space", "mine.toml"), ("table", "results.csv"))}
    data = make("benchmark", "own", **given)
    with Study("mine.db", data.space, "random", data, notes={"benchmark": {"name": "own", **given}}) as search:
        search.run(30)
    code, out, _ = cli("shrink", "mine.db", *GP, "--out", "small.toml")
    assert code == 0
    assert "729 │" in out
    assert 'base = "mine.toml"' in Path("small.toml").read_text()
    code, out, _ = cli("run", "--space", "small.toml", "--table", "results.csv", "--strategy", "random", "--trials", 5)
    assert code == 0
    assert "runs/own-results-small-random-0.db" in out
    assert load_space("small.toml").size < 729


def test_a_saved_predictor_ranks_a_smaller_space(cli: Cli, study: Path):
    cli("shrink", study, *GP, "--out", "small.toml")
    cli("rank", study, *GP, "--save", "gp.npz")
    code, out, _ = cli("rank", "--model", "gp.npz", "--space", "small.toml", "--csv", "small.csv", "-k", 3)
    assert code == 0
    space = load_space("small.toml")
    assert f"best 3 of {space.size:,}" in out
    with Path("small.csv").open() as file:
        assert len(list(csv.DictReader(file))) == space.size


def test_bad_input_is_one_line_that_helps(cli: Cli, study: Path):
    Path("other.toml").write_text('kind = "part"\nbase = "nasbench101"\n')
    Path("broken.toml").write_text('kind = "part"\nbase = "nasbench201"\n[allowed]\n"cell/0-1" = ["nine"]\n')
    for arguments, said in (
        (("shrink", study, "--by", "tier"), 'did you mean "tiers"?'),
        (("shrink", study, "--keep", 2, *GP), "more than 0 and up to 1.0"),
        (("shrink", study, "--predictor", "gpp"), 'did you mean "gp"?'),
        (("shrink", "nothing.db"), "no such file"),
        (("shrink", study, *GP, "--out", "nowhere/small.toml"), "a path that can be written"),
        (("run", "nasbench201", "--space", "other.toml"), "a part of <space nasbench201: 15,625 architectures>"),
        (("run", "nasbench201", "--space", "nothing.toml"), "a readable TOML or JSON file"),
        (("run", "nasbench201", "--space", "nasbench21"), 'did you mean "nasbench201"?'),
        (("run", "nasbench201", "--space", "broken.toml"), 'no option of cell/0-1 in broken.toml "nine"'),
    ):
        code, _, err = cli(*arguments)
        assert code == 2, arguments
        assert said in " ".join(err.split()), arguments
        assert "Traceback" not in err


def test_a_study_of_few_labels_is_refused(cli: Cli):
    cli("run", "--strategy", "random", "--trials", 9, "--study", "few.db", "--no-report")
    code, _, err = cli("shrink", "few.db")
    assert code == 2
    assert "at least 10 labelled architectures" in err


def test_help_has_an_example(cli: Cli):
    code, out, _ = cli("shrink", "--help")
    assert code == 0
    assert "Example" in out
    assert "tierwise shrink" in out
