"""Routes that look: the study, the map's columns, trials, state, and the stream of what changes."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from tierwise.navigator.curve import Curve
from tierwise.navigator.log import SteeringFacts
from tierwise.navigator.meta import Meta
from tierwise.navigator.progress import State
from tierwise.navigator.trials import TrialFacts
from tierwise.server.answers import WRONG, Problem, answer, as_json
from tierwise.server.events import Event
from tierwise.server.server import Server

BINARY: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}, 304: {}}


def router(server: Server, version: str) -> APIRouter:
    """GET /meta, /columns/NAME.bin, /genes.bin, /trials, /state, /steering, /events."""
    routes = APIRouter(responses=WRONG)

    @routes.get("/meta", response_model=Meta)
    def meta() -> Response:
        return answer(server.meta(version))

    @routes.get("/columns/{name:path}.bin", response_class=Response, responses=BINARY)
    def column(request: Request, name: str, hash: Annotated[str, Query(max_length=64)] = "") -> Response:
        columns = server.navigator.columns
        if name not in columns.described:
            return answer(Problem(error=f"no column {name[:80]!r}; there is: {', '.join(columns.described)}"), 404)
        return _array(server, request, columns.described[name].hash, columns.values[name], hash)

    @routes.get("/genes.bin", response_class=Response, responses=BINARY)
    def genes(request: Request, hash: Annotated[str, Query(max_length=64)] = "") -> Response:
        population = server.navigator.population
        return _array(server, request, population.hash, population.archs.genes, hash)

    @routes.get("/trials", response_model=list[TrialFacts])
    def trials() -> Response:
        return answer(server.navigator.trials())

    @routes.get("/state", response_model=State)
    def state() -> Response:
        return answer(server.state())

    @routes.get("/curve", response_model=Curve)
    def curve() -> Response:
        return answer(server.navigator.curve())

    @routes.get("/steering", response_model=SteeringFacts)
    def steering() -> Response:
        return answer(server.navigator.steering())

    @routes.get("/events", response_class=EventSourceResponse)
    async def events(
        last_event_id: Annotated[str, Query(max_length=64)] = "",
        header: Annotated[str, Header(alias="last-event-id", max_length=64)] = "",
    ) -> AsyncIterable[ServerSentEvent]:
        first = await run_in_threadpool(_missed, server, header or last_event_id)
        async for event in server.events.listen(first):
            yield ServerSentEvent(raw_data=event.data, event=event.type, id=event.id)

    return routes


def _array(server: Server, request: Request, mark: str, values: np.ndarray[Any, Any], asked: str) -> Response:
    """Values under their hash, which never change; without it, those of now."""
    kept = "private, max-age=31536000, immutable" if asked == mark else "no-cache"
    headers = {"ETag": f'"{mark}"', "Cache-Control": kept, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == f'"{mark}"':
        return Response(status_code=304, headers=headers)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(server.packed(mark, values, zipped), media_type="application/octet-stream", headers=headers)


def _missed(server: Server, mark: str) -> list[Event]:
    """What a page is told when it opens the stream; one that comes again hears what it has missed."""
    if not server.has_study:
        return []
    navigator = server.navigator
    with navigator.lock:
        now, found = navigator.mark(), list[tuple[str, Any]]()
        if mark:
            missed = navigator.since(mark)
            if missed.trials:
                found.append(("trials", navigator.trials(missed.trials)))
            found.append(("columns", [navigator.columns.described[name] for name in missed.columns]))
        found += [("steering", navigator.steering()), ("state", server.state())]
    return [Event(kind, as_json(data), now) for kind, data in found]
