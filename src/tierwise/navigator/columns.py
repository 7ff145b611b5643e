"""Quantities of every architecture on the map, as arrays with a description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.navigator.population import Population, digest
from tierwise.node_form import node_form

Kind = Literal["position", "cost", "result", "predicted", "truth"]
Values = NDArray[Any]
Costs = Mapping[str, Callable[[Architectures], Values]]
NO_TIER = 255
LABELS = {"params": "parameters", "flops": "FLOPs"}
UNITS = {"latency": "s", "train_seconds": "s"}
UP = {"cost": "low", "result": "high", "predicted": "high", "truth": "high"}


@dataclass(frozen=True, slots=True)
class Column:
    """What a column is; its values are little endian, one a row.

    low, high: least and greatest known value. known: how many rows have one. better: "high" or "low". hash: of the
    values, so that an unchanged column is not sent again.
    """

    name: str
    label: str
    unit: str
    kind: Kind
    dtype: str
    low: float | None
    high: float | None
    known: int
    better: str | None
    hash: str


def described(name: str, values: Values, kind: Kind, *, label: str = "", unit: str = "") -> Column:
    """The description of some values."""
    known, sent = values[has(values)], wire(values)
    low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
    if kind == "position":
        low, high = 0.0, 65_535.0
    names = label or LABELS.get(name, name.replace("_", " "))
    better, unit = None if name in ("sd", "depth") else UP.get(kind), unit or UNITS.get(name, "")
    return Column(name, names, unit, kind, str(sent.dtype), low, high, len(known), better, digest(sent))


def has(values: Values) -> NDArray[np.bool_]:
    """(n,) where a value is known."""
    return values != NO_TIER if values.dtype == np.uint8 else np.isfinite(values)


def wire(values: Values) -> Values:
    """As they are sent: little endian, floats in four bytes, which is more than a screen shows."""
    if values.dtype == np.float64:
        most = float(np.finfo(np.float32).max)
        values = np.clip(values, -most, most).astype(np.float32)
    return values.astype(values.dtype.newbyteorder("<"))


class Columns:
    """Named values and their descriptions; putting equal values again changes nothing."""

    def __init__(self) -> None:
        self.values: dict[str, Values] = {}
        self.described: dict[str, Column] = {}

    def put(self, name: str, values: Values, kind: Kind, *, label: str = "", unit: str = "") -> bool:
        """Whether the column has changed."""
        new = described(name, values, kind, label=label, unit=unit)
        if self.described.get(name) == new:
            return False
        self.values[name], self.described[name] = values, new
        return True

    def number(self, name: str, row: int) -> float | None:
        """One value, None where it is not known."""
        value = self.values[name][row : row + 1]
        return float(value[0]) if has(value)[0] else None


def depth(population: Population) -> NDArray[np.float64]:
    """(n,) operations on the longest way through the cell."""
    longest: list[NDArray[np.float64]] = []
    for part in population.archs.chunks(20_000):
        ops, links = node_form(part.space.graphs(part), part.space.identity_op)
        way = np.zeros(ops.shape)
        for node in range(1, ops.shape[1]):
            way[:, node] = np.where(links[:, :, node] > 0, way + 1, 0).max(1)
        longest.append(np.maximum(way.max(1) - 1, 0))  # what enters the output is no operation
    return np.concatenate(longest)


def costs_of(archs: Architectures, costs: Costs) -> dict[str, NDArray[np.float64]]:
    """(n,) every cost, in chunks."""
    return {
        name: np.concatenate([np.asarray(cost(part), dtype=np.float64) for part in archs.chunks()])
        for name, cost in costs.items()
    }


def sparse(n: int, rows: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) values at some rows, NaN at all others."""
    column = np.full(n, np.nan)
    column[rows] = values
    return column
