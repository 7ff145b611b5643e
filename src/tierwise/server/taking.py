"""Routes that start a search, and that take home: tables, the log, a script, drawings, networks, the report."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from tierwise.errors import BadSetting
from tierwise.navigator import export
from tierwise.navigator.progress import State
from tierwise.navigator.selection import Selection
from tierwise.server.answers import WRONG, answer
from tierwise.server.server import Server

What = Literal["csv", "parquet", "script", "log", "html", "svg", "dot", "network", "onnx"]
KINDS: dict[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "script": "text/x-python; charset=utf-8",
    "log": "application/json",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
    "dot": "text/vnd.graphviz; charset=utf-8",
    "network": "text/x-python; charset=utf-8",
    "onnx": "application/octet-stream",
}
LONGEST = 600.0  # seconds that a report or a network may take
ENDS = {"script": "py", "log": "json", "network": "py"}
FILES: dict[int | str, dict[str, Any]] = {200: {"content": {kind.split(";")[0]: {} for kind in KINDS.values()}}}


@dataclass
class Start:
    """trials: evaluations aimed at in all."""

    trials: Annotated[int, Query(ge=1, le=10_000_000)] | None = None


@dataclass
class Take:
    """A table of a part of the map."""

    what: Literal["csv", "parquet"] = "csv"
    selection: Selection = field(default_factory=Selection)


def router(server: Server) -> APIRouter:
    """POST /run/start; GET and POST /export."""
    routes = APIRouter(responses=WRONG)

    @routes.post("/run/start", response_model=State)
    def start(start: Start | None = None) -> Response:
        server.start(None if start is None else start.trials)
        return answer(server.state())

    @routes.get("/export", response_class=Response, responses=FILES)
    def take(
        what: What,
        row: Annotated[int | None, Query(ge=0, le=2**31)] = None,
        rule: Annotated[str | None, Query(max_length=1_000)] = None,
        upto: Annotated[int | None, Query(ge=0, le=2**31)] = None,
    ) -> Response:
        navigator = server.navigator
        if what in ("csv", "parquet"):
            return _file(server, what, export.table(navigator, what, Selection(rule=rule)))
        if what == "html":
            return _file(server, what, _made(server, "report.html", "report", "--out"))
        if what == "script":
            return _file(server, what, export.script(navigator, upto))
        if what == "log":
            return _file(server, what, export.log(navigator))
        arch = export.chosen_arch(navigator, row)
        if what in ("svg", "dot"):
            return _file(server, what, export.drawn(navigator, arch, what))
        name = f"network.{ENDS.get(what, what)}"
        return _file(server, what, _made(server, name, "export", f"--architecture={arch[0]}"))

    @routes.post("/export", response_class=Response, responses=FILES)
    def take_part(asked: Take) -> Response:
        return _file(server, asked.what, export.table(server.navigator, asked.what, asked.selection))

    return routes


def _file(server: Server, what: str, content: bytes) -> Response:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", server.path.stem if server.path else "study")
    disposition = f'attachment; filename="{name}.{ENDS.get(what, what)}"'
    return Response(
        content, media_type=KINDS[what], headers={"Content-Disposition": disposition, "Cache-Control": "no-store"}
    )


def _made(server: Server, name: str, command: str, *options: str) -> bytes:
    """The file that a command writes whose last word is its name, in a process of its own. Raises BadSetting."""
    if server.path is None:
        raise BadSetting(command, "a study in memory", "one in a file")
    with tempfile.TemporaryDirectory(prefix="tierwise-") as folder:
        file = Path(folder) / name
        line = [sys.executable, "-m", "tierwise.cli.main", command, str(server.path), *options, str(file)]
        try:
            made = subprocess.run(line, capture_output=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired as error:
            raise BadSetting(command, f"not done after {LONGEST:.0f} s", f"tierwise {command}, at a prompt") from error
        if made.returncode or not file.is_file():
            said = made.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise BadSetting(command, said[-1], f"a study of which 'tierwise {command}' can make it")
        return file.read_bytes()
