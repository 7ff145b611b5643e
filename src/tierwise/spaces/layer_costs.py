"""What the layers of a chain cost: a table for every slot, by channels coming in and combination of options."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.formulas import Cost, Formula

_OUTPUTS = ("channels", "width")
_MOST_VALUES = 200_000

Ints = NDArray[np.int64]


class _Slot(Protocol):
    @property
    def options(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def depth(self) -> tuple[int, int] | None: ...
    @property
    def channels(self) -> int: ...
    @property
    def size(self) -> int: ...


class _Network(Protocol):
    @property
    def costs(self) -> Mapping[str, Cost]: ...
    @property
    def first(self) -> int | None: ...
    @property
    def extra(self) -> Cost: ...


@dataclass(frozen=True)
class _Table:
    """One slot: channels that may come in (c,), costs (c, combinations, 2), channels that leave (c, combinations)."""

    incoming: Ints
    costs: Ints
    outgoing: Ints


@dataclass(frozen=True)
class LayerCosts:
    """Costs of a whole chain: one table a slot, and formulas of what is around the layers."""

    inputs: int
    size: int
    tables: tuple[_Table, ...]
    extra: tuple[Formula, Formula]

    @classmethod
    def of(cls, source: str, slots: Sequence[_Slot], identity: str, network: _Network) -> LayerCosts:
        """Every value of every formula; `source` is what a message names. Raises BadSetting, UnknownName."""
        first = network.first or 0
        known = {option for slot in slots for option in slot.options.get("op", ())}
        for op in network.costs:
            if op and op not in known:
                raise UnknownName(f"operation in {source}: cost", op, known)
        incoming, tables = np.array([first]), list[_Table]()
        for layer, slot in enumerate(slots, start=1):
            table = _table(source, slot, layer, incoming, network.costs)
            may_be_absent = slot.depth is not None or identity in slot.options.get("op", ())
            leaving = np.unique(table.outgoing)
            incoming = np.union1d(leaving, incoming) if may_be_absent else leaving
            tables.append(table)
        extra = network.extra.formulas(f"{source}: network.extra", ("c", "h", "w", "classes"))
        made = cls(first, slots[-1].size, tuple(tables), extra)
        made.around(incoming, 10)
        return made

    def layers(self, codes: Ints, there: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """(n, slots, 2) FLOPs and parameters, 0 where no layer is; (n,) channels that leave the last layer."""
        channels = np.full(len(codes), self.inputs)
        each = np.zeros((*codes.shape, 2), dtype=np.int64)
        for k, table in enumerate(self.tables):
            row = np.minimum(np.searchsorted(table.incoming, channels), len(table.incoming) - 1)
            each[:, k] = table.costs[row, codes[:, k]] * there[:, k, None]
            channels = np.where(there[:, k], table.outgoing[row, codes[:, k]], channels)
        return each, channels

    def around(self, channels: Ints, classes: int) -> Ints:
        """(n, 2) FLOPs and parameters of what is around the layers, by the channels that leave the last one."""
        values, place = np.unique(channels, return_inverse=True)
        numbers = [{"c": int(c), "h": self.size, "w": self.size, "classes": classes} for c in values]
        table = [[formula.value(given) for formula in self.extra] for given in numbers]
        return np.array(table, dtype=np.int64).reshape(-1, 2)[place]


def _table(source: str, slot: _Slot, layer: int, incoming: Ints, costs: Mapping[str, Cost]) -> _Table:
    combinations = list(itertools.product(*slot.options.values()))
    if len(combinations) * len(incoming) > _MOST_VALUES:
        count = f"{len(combinations):,} combinations for {len(incoming):,} numbers of channels"
        raise BadSetting(f"{source}: costs of layer {layer}", count, f"at most {_MOST_VALUES:,} in all")
    names = list(slot.options)
    numeric = {name for name in names if all(number(option) is not None for option in slot.options[name])}
    variables = numeric | {"c", "c_in", "h", "w", "layer"}
    formulas = {op: _formulas(source, cost, op, variables) for op, cost in costs.items() if _meant(slot, op)}
    table = np.zeros((len(incoming), len(combinations), 2), dtype=np.int64)
    outgoing = np.zeros(table.shape[:2], dtype=np.int64)
    for (row, c_in), (column, combination) in itertools.product(enumerate(incoming.tolist()), enumerate(combinations)):
        chosen = dict(zip(names, combination, strict=True))
        numbers = {name: number(chosen[name]) or 0 for name in numeric}
        given = [int(numbers[name]) for name in _OUTPUTS if name in numeric]
        outgoing[row, column] = c = (given or [slot.channels or c_in])[0]
        numbers |= {"c": c, "c_in": c_in, "h": slot.size, "w": slot.size, "layer": layer}
        of_op = formulas.get(chosen.get("op", ""), formulas.get(""))
        if of_op is not None:
            table[row, column] = [formula.value(numbers) for formula in of_op]
    return _Table(incoming, table, outgoing)


def _meant(slot: _Slot, op: str) -> bool:
    return not op or op in slot.options.get("op", ())


def _formulas(source: str, cost: Cost, op: str, variables: set[str]) -> tuple[Formula, Formula]:
    return cost.formulas(f"{source}: cost.{op}" if op else f"{source}: cost", variables)


def number(option: str) -> int | float | None:
    """The number that an option is, None for other text."""
    try:
        value = float(option)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value
