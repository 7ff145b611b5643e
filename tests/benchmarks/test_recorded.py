"""Tables of converted benchmarks: labels, seeds, epochs, objectives, and what it costs to load one."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tierwise.benchmarks.recorded import recorded
from tierwise.benchmarks.table import Table
from tierwise.errors import BadArchitecture, BadSetting, BadTable, UnknownName
from tierwise.importers.folder import CARD, TABLE, Card, write_card
from tierwise.job import Job
from tierwise.space import Shape, Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import check_evaluator

IMAGES: Shape = (3, 32, 32)
SEEDS = ("777", "888", "999")


def store(folder: Path, columns: dict[str, np.ndarray], space: str = "nasbench201") -> None:
    """What a conversion leaves, from arrays."""
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / TABLE, compression="zstd", row_group_size=65_536)
    rows = len(next(iter(columns.values())))
    made = datetime.now(UTC).isoformat()
    write_card(folder, Card(folder.name, space, "made.npz", 1, "0" * 64, None, "MIT", rows, tuple(columns), "0", made))


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nb201: dict[str, Any]) -> dict[str, Any]:
    """NAS-Bench-201's own results as a converted benchmark; the third seed is missing in about half of the rows."""
    columns: dict[str, np.ndarray] = {}
    for dataset, prefix in (("cifar10", "c10"), ("cifar100", "c100")):
        for k, seed in enumerate(SEEDS):
            columns[f"{dataset}/validation_accuracy@200#{seed}"] = nb201[f"{prefix}_val200"][:, k]
            columns[f"{dataset}/test_accuracy@200#{seed}"] = nb201[f"{prefix}_test200"][:, k]
        columns[f"{dataset}/training_seconds@200#mean"] = nb201[f"{prefix}_train_time200"]
        columns[f"{dataset}/validation_accuracy@12#777"] = nb201[f"{prefix}_val12"]
    columns["cifar10/training_seconds@12#777"] = nb201["c10_cost12"]
    columns["cifar10/latency_raspi4_ms"] = nb201["lat_raspi4"]
    store(tmp_path / "benchmarks" / "real", columns)
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    return nb201


def load(dataset: str = "cifar10", **settings: Any) -> Table:
    return recorded("real", NASBench201(), dataset, classes=10, shape=IMAGES, **settings)


def test_the_published_figures_come_back(real: dict[str, Any]) -> None:
    table = load()
    accuracy, test = table.metrics["accuracy"], table.truth["test_accuracy"]
    assert (int(np.argmax(accuracy)), round(float(accuracy.max()), 4)) == (6111, 91.6067)
    assert (int(np.argmax(test)), round(float(test.max()), 4)) == (6111, 94.3733)
    assert round(float(test.mean()), 4) == 87.0629
    np.testing.assert_allclose(table.metrics["seconds"], real["c10_train_time200"])
    cifar100 = load("cifar100").metrics["accuracy"]
    assert (int(np.argmax(cifar100)), round(float(cifar100.max()), 4)) == (9930, 73.4933)


def test_a_label_of_test_accuracies_is_in_the_name(real: dict[str, Any]) -> None:
    table = load(label="test")
    np.testing.assert_allclose(table.metrics["accuracy"], np.nanmean(real["c10_test200"], axis=1), rtol=1e-6)
    assert table.name == "real:cifar10 (labels are TEST accuracies)"
    assert load().name == "real:cifar10"


@pytest.mark.parametrize(("seed", "column"), [("0", 0), ("2", 2), ("777", 0), ("999", 2)])
def test_one_seed_by_its_number_or_its_position(real: dict[str, Any], seed: str, column: int) -> None:
    np.testing.assert_array_equal(load(seed=seed).metrics["accuracy"], real["c10_val200"][:, column])


def test_fewer_epochs_are_the_cheap_signal(real: dict[str, Any]) -> None:
    table = load(epochs=12)
    np.testing.assert_array_equal(table.metrics["accuracy"], real["c10_val12"])
    np.testing.assert_array_equal(table.metrics["seconds"], real["c10_cost12"])
    assert round(float(table.truth["test_accuracy"].max()), 4) == 94.3733
    assert "seconds" not in load("cifar100", epochs=12).metrics


def test_fewer_epochs_are_budgets_of_cheap_evaluations(real: dict[str, Any]) -> None:
    table = load()
    archs, rows = table.space.at([0, 6111]), np.array([0, 6111])
    assert table.budgets == (12,)
    told = table.many(archs, [0, 0], 12)
    np.testing.assert_array_equal(told["accuracy"], real["c10_val12"][rows])
    np.testing.assert_array_equal(told["seconds"], real["c10_cost12"][rows])
    assert set(load("cifar100").many(archs, [0, 0], 12)) == {"accuracy"}
    assert load(epochs=12).budgets == load(label="test").budgets == ()
    part = load().part(np.array([5, 6111]))
    assert part.many(part.space.enumerate(), [0, 0], 12)["accuracy"].tolist() == real["c10_val12"][[5, 6111]].tolist()


def test_cheap_evaluations_have_the_run_of_the_label_or_are_not_there(real: dict[str, Any]) -> None:
    assert [load(seed=seed).budgets for seed in ("777", "0", "noise", "888", "1")] == [(12,), (12,), (12,), (), ()]


def test_cheap_columns_are_read_when_they_are_asked_for_and_travel_to_workers(real: dict[str, Any]) -> None:
    table = load()
    copied = pickle.loads(pickle.dumps(table))  # noqa: S301  our own bytes
    assert len(pickle.dumps(table)) == len(pickle.dumps(load()))
    one = table.space.at([77])
    assert copied.many(one, [0], 12) == table.many(one, [0], 12)
    assert len(pickle.dumps(table)) > len(pickle.dumps(load()))


def test_objectives_are_told_and_a_cost_is_known_before(real: dict[str, Any]) -> None:
    table = load(objectives=("latency_raspi4_ms",))
    archs = table.space.at([0, 5])
    told = table(archs[0], Job(1, 7))
    assert told["latency_raspi4_ms"] == pytest.approx(10.481977)
    known = table.known("latency_raspi4_ms", archs)
    assert known is not None
    np.testing.assert_allclose(known, real["lat_raspi4"][[0, 5]])


def test_noise_gives_each_evaluation_one_recorded_run(real: dict[str, Any]) -> None:
    table = load(seed="noise")
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 15_625, 4000)
    seeds = rng.integers(0, 2**32, 4000).tolist()
    archs = table.space.at(rows)
    told = table.many(archs, seeds)["accuracy"]
    runs = real["c10_val200"][rows]
    taken = np.nanargmin(np.abs(runs - told[:, None]), axis=1)
    np.testing.assert_array_equal(told, runs[np.arange(4000), taken].astype(np.float64))
    complete = np.isfinite(runs).all(1) & (np.ptp(runs, axis=1) > 0)
    assert 0.25 < (taken[complete] == 2).mean() < 0.42  # each of three runs about as often
    one_by_one = [table(archs[k], Job(k + 1, seeds[k]))["accuracy"] for k in range(50)]
    np.testing.assert_array_equal(told[:50], one_by_one)
    spread = table.many(table.space.at(np.full(64, 6111)), list(range(64)))["accuracy"]
    assert len(set(spread.tolist())) == 3


@pytest.mark.parametrize("seed", ["mean", "noise", "777"])
def test_it_conforms_to_what_a_study_needs(real: dict[str, Any], seed: str) -> None:
    check_evaluator(load(seed=seed), NASBench201())


def test_a_missing_run_fails_by_name(real: dict[str, Any]) -> None:
    table = load(seed="999")
    row = int(np.flatnonzero(np.isnan(real["c10_val200"][:, 2]))[0])
    with pytest.raises(BadArchitecture, match="has no accuracy of it for this label"):
        table(table.space.at([row])[0], Job(1, 1))


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"dataset": "cifar1000"}, UnknownName, 'did you mean "cifar100"'),
        ({"seed": "3"}, BadSetting, "'777', '888', '999'"),
        ({"seed": "-1"}, BadSetting, "a position below 3"),
        ({"epochs": 108}, BadSetting, "12, 200"),
        ({"label": "train"}, BadSetting, "validation or test"),
        ({"label": "test", "epochs": 12}, BadSetting, "allowed: 200"),
        ({"objectives": ("latency_raspi_ms",)}, UnknownName, 'did you mean "latency_raspi4_ms"'),
    ],
)
def test_what_is_not_recorded_is_answered_with_what_is(
    real: dict[str, Any], settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        load(**settings)


def test_a_benchmark_that_was_not_added_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    with pytest.raises(UnknownName, match="tierwise bench add"):
        load()


def test_another_space_and_a_damaged_table_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    root = tmp_path / "benchmarks" / "real"
    store(root, {"cifar10/validation_accuracy@200#777": np.zeros(15_624, np.float32)})
    with pytest.raises(BadTable, match="15,624 rows, the space 15,625"):
        load()
    (root / TABLE).write_bytes((root / TABLE).read_bytes()[:100])
    with pytest.raises(BadTable, match="cannot be read"):
        load()
    card = json.loads((root / CARD).read_text())
    (root / CARD).write_text(json.dumps({**card, "space": "nasbench101"}))
    with pytest.raises(BadSetting, match="nasbench101, of which real has results"):
        load()


class Rows(Space):
    """A space of as many rows as NAS-Bench-101, of which only the number counts here."""

    def __init__(self) -> None:
        self.name, self.choices = "rows", ()

    @property
    def size(self) -> int:
        return 423_624

    def graphs(self, archs: Any) -> Any:
        raise NotImplementedError


def columns_of_the_full_file() -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    for epochs in (4, 12, 36, 108):
        for metric in ("training_seconds", "train_accuracy", "validation_accuracy", "test_accuracy"):
            for half in ("", "-half"):
                for repeat in range(3):
                    counts = rng.integers(0, 9984, 423_624)
                    yield f"cifar10/{metric}@{epochs}{half}#{repeat}", (counts / 99.84).astype(np.float32)


LOAD = """
import json, sys, time
from pathlib import Path
from tests.benchmarks.test_recorded import Rows
from tierwise.benchmarks.recorded import recorded
import pyarrow.parquet
started = time.perf_counter()
table = recorded("full", Rows(), "cifar10", seed=sys.argv[1], classes=10, shape=(3, 32, 32))
seconds = time.perf_counter() - started
most = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "megabytes": most, "columns": sorted(table.metrics)}))
"""


@pytest.mark.parametrize("seed", ["mean", "noise"])
def test_the_whole_of_nasbench101_loads_in_a_second_and_300_megabytes(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, seed: str
) -> None:
    home = tmp_path_factory.getbasetemp() / "full-home"
    if not home.exists():
        store(home / "benchmarks" / "full", dict(columns_of_the_full_file()), "rows")
    monkeypatch.setenv("TIERWISE_HOME", str(home))
    command = [sys.executable, "-c", LOAD, seed]
    runs = []
    for _ in range(3):  # the best of three, because other work may hold the processor
        run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        runs.append(json.loads(run.stdout))
        if runs[-1]["seconds"] < 1:
            break
    assert min(run["seconds"] for run in runs) < 1
    assert max(run["megabytes"] for run in runs) < 300
