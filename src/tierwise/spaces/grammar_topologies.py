"""Topologies: how the arguments of a function are wired, as a small DAG whose edges carry them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tierwise.errors import BadSetting, UnknownName

Wiring = tuple[tuple[int, int], ...]  # (source, target) of each argument; node 0 is the input, the last the output
SERIES = "series"
BRANCH = "branch"
_SHAPES = {
    SERIES: "1 argument or more, one after another",
    "residual": "2 arguments or more: all but the last in series, the last as the shortcut beside them",
    BRANCH: "2 arguments or more, side by side, their results added up",
    "cell": "1, 3, 6 or 10 arguments: the edges of a complete DAG of 2 to 5 feature sums, by target and then by source",
}


def wiring(name: str, arguments: int, own: Mapping[str, Wiring]) -> Wiring:
    """The edges that carry so many arguments of a topology. Raises UnknownName, BadSetting."""
    if name in own:
        if arguments != len(own[name]):
            raise BadSetting(f"arguments of {name}", arguments, f"{len(own[name])}, one for each of its edges")
        return own[name]
    if name not in _SHAPES:
        raise UnknownName("topology", name, [*_SHAPES, *own])
    nodes = (1 + math.isqrt(1 + 8 * arguments)) // 2  # of the complete DAG
    if name == SERIES and arguments >= 1:
        return tuple((k, k + 1) for k in range(arguments))
    if name == "residual" and arguments >= 2:
        return *((k, k + 1) for k in range(arguments - 1)), (0, arguments - 1)
    if name == BRANCH and arguments >= 2:
        return ((0, 1),) * arguments
    if name == "cell" and 2 <= nodes <= 5 and nodes * (nodes - 1) == 2 * arguments:
        return tuple((i, j) for j in range(1, nodes) for i in range(j))
    raise BadSetting(f"arguments of {name}", arguments, _SHAPES[name])


def checked_wiring(name: str, edges: Sequence[tuple[int, int]]) -> Wiring:
    """A topology of one's own: edges (source, target). Raises BadSetting for what is no network or in no order."""
    last = max((node for edge in edges for node in edge), default=0)
    on_the_way = {j for _, j in edges} == set(range(1, last + 1)) and {i for i, _ in edges} == set(range(last))
    ordered = all(i < j and i not in {target for _, target in edges[k:]} for k, (i, j) in enumerate(edges))
    if not edges or not on_the_way or not ordered:
        allowed = (
            "pairs (source, target), source < target, of nodes 0 (the input) to the last (the output), all of them on "
            "a way; the edges into a node before those that leave it"
        )
        raise BadSetting(f"topology {name}", list(edges), allowed)
    return tuple((int(i), int(j)) for i, j in edges)
