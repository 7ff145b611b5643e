"""A search for several goals from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tierwise.architecture import Architectures
from tierwise.benchmarks.nasbench201 import load

Cli = Callable[..., tuple[int, str, str]]
LINE = ("run", "--strategy", "nsga2", "--against", "latency", "--against", "params", "--no-report")


@pytest.fixture
def study(cli: Cli) -> Path:
    """A small finished study of three goals: too few labels to train a predictor of tiers on."""
    path = Path("runs/goals.db")
    code, out, _ = cli(*LINE, "--trials", 8, "--study", path)
    assert code == 0
    assert "front in accuracy, latency, params" in out
    return path


def test_the_front_is_exported_with_its_costs_and_shown(cli: Cli, study: Path) -> None:
    assert cli("export", study, "all.csv")[0] == cli("export", study, "all.json")[0] == 0
    with Path("all.csv").open() as file:
        rows = list(csv.DictReader(file))
    content = json.loads(Path("all.json").read_text())
    assert content["against"] == ["latency", "params"]
    assert [row["front"] for row in rows] == [trial["front"] for trial in content["trials"]]
    assert {row["front"] for row in rows} == {"yes", "no"}
    goals = [(float(row["accuracy"]), -float(row["latency"]), -float(row["params"])) for row in rows]
    for row, goal in zip(rows, goals, strict=True):
        beaten = any(other != goal and all(map(lambda a, b: a >= b, other, goal)) for other in goals)
        assert row["front"] == ("no" if beaten else "yes")
    table = load()
    cell = table.space.index(Architectures.of([table.space.parse(rows[0]["architecture"])], table.space))
    assert float(rows[0]["latency"]) == pytest.approx(float(table.known_columns["latency"][cell][0]))

    _, out, _ = cli("best", study, "-k", 50)
    shown = [line for line in out.splitlines() if line.startswith("│")]
    front = sorted((row for row in rows if row["front"] == "yes"), key=lambda row: -float(row["accuracy"]))
    assert len(shown) == len(front)
    for line, row in zip(shown, front, strict=True):
        assert f"{float(row['accuracy']):.3f}" in line
        assert f"{float(row['latency']):,.6g}" in line
        assert f"{float(row['params']):,.6g}" in line
    assert "highest accuracy:" in out
    assert len([line for line in cli("best", study, "-k", 2)[1].splitlines() if line.startswith("│")]) == 2


def test_the_same_line_goes_on_and_another_goal_is_refused(cli: Cli, study: Path) -> None:
    assert "9 evaluations are done" in cli(*LINE, "--trials", 9, "--study", study)[1]
    code, _, err = cli("run", "--strategy", "nsga2", "--trials", 9, "--study", study, "--no-report")
    assert code == 2
    assert "against" in err


def test_an_unknown_cost_is_one_line_that_helps(cli: Cli) -> None:
    code, _, err = cli("run", "--against", "weight")
    assert code == 2
    assert 'no encoding "weight"' in err


def test_a_study_of_one_goal_has_no_such_columns(cli: Cli) -> None:
    assert cli("run", "--strategy", "random", "--trials", 5, "--study", "one.db", "--no-report")[0] == 0
    assert cli("export", "one.db", "one.csv")[0] == 0
    assert "front" not in Path("one.csv").read_text().splitlines()[0]
    assert "the best:" in cli("best", "one.db")[1]
