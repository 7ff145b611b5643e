"""``tierwise run`` that begins from what is known, and that stops by itself."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tierwise import make

Cli = Callable[..., tuple[int, str, str]]
RANDOM = ("run", "--strategy", "random", "--no-report")


@pytest.fixture
def earlier(cli: Cli) -> Path:
    path = Path("runs/earlier.db")
    assert cli(*RANDOM, "--trials", 20, "--study", path)[0] == 0
    return path


def test_known_results_of_a_study_and_of_its_export(cli: Cli, earlier: Path):
    line = (*RANDOM, "--seed", 1, "--study", "runs/b.db", "--known", earlier, "--trials", 25)
    code, out, _ = cli(*line)
    assert code == 0
    assert "20 of 20 results of runs/earlier.db are new here" in out
    assert "25 evaluations, of which 20 were known (runs/earlier.db);" in out
    assert "0 of 20 results" in cli(*line)[1]
    assert "25 evaluations, of which 20 were known (runs/earlier.db)" in cli("show", "runs/b.db")[1]
    assert cli("export", earlier, "earlier.csv")[0] == 0
    code, out, _ = cli(*RANDOM, "--study", "runs/c.db", "--known", "earlier.csv", "--trials", 22)
    assert "22 evaluations, of which 20 were known (earlier.csv)" in out


def test_the_same_task_said_otherwise_is_the_same_task(cli: Cli, earlier: Path):
    line = (*RANDOM, "nasbench201", "--dataset", "cifar10", "--label", "validation", "--study", "runs/b.db")
    assert "20 of 20" in cli(*line, "--known", earlier, "--trials", 21)[1]


def test_prior_labels_are_learnt_from_and_counted(cli: Cli, earlier: Path):
    line = ("run", "--dataset", "cifar100", "--prior", earlier, "--trials", 8, "--study", "runs/d.db", "--no-report")
    code, out, err = cli(*line)
    assert code == 0, err
    assert "8 evaluations; 20 prior labels of runs/earlier.db;" in out
    assert cli(*line)[0] == 0
    again = tuple(word for word in line if word not in ("--prior", earlier))
    assert "20 prior labels" in cli(*again)[1]  # they are in the study
    shown = cli("show", "runs/d.db")[1]
    assert "20 prior labels of runs/earlier.db" in shown
    assert "genes'" not in shown
    Path("few.csv").write_text("architecture,accuracy\n3-3-3-1-3-2,70\n")
    code, _, err = cli(*again, "--prior", "few.csv")
    assert code == 2
    assert "the same prior" in err


def test_labels_of_the_wrong_task_or_strategy_are_refused(cli: Cli, earlier: Path):
    for line, said in (
        ((*RANDOM, "--dataset", "cifar100", "--known", earlier), "or its labels as --prior"),
        ((*RANDOM, "--label", "test", "--known", earlier), ""),
        (("run", "--prior", earlier), "give it as --known"),
        ((*RANDOM, "--dataset", "cifar100", "--prior", earlier), "auto learns from both"),
        (("run", "nasbench-graph", "--prior", earlier), "give a study of nasbench-graph, or a file of results"),
        ((*RANDOM, "--known", "nothing.db"), "no such file"),
    ):
        code, _, err = cli(*line)
        assert code == 2
        assert said in " ".join(err.split())
        assert "Traceback" not in err
        assert [path.name for path in Path("runs").glob("*.db")] == ["earlier.db"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no rows"),
        ("architecture,acc\n3-3-3-1-3-2,1\n", "no column 'accuracy'; there is: architecture, acc"),
        ("cell,accuracy\n3-3-3-1-3-2,1\n", "no column 'architecture'"),
        ("architecture,accuracy\n3-3-3-1-3-2,1\n3-3-3-1-3-9,2\n", "gene cell/2-3 is 9, allowed 0 to 4 (rows 3)"),
        ("genes,accuracy\n3-3-3-1-3-2,1\n3-3-3-1-3-1,x\n", "column 'accuracy' holds what is no finite number (rows 3)"),
        ("genes,accuracy\n3-3-3-1-3-2,1\n3-3-3-1-3-2,2\n", "architectures that stand there twice (rows 3)"),
        ("genes,accuracy\n3-3-3-1-3-2,\n", "no number in the column 'accuracy'"),
        ("genes,accuracy,budget\n3-3-3-1-3-2,1,0\n3-3-3-1-3-1,2,12\n", "these are cheap evaluations"),
    ],
)
@pytest.mark.parametrize("option", ["--known", "--prior"])
def test_a_bad_file_names_file_column_and_line(cli: Cli, content: str, said: str, option: str):
    Path("labels.csv").write_text(content)
    code, _, err = cli("run", option, "labels.csv")
    assert code == 2
    assert "BadTable: labels.csv: " in err
    assert said in " ".join(err.split())
    assert not Path("runs").exists()


def test_genes_alone_and_gaps_are_read(cli: Cli):
    space = make("space", "nasbench201")
    with Path("labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["genes", "accuracy", "note"])
        for k, arch in enumerate(space.at(range(0, 15_000, 1_500))):
            writer.writerow([arch.gene_text, "" if k == 3 else 50 + k, "mine"])
    code, out, _ = cli(*RANDOM, "--known", "labels.csv", "--trials", 9, "--study", "a.db")
    assert code == 0
    assert "9 results of labels.csv" in out
    assert "59.000" in out


def test_patience_and_gain_stop_and_say_so(cli: Cli):
    code, out, _ = cli(*RANDOM, "--trials", 500, "--patience", 20, "--batch", 1, "--study", "a.db")
    assert code == 0
    assert "stopped: the last 20 full evaluations were no better than the best before" in out
    code, out, err = cli("run", "--trials", 60, "--gain", 5, "--study", "b.db", "--no-report")
    assert code == 0, err
    assert "is the most that the strategy expects of its next proposals, less than --gain" in out
    code, _, err = cli(*RANDOM, "--gain", 0.1, "--study", "c.db")
    assert code == 2
    assert "auto does" in err
