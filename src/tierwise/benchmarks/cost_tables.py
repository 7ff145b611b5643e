"""What every operation of every cell costs, for a whole benchmark: the Neural Architecture Ranker's expanded data sets.

Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image Classifier Search" (2022):
FLOPs and parameters of every vertex (NAS-Bench-101) or edge (NAS-Bench-201) in every cell of the full network. As
Parquet, and in the layout of the JSON files that the authors released. The costs are closed forms of the space; what
the authors' files hold beside them (accuracies, times) is taken from recorded columns where they are given.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, MissingExtra, UnknownName
from tierwise.space import Space
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201

ROWS = 32_768  # written at a time
SPACES: dict[str, Callable[[], Space]] = {"nasbench101": NASBench101, "nasbench201": NASBench201}
# data set of NAS-Bench-201 -> name for costs and for results in the authors' file, classes, image shape
TASKS = {
    "cifar10": ("cifar10-valid", "cifar10", 10, (3, 32, 32)),
    "cifar100": ("cifar100", "cifar100", 100, (3, 32, 32)),
    "imagenet16-120": ("ImageNet16-120", "imagenet16", 120, (3, 16, 16)),
}
CELLS_101 = [f"stack{stack}/module{module}" for stack in range(3) for module in range(3)]
CELLS_201 = [f"cells{k}" for k in range(17) if k not in (5, 11)]  # 5 and 11 are reduction blocks
KINDS = ("flops", "params")
# type code of each operation of NAS-Bench-101, as published; 0 is an absent vertex
CODES_101 = {"input": 1, "conv1x1-bn-relu": 2, "conv3x3-bn-relu": 3, "maxpool3x3": 4, "output": 5}
# fields of the authors' NAS-Bench-101 file: recorded figure (means over runs of 108 epochs), unit of the table / theirs
RESULTS_101 = {
    "avg_training_time": ("training_seconds", 1.0),
    "avg_train_accuracy": ("train_accuracy", 100.0),
    "avg_validation_accuracy": ("validation_accuracy", 100.0),
    "avg_test_accuracy": ("test_accuracy", 100.0),
}

Progress = Callable[[int, int], None]
Recorded = Mapping[str, NDArray[Any]]


def write_parquet(name: str, path: Path, progress: Progress | None = None) -> Path:
    """Per-operation FLOPs and parameters of every cell of `name` as Parquet, one row each in the official order.

    nasbench101: ``adjacency`` (49), ``operations`` (7 type codes), and for each of the nine cells
    ``stackS/moduleM/vertex_flops`` and ``.../vertex_params`` (7 each; cells of fewer vertices are padded before the
    output), ``flops``, ``params`` of the network. nasbench201: ``architecture``, and for each of three data sets and
    15 cells ``DATASET/cellsK/opt_flops`` and ``.../opt_params`` (6 edges each), ``DATASET/flops``, ``DATASET/params``.
    Written beside `path` first and renamed at the end. Raises UnknownName, MissingExtra.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("a table of costs", "pyarrow", "benchmarks") from error
    space = _space(name)
    columns = _columns_101 if name == "nasbench101" else _columns_201

    def as_arrow(values: Any) -> Any:
        if np.ndim(values) != 2:
            return pa.array(values)
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(values)), np.shape(values)[1])

    def write(part: Path) -> None:
        writer = None
        for rows in _chunks(space, progress):
            table = pa.table({key: as_arrow(values) for key, values in columns(rows).items()})
            writer = writer or pq.ParquetWriter(part, table.schema, compression="zstd", use_dictionary=True)
            writer.write_table(table)
        if writer is not None:
            writer.close()

    return _whole(path, write)


def write_json(name: str, path: Path, recorded: Recorded, progress: Progress | None = None) -> Path:
    """The same costs in the layout of the authors' released JSON file, with recorded results where there are some.

    recorded: column name of a converted benchmark -> (size,) values (``cifar10/test_accuracy@108``); a result that
    is not there is null. Of NAS-Bench-101 this is a list of 423,624 records (about 700 MB; the official hashes take
    minutes), of NAS-Bench-201 an object of 15,625. Raises UnknownName.
    """
    space = _space(name)
    records = _records_101 if name == "nasbench101" else _records_201
    opening, closing = ("[", "]") if name == "nasbench101" else ("{", "}")

    def write(part: Path) -> None:
        with part.open("w", encoding="utf-8") as file:
            file.write(opening)
            start = 0
            for rows in _chunks(space, progress):
                here = {key: values[start : start + len(rows)] for key, values in recorded.items()}
                for k, record in enumerate(records(rows, here), start=start):
                    key = "" if opening == "[" else f'"{k}": '
                    file.write(("\n" if k == 0 else ",\n") + key + json.dumps(record))
                start += len(rows)
            file.write("\n" + closing + "\n")

    return _whole(path, write)


def _space(name: str) -> Space:
    if name not in SPACES:
        raise UnknownName("benchmark with cost tables", name, SPACES)
    return SPACES[name]()


def _chunks(space: Space, progress: Progress | None) -> Iterator[Architectures]:
    every, done = space.enumerate(), 0
    for rows in every.chunks(ROWS):
        yield rows
        done += len(rows)
        if progress:
            progress(done, len(every))


def _whole(path: Path, write: Callable[[Path], None]) -> Path:
    """`path`, written completely or not at all."""
    if not path.parent.is_dir():
        raise BadSetting("folder", str(path.parent), "an existing folder")
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _columns_101(rows: Architectures) -> dict[str, NDArray[Any]]:
    space = NASBench101()
    costs, totals, graphs = space.vertex_costs(rows), space.totals(rows), space.graphs(rows)
    code = np.array([0, *(CODES_101.get(op, 0) for op in graphs.ops)], dtype=np.int8)
    columns: dict[str, NDArray[Any]] = {
        "adjacency": (graphs.edge_op > 0).astype(np.uint8).reshape(len(rows), 49),
        "operations": code[graphs.node_op],
    }
    for cell, name in enumerate(CELLS_101):
        for kind, what in enumerate(KINDS):
            columns[f"{name}/vertex_{what}"] = costs[:, cell, :, kind].astype(np.int32)
    return columns | {what: totals[:, kind] for kind, what in enumerate(KINDS)}


def _columns_201(rows: Architectures) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {"architecture": np.array(rows.space.format(rows))}
    for dataset, (_, _, classes, shape) in TASKS.items():
        costs, totals = _edge_costs(rows, classes, shape)
        for cell, name in enumerate(CELLS_201):
            for kind, what in enumerate(KINDS):
                columns[f"{dataset}/{name}/opt_{what}"] = costs[:, cell, :, kind].astype(np.int32)
        columns |= {f"{dataset}/{what}": totals[:, kind] for kind, what in enumerate(KINDS)}
    return columns


def _edge_costs(rows: Architectures, classes: int, shape: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, 15, 6, 2) per edge in the order of the official strings, (n, 2) of the whole network."""
    full = rows.space.costs(rows, classes=classes, shape=shape)
    edges = [(i, j) for j in range(1, 4) for i in range(j)]
    per_edge = np.stack([full[:, :, i, j] for i, j in edges], axis=2)
    return per_edge, rows.space.totals(rows, classes=classes, shape=shape)


def _records_101(rows: Architectures, recorded: Recorded) -> Iterator[dict[str, Any]]:
    space = NASBench101()
    costs, totals, graphs = space.vertex_costs(rows), space.totals(rows), space.graphs(rows)
    hashes = space.hashes(rows)
    for k in range(len(rows)):
        present = np.flatnonzero(graphs.node_op[k])
        per_cell = costs[k][:, present]
        results = {
            name: _result(recorded, f"cifar10/{figure}@108", k, unit) for name, (figure, unit) in RESULTS_101.items()
        }
        yield {
            "module_adjacency": (graphs.edge_op[k][np.ix_(present, present)] > 0).astype(int).tolist(),
            "module_operations": [graphs.ops[code - 1] for code in graphs.node_op[k, present]],
            "trainable_parameters": int(totals[k, 1]),
            **results,
            "unique_hash": hashes[k],
            **{
                f"vertex_{what}": dict(zip(CELLS_101, per_cell[:, :, kind].tolist(), strict=True))
                for kind, what in enumerate(KINDS)
            },
            "flops": int(totals[k, 0]),
        }


def _records_201(rows: Architectures, recorded: Recorded) -> Iterator[dict[str, Any]]:
    costs = {name: _edge_costs(rows, classes, shape) for name, (_, _, classes, shape) in TASKS.items()}
    cells = NASBench201().costs(rows[:1]).shape[2]
    edges = [(i, j) for j in range(1, cells) for i in range(j)]
    for k, text in enumerate(rows.space.format(rows)):
        adjacency = np.zeros((cells, cells), dtype=int)
        for gene, edge in enumerate(edges):
            adjacency[edge] = rows.genes[k, gene]
        record: dict[str, Any] = {"cell_adjacency": adjacency.tolist()}
        for field, figure in (
            ("val_acc", "validation_accuracy@200"),
            ("test_acc", "test_accuracy@200"),
            ("latency", "latency"),
        ):
            record |= {
                f"{short}_{field}": _result(recorded, f"{name}/{figure}", k) for name, (_, short, _, _) in TASKS.items()
            }
        for name, (long, _, _, _) in TASKS.items():
            per_edge, totals = costs[name]
            record |= {f"{long}_total_{what}": int(totals[k, kind]) for kind, what in enumerate(KINDS)}
            record |= {
                f"{long}_opt_{what}": dict(zip(CELLS_201, per_edge[k, :, :, kind].tolist(), strict=True))
                for kind, what in enumerate(KINDS)
            }
        yield record | {"arch_str": text}


def _result(recorded: Recorded, column: str, row: int, unit: float = 1.0) -> float | None:
    """A recorded figure in the authors' unit, None where there is none."""
    value = float(recorded[column][row]) if column in recorded else np.nan
    return value / unit if np.isfinite(value) else None
