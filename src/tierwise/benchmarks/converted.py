"""Benchmarks whose official file was added once by ``tierwise bench add FILE``.

* NAS-Bench-101: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (2019).
* NATS-Bench: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size" (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tierwise.benchmarks.label import Label
from tierwise.benchmarks.recorded import objective, recorded
from tierwise.benchmarks.table import Table
from tierwise.errors import UnknownName
from tierwise.space import Shape, Space
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.natsbench_size import NATSBenchSize

TASKS: dict[str, tuple[int, Shape]] = {
    "cifar10": (10, (3, 32, 32)),
    "cifar100": (100, (3, 32, 32)),
    "imagenet16-120": (120, (3, 16, 16)),
}


def nasbench101(label: str = "validation", table: str = "nasbench101", dataset: str = "cifar10") -> Table:
    """NAS-Bench-101: ``accuracy`` (percent) and ``seconds`` of training on CIFAR-10, from the official file.

    label: ``accuracy@epochs#run``, see `Label`; epochs 4, 12, 36 or 108. table: name of the converted table.
    Where the table records a part of the space, the space is that part.
    Raises BadSetting, UnknownName for a table that was not added.
    """
    return load(table, NASBench101(), dataset, label)


def nats_topology(
    dataset: str = "cifar10",
    label: str = "validation",
    objectives: Sequence[str] = (),
    table: str = "nats-bench-topology",
) -> Table:
    """NATS-Bench's topology search space, the cells of NAS-Bench-201: ``accuracy`` (percent) and ``seconds``.

    label: ``accuracy@epochs#run``, see `Label`; epochs 12 or 200. objectives: further columns, e.g. ``latency``, or of
    another table ``hw-nas-bench:energy_eyeriss_mj``. Raises BadSetting, UnknownName.
    """
    return load(table, NASBench201(), dataset, label, objectives)


def nats_size(
    dataset: str = "cifar10",
    label: str = "validation",
    objectives: Sequence[str] = (),
    table: str = "nats-bench-size",
) -> Table:
    """NATS-Bench's size search space: ``accuracy`` (percent) and ``seconds`` of training.

    label: ``accuracy@epochs#run``, see `Label`; epochs 1, 12 or 90. Raises BadSetting, UnknownName.
    """
    return load(table, NATSBenchSize(), dataset, label, objectives)


def load(name: str, space: Space, dataset: str, label: str, objectives: Sequence[str] = ()) -> Table:
    """A converted table as an evaluator; of the space only what the table records.

    objectives: ``COLUMN``, or ``TABLE:COLUMN`` of another converted table of the same space.
    Raises UnknownName, BadSetting, BadTable.
    """
    if dataset not in TASKS:
        raise UnknownName("data set", dataset, TASKS)
    classes, shape = TASKS[dataset]
    wanted = Label.parse(label)
    made = recorded(
        name,
        space,
        dataset,
        label=wanted.accuracy,
        seed=wanted.run,
        epochs=wanted.epochs,
        objectives=[column for column in objectives if ":" not in column],
        classes=classes,
        shape=shape,
    )
    others = {text.partition(":")[2]: text.partition(":")[0] for text in objectives if ":" in text}
    if others:
        columns = {column: objective(table, space, dataset, column) for column, table in others.items()}
        made = replace(made, metrics={**made.metrics, **columns}, known_columns={**made.known_columns, **columns})
    labelled = np.isfinite(made.metrics["accuracy"]).reshape(made.space.size, -1).any(1)
    return made if labelled.all() else made.part(np.flatnonzero(labelled))
