"""Cheap evaluations in a study: they are trials with a budget, in the file and in every view, and never labels."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Cli, cli  # noqa: F401  a fixture
from tests.evaluators import score
from tierwise import Study, make
from tierwise.architecture import Architecture
from tierwise.cli import export
from tierwise.history import DONE, History, Proposal
from tierwise.job import Job
from tierwise.report import write_report

CHEAP = 1000.0  # what a cheap evaluation gives, better than any full one


@dataclass(frozen=True)
class Screening:
    """Twelve cheap ones, then full ones, those with a cheap result by turns with others."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        if len(history.cheap(12)) < 12:
            return [Proposal(arch, {"strategy": "screen"}, 12) for arch in history.sample(n, rng, 12)]
        seen = history.cheap(12).archs
        found = [*seen[np.flatnonzero(history.fresh(seen))][: n // 2], *history.sample(n - n // 2, rng)]
        return [Proposal(arch, {"strategy": "full"}) for arch in found]


def measured(arch: Architecture, job: Job) -> dict[str, float]:
    return {"accuracy": CHEAP + job.budget if job.budget else score(arch)["accuracy"], "seconds": job.budget or 200.0}


def screened(path: Path | None) -> Study:
    return Study(path, "nasbench201", Screening(), measured)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    with screened(tmp_path / "cheap.db") as made:
        made.run(40, batch=4)
    return screened(tmp_path / "cheap.db")  # read from the file


def test_the_file_keeps_the_budget_of_every_trial(study: Study):
    budgets = [12] * 12 + [0] * 28
    assert [t.budget for t in study.trials()] == study.history().budget.tolist() == budgets
    assert [t.metrics["seconds"] for t in study.trials()] == [12.0] * 12 + [200.0] * 28
    assert study.seconds == 12 * 12 + 28 * 200
    with screened(None) as straight:
        straight.run(40, batch=4)
        assert [(t.arch, t.budget, dict(t.metrics)) for t in straight.trials()] == [
            (t.arch, t.budget, dict(t.metrics)) for t in study.trials()
        ]


def test_a_network_may_have_a_cheap_and_a_full_result_but_each_once(study: Study):
    history = study.history()
    cheap, full = history.cheap(12), history.done
    assert (history.state == DONE).all()
    assert len(full) == 28
    assert np.isin(cheap.canon, full.canon).any()
    assert not history.fresh(cheap.archs, 12).any()
    assert not history.fresh(full.archs, 12).any()  # what is known in full is nothing that a cheap one could tell of
    fresh = history.fresh(cheap.archs)
    np.testing.assert_array_equal(fresh, ~np.isin(cheap.canon, full.canon))


def test_the_best_and_every_reason_to_stop_see_full_results_only(study: Study):
    assert all(t.budget == 0 for t in study.best(100))
    assert len(study.best(100)) == 28
    assert study.best()[0].metrics["accuracy"] < CHEAP
    assert repr(study).endswith("of nasbench201, best accuracy " + f"{study.best()[0].metrics['accuracy']:.4g}>")
    with screened(None) as other:
        assert other.run(20, target=CHEAP) == {"trials": 20}
        assert other.run(40, patience=40) == {"trials": 40}


def written(study: Study, path: Path) -> Sequence[dict[str, Any]]:
    export.write(study, path)
    if path.suffix == ".json":
        return json.loads(path.read_text())["trials"]
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_an_export_says_the_budget(study: Study, tmp_path: Path, suffix: str):
    rows = written(study, tmp_path / f"trials{suffix}")
    assert [int(row["budget"]) for row in rows] == [t.budget for t in study.trials()]


def test_a_report_counts_and_shows_full_results(study: Study, tmp_path: Path):
    page = write_report(study, None, tmp_path / "page.html", predictor=make("predictor", "forest"))
    text = re.sub(r"<[^>]+>", " ", page.read_text())
    assert re.search(r"Labels used\s+28\b", text)
    assert re.search(rf"Best accuracy found\s+{study.best()[0].metrics['accuracy']:.2f}\s%", text)
    assert len(re.findall(r"1012\.00\s%, budget 12", text)) == 12


def test_the_command_shows_full_results(cli: Cli, study: Study):  # noqa: F811
    best = study.best()[0].metrics["accuracy"]
    _, out, _ = cli("ls", study.path.parent)
    row = next(line for line in out.splitlines() if "cheap.db" in line).split()
    assert row[2:4] == ["28", f"{best:.3f}"]
    _, out, _ = cli("show", study.path)
    assert len(re.findall(r"done, budget 12 +1012", out)) == 12
    assert "12" in next(line for line in cli("show", study.path, 3)[1].splitlines() if "budget" in line)
