"""What can be taken home from a study as a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from tierwise import drawing
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.navigator.selection import Selection, chosen
from tierwise.navigator.table import as_csv, as_parquet, ordered

if TYPE_CHECKING:
    from tierwise.navigator.navigator import Navigator


def table(navigator: Navigator, what: Literal["csv", "parquet"], selection: Selection) -> bytes:
    """Every column of a part of the map, the best predicted first. Raises BadSetting, UnknownName, MissingExtra."""
    snapshot = navigator.snapshot()
    sort = "predicted" if snapshot.described["predicted"].known else ""
    rows = ordered(snapshot, chosen(snapshot, selection), sort, True)
    return as_csv(snapshot, rows) if what == "csv" else as_parquet(snapshot, rows)


def log(navigator: Navigator) -> bytes:
    """What people have said, as JSON."""
    return (json.dumps(asdict(navigator.steering()), indent=1) + "\n").encode()


def script(navigator: Navigator, upto: int | None = None) -> bytes:
    """A Python script that makes the study again and says what people have said, up to this row. Raises BadSetting."""
    with navigator.lock:
        return navigator.study.script(upto).encode()


def chosen_arch(navigator: Navigator, row: int | None) -> Architectures:
    """A row of the map, by default the best, as a batch of one. Raises BadSetting."""
    if row is None:
        if (best := navigator.record.best) is None:
            raise BadSetting("row", row, "a row of the map; there is no best one yet")
        row = best.row
    return Architectures.of([navigator.arch(row=row)], navigator.study.space)


def drawn(navigator: Navigator, one: Architectures, what: Literal["svg", "dot"]) -> bytes:
    """The drawing of one architecture (a batch of one), or its graph for Graphviz."""
    graph, draw = navigator.study.space.graph(one[0]), drawing.svg if what == "svg" else drawing.dot
    return draw(graph.nodes, graph.edges, title=navigator.study.space.format(one)[0]).encode()
