"""The front of a study of several goals in its report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.test_report import forest, read
from tierwise.benchmarks.nasbench201 import load
from tierwise.benchmarks.table import Table
from tierwise.report import write_report
from tierwise.report.facts import gather
from tierwise.report.front import the_front
from tierwise.strategies.nsga2 import NSGA2
from tierwise.strategies.random import Random
from tierwise.study import Study

NOTES = {"benchmark": {"name": "nasbench201"}}


@pytest.fixture(scope="module")
def searched() -> Study:
    table = load()
    study = Study(None, table.space, NSGA2(), table, against=("latency", "params"), notes=NOTES)
    study.run(40)
    return study


def test_a_plot_for_each_cost_and_the_front_as_a_table(tmp_path: Path, searched: Study) -> None:
    path = write_report(searched, load(), tmp_path / "r.html", predictor=forest())
    page, source = read(path), path.read_text()
    front = searched.front()
    assert "Validation accuracy against latency and Parameters: the front" in page.text
    assert f"The front: {len(front)} of 40 finished trials" in page.text
    assert page.tags["svg"] == 6 + 4 + 2
    rows = re.findall(r"<tr>(.*?)</tr>", source.partition("the front</h2>")[2].partition("</section>")[0], re.DOTALL)
    assert len(rows) == 1 + len(front)
    for trial, row in zip(front, rows[1:], strict=True):
        cells = re.findall(r"<td>(.*?)</td>", row)
        latency, params = (searched.cost(name, searched.history().archs)[trial.id - 1] for name in searched.against)
        assert cells[1] == str(trial.id)
        assert cells[2] == f"{trial.metrics['accuracy']:.2f}\N{NO-BREAK SPACE}%"
        assert cells[3:] == [f"{latency:,.4g}", f"{params / 1e6:.3f} M"]
    assert sum("<td>knee</td>" in row for row in rows) == 1
    assert "--against latency --against params" in page.text
    assert "Against latency, params" in page.text


def section(study: Study, table: Table) -> str:
    """The section alone, which is quick."""
    return the_front(gather(study, table, forest()))


def test_the_knee_is_no_result_that_is_cheap_because_it_does_not_work(searched: Study) -> None:
    knee = re.search(r"<td>knee</td><td>(\d+)</td>", section(searched, load()))[1]
    y = searched.history().y
    assert y[int(knee) - 1] >= np.median(y)


def test_a_study_of_one_goal_has_no_front() -> None:
    table = load()
    study = Study(None, table.space, Random(), table)
    study.run(12)
    assert section(study, table) == ""


def test_costs_that_some_architectures_lack() -> None:
    table = load()
    column = table.known_columns["latency"].copy()
    column[::2] = np.nan
    holed = Table(table.name, table.space, table.metrics, {"latency": column}, table.truth)
    study = Study(None, table.space, Random(), holed, against=("latency",))
    assert section(study, holed) == ""
    study.run(20)
    shown = section(study, holed)
    assert f"The front: {len(study.front())} of 20 finished trials" in shown
    assert "nan" not in shown.lower()
