"""The report says what makes a tier and why the best are where they are, and lets no name be markup."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from tierwise import registry
from tierwise.benchmarks.nasbench201 import load
from tierwise.report import write_report
from tierwise.spaces.edges import Edges
from tierwise.study import Study


@pytest.fixture(scope="module")
def searched() -> Any:
    table = load()
    study = Study(None, table.space, "random", table)
    study.run(40)
    return study, table


def trees() -> Any:
    return registry.make("predictor", "trees", trees=60)


def test_the_space_and_each_of_the_best_have_their_reasons(tmp_path: Path, searched: Any) -> None:
    page = write_report(*searched, tmp_path / "r.html", predictor=trees()).read_text(encoding="utf-8")
    section = page.partition("What makes a tier")[2].partition("<section>")[0]
    bars = [float(width) for width in re.findall(r'class="bar" style="width:([0-9.]+)%"', section)]
    assert len(bars) == 12
    assert bars[0] == 100
    assert bars == sorted(bars, reverse=True)
    assert "nor_conv_3x3" in section
    assert "order of the labels" in section
    assert len(re.findall("Why ranked at [+-][0-9.]+", page)) == 6


def test_a_predictor_that_is_no_trees_says_how_well_it_is_followed(tmp_path: Path, searched: Any) -> None:
    forest = registry.make("predictor", "forest", trees=20)
    page = write_report(*searched, tmp_path / "r.html", predictor=forest).read_text(encoding="utf-8")
    assert re.search(r"R² 0\.[89][0-9]+, Kendall’s τ 0\.[0-9]+ with them", page)


def test_names_of_operations_are_no_markup(tmp_path: Path) -> None:
    space = Edges("mine", 4, ("none", "<script>alert(1)</script>", "a&b", "conv"))
    study = Study(None, space, "random", lambda arch: float(arch.genes.count(1)), maximize="reward")
    study.run(40)
    page = write_report(study, None, tmp_path / "r.html", predictor=trees()).read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page.partition("What makes a tier")[2].partition("<section>")[0]


def test_without_lightgbm_the_page_says_what_is_missing(
    tmp_path: Path, searched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    forest = registry.make("predictor", "forest", trees=20)
    page = write_report(*searched, tmp_path / "r.html", predictor=forest).read_text(encoding="utf-8")
    assert "Not explained: an explanation needs lightgbm" in page
    assert "Why ranked at" not in page
