"""The report: one well-formed page that loads nothing, says the right numbers, and lets no text be markup."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline

from tierwise import metrics
from tierwise.benchmarks.nasbench201 import load
from tierwise.benchmarks.table import Table
from tierwise.encodings.onehot import OneHot
from tierwise.errors import BadSetting
from tierwise.history import Prior
from tierwise.report import write_report
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.evolution import Evolution
from tierwise.strategies.random import Random
from tierwise.study import Study

VOID = {"meta", "br", "hr", "img", "input", "link"}
NOTES = {"benchmark": {"name": "nasbench201", "dataset": "cifar10", "label": "mean"}}


class Page(HTMLParser):
    """Reads a page, insisting on matching tags and unique ids; keeps its text and what it would load."""

    def __init__(self, source: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.words: list[str] = []
        self.loads: list[str] = []
        self.ids: Counter[str] = Counter()
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action") and not (value or "").startswith("#"):
                self.loads.append(value or "")
            if name == "id":
                self.ids[value or ""] += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def forest() -> Any:
    return make_pipeline(OneHot(), RandomForestRegressor(n_estimators=10, random_state=0))


def read(path: Path) -> Page:
    source = path.read_text(encoding="utf-8")
    page = Page(source)
    assert "http://" not in source
    assert "https://" not in source
    assert not re.search(r"@import|url\((?!#)", source)
    assert page.loads == []
    assert page.tags["script"] == 0
    assert max(page.ids.values(), default=1) == 1
    return page


@pytest.fixture(scope="module")
def table() -> Table:
    plain = load()
    made_up = plain.metrics["accuracy"] + np.random.default_rng(0).normal(0, 0.2, 15_625)
    return Table(plain.name, plain.space, plain.metrics, plain.known_columns, {**plain.truth, "test_accuracy": made_up})


@pytest.fixture(scope="module")
def searched(table: Table) -> Study:
    study = Study(None, table.space, Evolution(tournament=4), table, notes=NOTES, limits={"params": 1e6}, seed=3)
    study.run(60)
    return study


def test_the_numbers_of_a_search_on_the_benchmark(tmp_path: Path, searched: Study, table: Table) -> None:
    path = write_report(searched, table, tmp_path / "report.html", predictor=forest())
    assert path == tmp_path / "report.html"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    page = read(path)
    best, labels, test = searched.best()[0], table.metrics["accuracy"], table.truth["test_accuracy"]
    row = int(table.space.index(searched.history().best(1).archs)[0])
    rank = int(metrics.ranks(labels)[row])
    evaluated = test[table.space.index(searched.history().archs)]
    found = f"{best.metrics['accuracy']:.2f} %"
    assert f"60 evaluations found an architecture with validation accuracy {found}: number {rank:,} of" in page.text
    assert f"Random search needs {metrics.random_evaluations_needed(rank, 15_625):,} evaluations" in page.text
    assert f"Its test accuracy {test[row]:.2f} % number {metrics.ranks(test)[row]:,} of 15,625" in page.text
    assert f"Best test accuracy evaluated {evaluated.max():.2f} %" in page.text
    assert "oracle" in page.text
    assert f"Best validation accuracy there is {labels.max():.2f} %" in page.text
    assert f"{searched.seconds / 3600:,.1f} h" in page.text
    assert f"{metrics.noise_ceiling(labels, test):.3f}" in page.text
    assert f"{metrics.kendall_tau(table.known('params', table.space.enumerate()), labels):.3f}" in page.text
    assert table.space.format(searched.history().best(1).archs)[0] in page.text
    assert page.tags["article"] == 6
    assert page.tags["svg"] == 6 + 4
    assert "Real time" not in page.text  # nobody knows it of a study in memory


def test_the_line_that_reproduces_it(tmp_path: Path, searched: Study, table: Table) -> None:
    page = read(write_report(searched, table, tmp_path / "r.html", predictor=forest()))
    wanted = "--strategy evolution --option tournament=4 --limit params=1000000 --seed 3 --trials 60"
    assert f"tierwise run nasbench201 --dataset cifar10 --label mean {wanted}" in page.text
    assert "numpy " in page.text


def test_the_same_study_gives_the_same_page(tmp_path: Path, searched: Study, table: Table) -> None:
    first = write_report(searched, table, tmp_path / "a.html", predictor=forest()).read_bytes()
    assert first == write_report(searched, table, tmp_path / "b.html", predictor=forest()).read_bytes()


def test_without_test_accuracies_seeds_are_the_ceiling(tmp_path: Path) -> None:
    table = load()
    with Study(tmp_path / "s.db", table.space, Random(), table) as study:
        study.run(30)
        page = read(write_report(study, table, tmp_path / "r.html", predictor=forest()))
    ceiling = metrics.noise_ceiling(table.truth["seed0"], table.truth["seed1"])
    assert "one training seed against another" in page.text
    assert f"{ceiling:.3f}" in page.text
    assert "test accuracy" not in page.text
    assert "Real time" in page.text


def test_labels_that_some_cells_lack(tmp_path: Path) -> None:
    table = load(label="validation#2")
    study = Study(None, table.space, Random(), table)
    study.run(60)
    page = read(write_report(study, table, tmp_path / "r.html", predictor=forest()))
    assert f"of {int(np.isfinite(table.metrics['accuracy']).sum()):,}." in page.text
    assert "Failed trials" in page.text
    assert "nan" not in page.text.partition("All trials")[0].lower()


def test_ranks_of_a_narrowed_search_are_those_of_the_whole_table(tmp_path: Path, table: Table) -> None:
    space = table.space.narrow("cell/0-1", ["nor_conv_3x3", "skip_connect"])
    study = Study(None, space, Random(), table)
    study.run(20)
    page = read(write_report(study, table, tmp_path / "r.html", predictor=forest()))
    column = table.metrics["accuracy"]
    rank = 1 + int((column > study.best()[0].metrics["accuracy"]).sum())
    assert f"number {rank:,} of 15,625" in page.text
    assert "nasbench201 (narrowed)" in page.text


def hostile(arch: Any) -> dict[str, float]:
    if sum(arch.genes) % 5 == 0:
        raise ValueError("<img src=x onerror=alert(1)> & more")
    return {"reward": float(sum(arch.genes))}


def test_an_own_function_and_hostile_texts(tmp_path: Path) -> None:
    space = Edges("<b>mine</b>", 3, ("none", "<script>alert(1)</script>", "a&b", "conv"), identity="")
    study = Study(None, space, Random(), hostile, maximize="reward", notes={"<i>note": "</pre><script>"})
    study.run(30)
    page = read(write_report(study, None, tmp_path / "r.html", predictor=forest()))
    assert page.tags["img"] + page.tags["i"] == 0
    assert "<img src=x onerror=alert(1)> & more" in page.text
    assert "<b>mine</b>" in page.text
    assert "Failed trials" in page.text
    assert "Sizes, best first" in page.text  # tiers exist though the space has no cost formulas
    assert "True rank" not in page.text


def test_a_study_with_little_or_nothing(tmp_path: Path) -> None:
    study = Study(None, NASBench201(), Random(), lambda arch: {"reward": float(arch.genes[0])}, maximize="reward")
    assert "No result yet" in read(write_report(study, None, tmp_path / "r.html", predictor=forest())).text
    study.run(3)
    page = read(write_report(study, None, tmp_path / "r.html", predictor=forest()))
    assert "Not ranked" in page.text
    assert page.tags["article"] == 3


def test_a_large_space_is_judged_by_a_sample(tmp_path: Path) -> None:
    space = Edges("large", 6, ("none", "skip_connect", "conv"))
    study = Study(None, space, Random(), lambda arch: float(sum(arch.genes)), maximize="value")
    study.run(20)
    page = read(write_report(study, None, tmp_path / "r.html", predictor=forest()))
    assert "a random sample of 20,000 architectures" in page.text


def test_a_predictor_with_tiers_of_its_own(tmp_path: Path, searched: Study, table: Table) -> None:
    class Own(RandomForestRegressor):
        def fit(self, archs: Any, y: Any) -> Any:
            return super().fit(archs.genes, y)

        def predict(self, archs: Any) -> Any:
            return super().predict(archs.genes)

        def predict_tier(self, archs: Any) -> Any:
            return (archs.genes[:, 0] > 0).astype(int)

    page = read(write_report(searched, table, tmp_path / "r.html", predictor=Own(n_estimators=5, random_state=0)))
    assert "Sizes, best first: 3,125, 12,500." in page.text


def test_a_table_of_something_else_is_refused(tmp_path: Path, table: Table) -> None:
    study = Study(None, table.space, Random(), lambda arch: {"reward": 1.0}, maximize="reward")
    with pytest.raises(BadSetting, match="reward"):
        write_report(study, table, tmp_path / "r.html")
    assert not list(tmp_path.iterdir())


def test_where_labels_come_from_and_who_steered(tmp_path: Path, table: Table) -> None:
    earlier = table.space.at([100, 4_000])
    prior = Prior(table.space.at(range(50)), np.arange(50.0), "runs/other.db")
    study = Study(None, table.space, "auto", table, notes=NOTES, prior=prior)
    study.include(earlier, table.metrics["accuracy"][[100, 4_000]], "earlier.csv")
    study.steer("evaluate", architecture="nasbench201/3-3-3-1-3-3", who="<b>anna</b>")
    study.steer("narrow", choice="cell/0-1", options=["nor_conv_3x3", "nor_conv_1x1"], who="bob")
    study.steer("retract", row=2)
    study.run(5)
    page = read(write_report(study, table, tmp_path / "r.html", predictor=forest()))
    assert "of them known before 2 results of earlier.csv" in page.text
    assert "Prior labels 50 of another task, runs/other.db" in page.text
    assert "--prior runs/other.db --seed 0 --trials 5 --known earlier.csv" in page.text
    assert "not at all, its result was known before, from earlier.csv" in page.text
    assert "How it was steered After 2 evaluations" in page.text
    assert "<b>anna</b>: evaluate nasbench201/3-3-3-1-3-3 next" in page.text
    assert "bob: look only where cell/0-1 is nor_conv_3x3 or nor_conv_1x1 (taken back by row 3)" in page.text
    assert "somebody: row 2 is taken back" in page.text
    assert "<b>anna</b> asked for it, steering row 1" in page.text
    assert "which the line does not repeat" in page.text
