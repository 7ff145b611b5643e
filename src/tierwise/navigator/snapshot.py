"""The map at one moment: nothing in it changes while somebody computes with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import UnknownName
from tierwise.filters import Filter
from tierwise.navigator.columns import Column, Values, has
from tierwise.navigator.scoring import TIERS

CHUNK = 65_536
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Snapshot:
    """archs: (n) on the map. genes: (choices, n) the same by choices. values, described: the columns by name.

    evaluated: (k) rows with a result, trials: (k) their trials, y: (k) their results, in the order of telling.
    objective: how the results are called. costs: names that steering rules may have. seed: of all that is sampled.
    """

    archs: Architectures
    genes: NDArray[np.int16]
    values: Mapping[str, Values]
    described: Mapping[str, Column]
    evaluated: NDArray[np.int64]
    trials: NDArray[np.int64]
    y: NDArray[np.float64]
    objective: str
    costs: tuple[str, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.archs)

    def column(self, name: str) -> NDArray[np.float64]:
        """(n,) a column as numbers, NaN where it is not known. Raises UnknownName."""
        if name not in self.values:
            raise UnknownName("column", name, self.values)
        values = self.values[name]
        return np.where(has(values), values, np.nan).astype(np.float64)

    def where(self, rule: str) -> Mask:
        """(n,) the rows that fulfil a condition, see ``tierwise.filters``; its columns are those of the map, tiers
        counted from 1. Raises BadSetting, UnknownName.
        """
        window = _Window(self._named(rule))
        condition = Filter(rule, self.archs.space, {name: window.reader(name) for name in window.columns})
        parts: list[Mask] = []
        for part in self.archs.chunks(CHUNK):
            parts.append(condition.mask(part))
            window.at += len(part)
        return np.concatenate(parts)

    def _named(self, rule: str) -> dict[str, NDArray[np.float64]]:
        """The columns that may stand in a rule; only those whose names occur in it are looked at."""
        words = set(re.findall(r"[A-Za-z_]\w*", rule))
        found: dict[str, NDArray[np.float64]] = {}
        for name in (*self.values, self.objective):
            own = "result" if name == self.objective and name not in self.values else name
            if name.isidentifier():
                found[name] = self.column(own) + (name == "tier") if name in words else np.zeros(0)
        return found


@dataclass
class _Window:
    """Columns of which a filter reads one piece after the other. at: the row where the present piece begins."""

    columns: dict[str, NDArray[np.float64]]
    at: int = 0

    def reader(self, name: str) -> _Reader:
        """What a filter asks for a column."""
        return _Reader(self, name)


@dataclass(frozen=True)
class _Reader:
    window: _Window
    name: str

    def __call__(self, archs: Architectures) -> NDArray[np.float64]:
        """(n,) values of the next rows; of a trial run over a few of the space, as many as it has."""
        values, at = self.window.columns[self.name], self.window.at
        piece = values[at : at + len(archs)]
        return (
            piece if len(piece) == len(archs) else np.resize(piece, len(archs)) if len(piece) else np.zeros(len(archs))
        )


def tier_counts(tiers: Values) -> list[int]:
    """How many of these are in each tier, the best first."""
    return np.bincount(tiers[tiers < TIERS], minlength=TIERS).tolist()
