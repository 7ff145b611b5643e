"""Names to objects through entry points: built-ins and plugins enter by the same door."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from tierwise.errors import BadSetting, UnknownName

Kind = Literal["space", "encoding", "predictor", "strategy", "benchmark", "executor", "optimiser", "tracker"]
GROUPS: dict[Kind, str] = {
    "space": "tierwise.spaces",
    "encoding": "tierwise.encodings",
    "predictor": "tierwise.predictors",
    "strategy": "tierwise.strategies",
    "benchmark": "tierwise.benchmarks",
    "executor": "tierwise.executors",
    "optimiser": "tierwise.optimisers",
    "tracker": "tierwise.trackers",
}


@functools.cache
def installed(kind: Kind) -> dict[str, EntryPoint]:
    """Every installed name of this kind and its entry point, without importing any."""
    return {point.name: point for point in sorted(entry_points(group=GROUPS[kind]), key=lambda p: p.name)}


def find(kind: Kind, name: str) -> Any:
    """The class or function behind a name. Raises UnknownName."""
    points = installed(kind)
    if name not in points:
        raise UnknownName(kind, name, points)
    return points[name].load()


def make(kind: Kind, name: str, **settings: Any) -> Any:
    """``find(kind, name)(**settings)``. Raises UnknownName, BadSetting."""
    factory = find(kind, name)
    try:
        return factory(**settings)
    except TypeError as error:
        raise BadSetting(f"settings of {kind} {name}", settings, str(error)) from error
