"""Per-operation cost tables: the published example records, to the digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tierwise.benchmarks import cost_tables
from tierwise.benchmarks.cost_tables import write_json, write_parquet
from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Space
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201

# The published record of cell 00005c14..., of Guo et al.'s expanded NAS-Bench-101
EDGES = [(0, 1), (0, 4), (0, 5), (1, 2), (2, 3), (2, 6), (3, 5), (4, 5), (5, 6)]
OPS = [0, 2, 0, 0, 1]
FLOPS = {
    "stack0/module0": [0, 92274688, 589824, 75497472, 92274688, 25296896, 0],
    "stack0/module1": [0, 92274688, 589824, 75497472, 92274688, 25296896, 0],
    "stack0/module2": [0, 92274688, 589824, 75497472, 92274688, 25296896, 0],
    "stack1/module0": [0, 83886080, 294912, 75497472, 83886080, 16842752, 0],
    "stack1/module1": [0, 92274688, 294912, 75497472, 92274688, 25231360, 0],
    "stack1/module2": [0, 92274688, 294912, 75497472, 92274688, 25231360, 0],
    "stack2/module0": [0, 83886080, 147456, 75497472, 83886080, 16809984, 0],
    "stack2/module1": [0, 92274688, 147456, 75497472, 92274688, 25198592, 0],
    "stack2/module2": [0, 92274688, 147456, 75497472, 92274688, 25198592, 0],
}
PARAMS = {
    "stack0/module0": [0, 45312, 0, 36992, 45312, 12544, 0],
    "stack0/module1": [0, 45312, 0, 36992, 45312, 12544, 0],
    "stack0/module2": [0, 45312, 0, 36992, 45312, 12544, 0],
    "stack1/module0": [0, 164352, 0, 147712, 164352, 33280, 0],
    "stack1/module1": [0, 180736, 0, 147712, 180736, 49664, 0],
    "stack1/module2": [0, 180736, 0, 147712, 180736, 49664, 0],
    "stack2/module0": [0, 656384, 0, 590336, 656384, 132096, 0],
    "stack2/module1": [0, 721920, 0, 590336, 721920, 197632, 0],
    "stack2/module2": [0, 721920, 0, 590336, 721920, 197632, 0],
}
# ... and of cell 0 of NAS-Bench-201: FLOPs and parameters of an edge with nor_conv_1x1, by stage
CONV_FLOPS = {"cifar10-valid": (294912, 278528, 270336), "cifar100": (294912, 278528, 270336)}
CONV_FLOPS |= {"ImageNet16-120": (73728, 69632, 67584)}
CONV_PARAMS = (288, 1088, 4224)
TOTALS = {"cifar10-valid": (16315008, 129306), "cifar100": (16320768, 135156), "ImageNet16-120": (4086272, 136456)}


class Few(NASBench101):
    """The first 300 cells, so that JSON with official hashes is made in a moment."""

    def enumerate(self) -> Any:
        return super().enumerate()[:300]


@pytest.fixture(scope="module")
def costs_201(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return pq.read_table(write_parquet("nasbench201", tmp_path_factory.mktemp("costs") / "costs.parquet"))


def test_the_published_nasbench101_record_is_reproduced_to_the_digit():
    space = NASBench101()
    adjacency = np.zeros((1, 7, 7), dtype=np.uint8)
    for i, j in EDGES:
        adjacency[0, i, j] = 1
    cell = space.encode(adjacency, np.array([OPS], dtype=np.int8))
    costs = space.vertex_costs(cell)[0]
    assert space.index(cell).tolist() == [0]
    assert dict(zip(cost_tables.CELLS_101, costs[:, :, 0].tolist(), strict=True)) == FLOPS
    assert dict(zip(cost_tables.CELLS_101, costs[:, :, 1].tolist(), strict=True)) == PARAMS
    assert space.totals(cell).tolist() == [[2527684618, 8555530]]


def test_the_parquet_table_of_all_nasbench101_holds_the_costs_of_the_space(tmp_path: Path):
    seen: list[tuple[int, int]] = []
    path = write_parquet("nasbench101", tmp_path / "costs.parquet", lambda *at: seen.append(at))
    assert seen[-1] == (423_624, 423_624)
    file = pq.ParquetFile(path)
    assert file.metadata.num_rows == 423_624
    assert [name for name in file.schema_arrow.names if "/" in name] == [
        f"{cell}/vertex_{kind}" for cell in cost_tables.CELLS_101 for kind in ("flops", "params")
    ]
    space, last = NASBench101(), file.read_row_group(file.num_row_groups - 1)
    rows = space.enumerate()[-len(last) :]
    for c, cell in enumerate(cost_tables.CELLS_101):
        for k, kind in enumerate(("flops", "params")):
            column = last[f"{cell}/vertex_{kind}"].combine_chunks().flatten().to_numpy()
            np.testing.assert_array_equal(column.reshape(-1, 7), space.vertex_costs(rows)[:, c, :, k])
    first = file.read_row_group(0, columns=["adjacency", "operations", "flops", "params"]).slice(0, 1).to_pylist()[0]
    assert (first["flops"], first["params"], sum(first["adjacency"])) == (2527684618, 8555530, 9)
    assert sorted(first["operations"]) == [1, 2, 3, 3, 3, 4, 5]


def test_the_published_nasbench201_record_is_reproduced_to_the_digit(tmp_path: Path):
    recorded = {"cifar10/test_accuracy@200": np.full(15_625, 85.5), "cifar100/latency": np.full(15_625, np.nan)}
    content = json.loads(write_json("nasbench201", tmp_path / "costs.json", recorded).read_text())
    assert list(content) == [str(k) for k in range(15_625)]
    record = content["0"]
    assert record["cell_adjacency"] == [[0, 4, 2, 2], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert record["arch_str"] == NASBench201().format(NASBench201().at([0]))[0]
    assert (record["cifar10_test_acc"], record["cifar10_val_acc"], record["cifar100_latency"]) == (85.5, None, None)
    assert len(record) == 23
    for name, (flops, params) in TOTALS.items():
        assert (record[f"{name}_total_flops"], record[f"{name}_total_params"]) == (flops, params)
        for k, cell in enumerate(cost_tables.CELLS_201):
            conv = CONV_FLOPS[name][k // 5]
            assert record[f"{name}_opt_flops"][cell] == [0, conv, 0, conv, 0, 0]
            assert record[f"{name}_opt_params"][cell] == [0, CONV_PARAMS[k // 5], 0, CONV_PARAMS[k // 5], 0, 0]


def test_the_parquet_table_of_nasbench201_agrees_with_the_totals(costs_201: Any):
    space = NASBench201()
    assert costs_201.num_rows == space.size
    assert costs_201["architecture"].to_pylist()[:3] == space.format(space.at([0, 1, 2]))
    totals = space.totals(space.enumerate(), classes=100)
    np.testing.assert_array_equal(costs_201["cifar100/flops"].to_numpy(), totals[:, 0])
    searched = sum(
        costs_201[f"cifar100/{cell}/opt_params"].combine_chunks().flatten().to_numpy().reshape(-1, 6).sum(1)
        for cell in cost_tables.CELLS_201
    )
    assert set((totals[:, 1] - searched).tolist()) == {79_156}  # stem, reduction blocks, classifier of 100


def test_the_json_of_nasbench101_has_the_authors_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(cost_tables.SPACES, "nasbench101", Few)
    recorded = {"cifar10/validation_accuracy@108": np.full(423_624, 92.5)}
    records = json.loads(write_json("nasbench101", tmp_path / "costs.json", recorded).read_text())
    assert len(records) == 300
    assert list(records[0]) == [
        "module_adjacency", "module_operations", "trainable_parameters", "avg_training_time", "avg_train_accuracy",
        "avg_validation_accuracy", "avg_test_accuracy", "unique_hash", "vertex_flops", "vertex_params", "flops",
    ]  # fmt: skip
    assert records[0]["unique_hash"] == "00005c142e6f48ac74fdcf73e3439874"
    assert (records[0]["avg_validation_accuracy"], records[0]["avg_test_accuracy"]) == (0.925, None)
    for record in records:
        vertices = len(record["module_operations"])
        assert np.shape(record["module_adjacency"]) == (vertices, vertices)
        assert {len(row) for cell in ("vertex_flops", "vertex_params") for row in record[cell].values()} == {vertices}
        assert [record["module_operations"][k] for k in (0, -1)] == ["input", "output"]


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parquet("nasbench201", tmp_path / "costs.parquet", stop)
    assert not list(tmp_path.iterdir())


def test_an_unknown_benchmark_and_a_missing_folder_are_named(tmp_path: Path):
    with pytest.raises(UnknownName, match="nasbench201"):
        write_parquet("nasbench202", tmp_path / "x.parquet")
    with pytest.raises(BadSetting, match="existing folder"):
        write_json("nasbench201", tmp_path / "no" / "x.json", {})


def test_every_space_of_the_tables_is_the_registered_one():
    for name, space in cost_tables.SPACES.items():
        made: Space = space()
        assert made.name == name
