"""NAS-Bench-Graph's real results on nine graphs, from the package ``nas-bench-graph`` (Apache-2.0).

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search" (2022): validation and test accuracy,
latency and size of all 26,206 architectures (2,021 for the data set proteins), over three seeds. Only the package's
data files are read, nothing of it is imported.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tierwise.benchmarks.table import Table
from tierwise.errors import BadSetting, BadTable, MissingExtra, UnknownName
from tierwise.importers import unpickle
from tierwise.spaces.nasbench_graph import NASBenchGraph, proteins

Label = Literal["validation", "test"]
DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
FIELDS = {"validation": "valid_perf", "test": "perf", "latency": "latency", "params": "para"}


def load(dataset: str = "cora", label: Label = "validation") -> Table:
    """The benchmark as an evaluator: ``accuracy`` in percent; known beforehand: ``params`` and ``latency`` (seconds).

    dataset: cora, citeseer, pubmed, cs, physics, photo, computers, arxiv, or proteins, whose space is narrowed to five
    operations; "accuracy" is there what the authors record as performance. label: what the search is told,
    "validation" or "test". Reports see ``test_accuracy``. An architecture without a record is NaN.
    Raises UnknownName, BadSetting, MissingExtra, BadTable.
    """
    if dataset not in DATASETS:
        raise UnknownName("data set of nasbench-graph", dataset, DATASETS)
    if label not in ("validation", "test"):
        raise BadSetting("label", label, '"validation" or "test"')
    recorded = _recorded(dataset)
    return Table(
        name=f"nasbench-graph:{dataset}",
        space=_space(dataset),
        metrics={"accuracy": 100 * recorded[label]},
        known_columns={"params": np.round(1e6 * recorded["params"]), "latency": recorded["latency"]},
        truth={"test_accuracy": 100 * recorded["test"]},
    )


def _space(dataset: str) -> NASBenchGraph:
    return proteins() if dataset == "proteins" else NASBenchGraph()


@functools.cache
def _recorded(dataset: str) -> dict[str, NDArray[np.float64]]:
    """(size,) columns of the data set in the order of the space, as recorded: fractions, seconds, millions."""
    spec = importlib.util.find_spec("nas_bench_graph")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("benchmark nasbench-graph", "nas-bench-graph", "nasbench-graph")
    path = Path(spec.submodule_search_locations[0]) / "light" / f"{dataset}.bench"
    try:
        records = unpickle.loads(path.read_bytes(), path)
    except OSError as error:
        raise BadTable(path, f"cannot be read ({error}); reinstall nas-bench-graph") from error
    if not isinstance(records, dict):
        raise BadTable(path, f"holds a {type(records).__name__}, not a table; reinstall nas-bench-graph")
    return _columns(path, cast(dict[Any, Any], records), _space(dataset).keys())


def _columns(path: Path, records: dict[Any, Any], keys: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    members = keys.tolist()
    if strangers := set(records).difference(members):
        raise BadTable(path, f"{len(strangers)} keys of no architecture, such as {min(map(str, strangers))}")
    nothing = dict.fromkeys(FIELDS.values(), np.nan)
    try:
        rows = [records.get(key, nothing) for key in members]
        return {name: np.array([row[field] for row in rows], dtype=np.float64) for name, field in FIELDS.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise BadTable(path, f"not as expected ({error!r}); reinstall nas-bench-graph") from error
