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


def svg(navigator: Navigator, row: int | None) -> bytes:
    """The drawing of one architecture, by default of the best. Raises BadSetting."""
    best = navigator.record.best
    if row is None and best is None:
        raise BadSetting("row", row, "a row of the map; there is no best one yet")
    arch = navigator.arch(row=best.row if row is None and best is not None else row)
    graph = navigator.study.space.graph(arch)
    title = navigator.study.space.format(Architectures.of([arch], navigator.study.space))[0]
    return drawing.svg(graph.nodes, graph.edges, title=title).encode()
