"""HW-NAS-Bench: ``HW-NAS-Bench-v1_0.pickle``, latency and energy of the NAS-Bench-201 cells on six devices.

The file also has tables of the FBNet space by operator; they are no results of architectures and are left out.

Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark" (2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.errors import BadTable
from tierwise.importers.convert import Part, Progress
from tierwise.importers.decompress import pieces
from tierwise.importers.pickled_numpy import PickledArray
from tierwise.importers.unpickle import load

SPACE = "nasbench201"
SIZE = 15_625
MOST = 1 << 30  # bytes of the pickle
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}
METRICS = {
    **{
        f"{device}_latency": f"latency_{device}_ms"
        for device in ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
    },
    **{f"{device}_energy": f"energy_{device}_mj" for device in ("edgegpu", "eyeriss", "fpga")},
    "eyeriss_arithmetic_intensity": "arithmetic_intensity_eyeriss",  # operations a byte
}


@dataclass(frozen=True)
class HWNASBench:
    """The reader."""

    name: str = "hw-nas-bench"
    space: str = SPACE
    about: str = "hw-nas-bench: HW-NAS-Bench-v1_0.pickle"
    licence: str = "MIT"
    official: tuple[str, ...] = ()

    def recognise(self, path: Path, head: bytes) -> bool:
        named = path.name.lower().startswith("hw-nas-bench") or b"nasbench201" in head
        return head[:1] == b"\x80" and named and b"meta_archs" not in head

    def parts(self, path: Path, start: int, progress: Progress) -> Iterator[tuple[int, Part]]:
        if start:
            return
        total = path.stat().st_size
        progress(0, total)
        tables = _dict(path, load(pieces(path, MOST), path, arrays=True), "nasbench201")
        columns: dict[str, NDArray[np.float32]] = {}
        for dataset, name in DATASETS.items():
            table = _dict(path, tables, dataset)
            _check_order(path, dataset, table.get("config"))
            for metric, column in METRICS.items():
                if metric in table:
                    columns[f"{name}/{column}"] = _values(path, f"{dataset}/{metric}", table[metric])
        if not columns:
            raise BadTable(path, f"none of the metrics {', '.join(METRICS)} in it")
        yield 1, Part(columns, np.arange(SIZE, dtype=np.int64))
        progress(total, total)


def _dict(path: Path, parent: Any, key: str) -> dict[Any, Any]:
    value = cast(dict[Any, Any], parent).get(key) if isinstance(parent, dict) else None
    if not isinstance(value, dict):
        raise BadTable(path, f'no table "{key}" in it')
    return cast(dict[Any, Any], value)


def _check_order(path: Path, dataset: str, configs: Any) -> None:
    """The file names the cell of every row: it must be the official one."""
    if not isinstance(configs, list):
        return
    space = registry.make("space", SPACE)
    told = [
        cast(dict[Any, Any], config).get("arch_str") if isinstance(config, dict) else None
        for config in cast(list[Any], configs)
    ]
    expected = space.format(space.enumerate())
    wrong = [row for row, text in enumerate(told) if row >= SIZE or text != expected[row]]
    if wrong or len(told) != SIZE:
        raise BadTable(
            path, f"{dataset}: {len(told):,} configurations, not the {SIZE:,} cells in official order", wrong
        )


def _values(path: Path, what: str, content: Any) -> NDArray[np.float32]:
    """One metric of all cells; what is negative or not finite was not measured and becomes NaN. Raises BadTable."""
    values: Any = content.values if isinstance(content, PickledArray) else content
    if isinstance(values, list):
        given = cast(list[Any], values)
        wrong = [
            row for row, value in enumerate(given) if isinstance(value, bool) or not isinstance(value, (int, float))
        ]
        if wrong:
            raise BadTable(path, f"{what}: values that are no numbers", wrong)
        values = np.array(given, dtype=np.float64)
    if not isinstance(values, np.ndarray) or values.shape != (SIZE,) or values.dtype.kind not in "iuf":
        raise BadTable(path, f"{what}: not {SIZE:,} numbers")
    return np.where(np.isfinite(values) & (values >= 0), values, np.nan).astype(np.float32)


IMPORTERS = (HWNASBench(),)
