"""The command as a person uses it: every call through the real entry point."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tierwise import make
from tierwise.cli import ranking

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def study(cli: Cli) -> Path:
    """A small finished study of evolution."""
    path = Path("runs/small.db")
    code, out, _ = cli("run", "--strategy", "evolution", "--trials", 40, "--study", path, "--no-report")
    assert code == 0
    assert "40 evaluations are done" in out
    assert "40 evaluations; " in out
    return path


def test_the_same_line_goes_on_and_then_does_nothing(cli: Cli, study: Path):
    before = study.read_bytes()
    code, out, _ = cli("run", "--strategy", "evolution", "--trials", 40, "--study", study, "--no-report")
    assert code == 0
    assert "40 evaluations are done" in out
    assert study.read_bytes() == before
    code, out, _ = cli("run", "--strategy", "evolution", "--trials", 55, "--study", study, "--no-report")
    assert "55 evaluations are done" in out


def test_the_main_job_writes_a_report(cli: Cli):
    code, out, _ = cli("run", "--trials", 40)
    assert code == 0
    page = Path("runs/nasbench201-cifar10-auto-0.html")
    assert str(page) in out
    assert "tier" in page.read_text()


def test_ls_lists_studies_and_says_what_is_none(cli: Cli, study: Path):
    (study.parent / "broken.db").write_bytes(b"not a database, but long enough to be looked at" * 10)
    code, out, _ = cli("ls")
    assert code == 0
    assert "small.db" in out
    assert "nasbench201" in out
    assert "skipped" in out
    assert "broken.db" in out
    assert cli("ls", "nowhere")[0] == 2


def test_show_a_study_and_a_trial(cli: Cli, study: Path):
    _, out, _ = cli("show", study)
    assert "evolution" in out.lower()
    assert len([line for line in out.splitlines() if "done" in line]) == 40
    _, out, _ = cli("show", study, 30)
    assert "parent" in out
    code, _, err = cli("show", study, 41)
    assert code == 2
    assert "1 to 40" in err


def test_best_shows_the_best_first(cli: Cli, study: Path):
    with sqlite3.connect(study) as db:
        values = [json.loads(m)["accuracy"] for (m,) in db.execute("SELECT metrics FROM trial")]
    db.close()
    _, out, _ = cli("best", study, "-k", 3)
    shown = [line for line in out.splitlines() if line.startswith("│")]
    assert len(shown) == 3
    assert f"{max(values):.3f}" in shown[0]
    assert "ranks are among all 15,625" in out
    assert "|+|" in out


def test_rank_a_space_and_a_list_with_a_saved_predictor(cli: Cli, study: Path):
    code, out, _ = cli("rank", study, "--csv", "all.csv", "--save", "auto.npz", "-k", 4)
    assert code == 0
    assert "best 4 of 15,625" in out
    with Path("all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15_625
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    Path("cells.txt").write_text(f"# two cells\n{rows[100]['architecture']}\n\n{rows[3]['architecture']}\n")
    code, out, _ = cli("rank", "--model", "auto.npz", "--list", "cells.txt")
    assert code == 0
    assert out.index(rows[3]["architecture"]) < out.index(rows[100]["architecture"])


def test_rank_learns_from_inputs_and_the_saved_predictor_finds_them_from_elsewhere(cli: Cli, study: Path):
    space = make("space", "nasbench201")
    cells = space.enumerate()
    worth = 3.0 * (cells.genes == 3).sum(1) + (cells.genes == 2).sum(1)
    rows = zip(space.format(cells), worth, strict=True)
    Path("worth.csv").write_text("architecture,worth\n" + "".join(f"{text},{value}\n" for text, value in rows))
    line = ("--predictor", "forest", "--input", "columns:worth.csv", "--csv", "with.csv", "--save", "forest.npz")
    code, out, _ = cli("rank", study, *line)
    assert code == 0
    assert "reads: paths, flops, params, columns:" in out
    assert cli("rank", study, "--predictor", "forest", "--csv", "without.csv")[0] == 0
    assert Path("with.csv").read_text() != Path("without.csv").read_text()
    Path("elsewhere").mkdir()
    with contextlib.chdir("elsewhere"):
        assert cli("rank", "--model", "../forest.npz", "--csv", "again.csv")[0] == 0
    assert Path("elsewhere/again.csv").read_text() == Path("with.csv").read_text()


def test_the_tier_that_is_shown_has_the_chance_that_is_shown():
    space = make("space", "nasbench201")
    cells = space.at(range(0, space.size, 250))
    noise = np.random.default_rng(0).normal(0.0, 2.0, len(cells))
    fitted = make("predictor", "auto").fit(cells, (cells.genes == 3).sum(1) + noise)
    ranked = ranking.rank(fitted, cells)
    chances = fitted.predict_tier_proba(ranked.archs)
    assert (np.diff(ranked.tier) >= 0).all()
    assert np.allclose(ranked.chance, chances[np.arange(len(cells)), ranked.tier], atol=1e-3)
    assert (ranked.chance < chances.max(1) - 0.01).any(), "of no cell another tier is the most likely one"


@pytest.mark.parametrize("name", ["trials.csv", "trials.json", "best.svg"])
def test_export(cli: Cli, study: Path, name: str):
    code, _, _ = cli("export", study, name)
    assert code == 0
    text = Path(name).read_text()
    if name.endswith(".csv"):
        assert len(list(csv.DictReader(text.splitlines()))) == 40
    elif name.endswith(".json"):
        assert len(json.loads(text)["trials"]) == 40
    else:
        assert ET.fromstring(text).tag.endswith("svg")


def test_any_architecture_is_exported_by_its_text(cli: Cli, study: Path):
    code, _, _ = cli("export", study, "one.dot", "--architecture", "nasbench201/0-1-2-3-4-0")
    assert code == 0
    text = Path("one.dot").read_text()
    assert text.startswith('digraph "nasbench201/0-1-2-3-4-0"')
    assert text.count("avg_pool_3x3") == 1
    assert cli("export", study, "two.dot", "--architecture", "nasbench201/0-1-2")[0] == 2
    assert not Path("two.dot").exists()


def test_report_of_a_study(cli: Cli, study: Path):
    code, out, _ = cli("report", study, "--out", "page.html")
    assert code == 0
    assert "page.html" in out
    assert Path("page.html").read_text().startswith("<!DOCTYPE html>")


def test_plugins_lists_every_kind(cli: Cli):
    _, out, _ = cli("plugins")
    for name in ("nasbench201", "tiers", "evolution", "tier", "nar", "onehot", "inline", "local"):
        assert name in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nasbnch201"], 'did you mean "nasbench201"?'),
        (["run", "--strategy", "evolutoin"], 'did you mean "evolution"?'),
        (["run", "--dataset", "cifar11"], "cifar10"),
        (["run", "--label", "7"], "validation or test"),
        (["run", "--trials", "0"], "1 or more"),
        (["run", "--trials", "-5"], "1 or more"),
        (["run", "--seconds", "0"], "more than 0"),
        (["run", "--limit", "params"], "NAME=VALUE"),
        (["run", "--limit", "params=a:b"], "NAME=MOST"),
        (["run", "--limit", "weight=3"], 'no encoding "weight"'),
        (["run", "--option", "population=1", "--strategy", "evolution"], "population of 2 or more"),
        (["run", "--option", "colour=1", "--strategy", "evolution"], "colour"),
        (["run", "--truth", "nothing.npz"], "no such file"),
        (["run", "--executor", "cloud"], 'no executor "cloud"'),
        (["best", "nothing.db"], "no such file"),
        (["report", "nothing.db"], "no such file"),
        (["rank"], "a study to learn from"),
        (["rank", "--model", "nothing.npz"], "no such file"),
        (["rank", "--model", "nothing.npz", "--input", "flops"], "none with --model"),
    ],
)
def test_bad_input_is_one_line_that_helps(cli: Cli, arguments: list[str], said: str):
    code, _, err = cli(*arguments)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_a_bad_list_names_the_line(cli: Cli, study: Path):
    Path("cells.txt").write_text("0\n|nor_conv_3x3~0|+|oops~0|none~1|+|none~0|none~1|none~2|\n")
    code, _, err = cli("rank", study, "--list", "cells.txt")
    assert code == 2
    assert "line 2" in err
    assert "oops" in err


def test_bad_inputs_are_one_line_that_helps(cli: Cli, study: Path):
    for predictor, given, said in (
        ("ctnas", "flops", "ctnas has neither"),
        ("forest", "columns:nothing.csv", "no such file"),
        ("auto", "colums:proxies.csv", 'did you mean "columns"?'),
    ):
        code, _, err = cli("rank", study, "--predictor", predictor, "--input", given)
        assert code == 2
        assert said in " ".join(err.split())


def test_nothing_is_left_of_a_failed_export(cli: Cli, study: Path):
    assert cli("export", study, "trials.txt")[0] == 2
    assert not list(Path().glob("trials*"))


@pytest.mark.parametrize(
    "command", ["run", "steer", "ls", "show", "best", "rank", "explain", "report", "export", "plugins"]
)
def test_help_has_an_example(cli: Cli, command: str):
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert "Example" in out
    assert f"tierwise {command}" in out
