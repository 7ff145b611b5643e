"""The real results on nine graphs: the known best figures, searches on them, and closed to broken or hostile files."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tierwise import Study
from tierwise.benchmarks import nasbench_graph
from tierwise.benchmarks.nasbench_graph import DATASETS, load
from tierwise.errors import BadSetting, BadTable, MissingExtra, UnknownName
from tierwise.testing import check_evaluator

if importlib.util.find_spec("nas_bench_graph") is None:
    pytest.skip("the package nas-bench-graph with the results is not installed", allow_module_level=True)

BEST = {
    "cora": 83.13, "pubmed": 78.60, "arxiv": 72.39, "citeseer": 71.57, "computers": 85.58, "cs": 91.26, "photo": 92.79,
    "physics": 93.00, "proteins": 79.26,
}  # fmt: skip


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_best_test_accuracy_is_the_known_one(dataset: str) -> None:
    table = load(dataset)
    assert table.space.size == (2_021 if dataset == "proteins" else 26_206)
    assert table.truth["test_accuracy"].max() == pytest.approx(BEST[dataset], abs=0.005)
    for column in (*table.metrics.values(), *table.known_columns.values(), *table.truth.values()):
        assert np.isfinite(column).all()
        assert (column > 0).all()


def test_one_architecture_has_the_recorded_figures() -> None:
    table, first = load("cora"), load("cora").space.parse("0000: gat, gat, gat, gat")
    one = table.space.at([0])
    assert one[0] == first
    assert table.many(one, [0])["accuracy"].tolist() == pytest.approx([77.3333333])
    assert table.truth["test_accuracy"][0] == pytest.approx(79.7)
    assert table.known("params", one) == pytest.approx([1_736_711])
    assert table.known("latency", one) == pytest.approx([0.005922238])
    assert load("cora", "test").metrics["accuracy"][0] == pytest.approx(79.7)


@pytest.mark.parametrize("dataset", ["cora", "proteins"])
def test_it_does_all_that_an_evaluator_must(dataset: str) -> None:
    table = load(dataset)
    check_evaluator(table, table.space, archs=20)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(UnknownName, match="karate"):
        load("karate")
    with pytest.raises(BadSetting, match="validation"):
        load(label="train")  # type: ignore[arg-type]


# ---- searches ----------------------------------------------------------------------------------------------------


def best_found(strategy: str, seed: int, labels: int) -> float:
    table = load("cora")
    with Study(None, table.space, strategy, table, seed=seed) as study:
        study.run(labels)
        assert study.finished == labels
        return study.best()[0].metrics["accuracy"]


def test_evolution_searches_the_real_table() -> None:
    assert best_found("evolution", 0, 60) > np.quantile(load("cora").metrics["accuracy"], 0.95)


def test_a_search_by_tiers_ends_among_the_best() -> None:
    """One search of 40 labels; medians over many searches belong to the benchmark runs."""
    accuracy = load("cora").metrics["accuracy"]
    assert best_found("tiers", 0, 40) > np.quantile(accuracy, 0.95)


# ---- files -------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose file of the data set cora the test may write."""
    nasbench_graph._recorded.cache_clear()
    (tmp_path / "light").mkdir()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    )
    yield tmp_path / "light" / "cora.bench"
    nasbench_graph._recorded.cache_clear()


RECORD = {"valid_perf": 0.5, "perf": 0.25, "latency": 0.01, "para": 1.5}


class Hostile:
    def __reduce__(self) -> Any:
        return (print, ("run",))


def test_a_missing_record_is_not_a_number(package: Path) -> None:
    package.write_bytes(pickle.dumps({0: RECORD, 88_887: RECORD}))
    table = load()
    assert np.isfinite(table.metrics["accuracy"]).sum() == 2
    assert table.truth["test_accuracy"][[0, -1]].tolist() == [25, 25]
    assert np.isnan(table.known_columns["params"][1])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pickle.dumps([1, 2]), "list"),
        (pickle.dumps({88_888: RECORD}), "88888"),
        (pickle.dumps({"x": RECORD}), "keys of no architecture"),
        (pickle.dumps({0: {"perf": 0.5}}), "valid_perf"),
        (pickle.dumps({0: 3}), "not as expected"),
        (pickle.dumps({0: {**RECORD, "perf": "high"}}), "not as expected"),
        (pickle.dumps({0: Hostile()}), "refused"),
        (b"", "refused"),
        (b"no pickle", "refused"),
    ],
)
def test_a_broken_or_hostile_file_is_refused(package: Path, content: bytes, says: str, capsys: Any) -> None:
    package.write_bytes(content)
    with pytest.raises(BadTable, match=says):
        load()
    assert capsys.readouterr().out == ""


def test_a_missing_file_or_package_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadTable, match=r"cora\.bench"):
        load()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="nas-bench-graph"):
        load()
