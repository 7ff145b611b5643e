"""The application: routes under /api/v1, the page's files, and the guard before all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from tierwise.server import exploring, looking, oneshot, steering, taking
from tierwise.server.answers import add_handlers
from tierwise.server.events import TICK
from tierwise.server.guard import Guard
from tierwise.server.server import Server

LOG = logging.getLogger("uvicorn.error")
STATIC = Path(__file__).parent / "static"
PREFIX = "/api/v1"
PATIENCE = 60.0  # seconds that a server stays whose parent is gone, while no page is open
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>tierwise</title>
<h1>The page is not built</h1>
<p>This copy of tierwise runs from its sources. Build the page once, then load this address again:</p>
<pre>make page</pre>
<p>What it shows can be had without it: <a href="api/v1/meta">meta</a>, <a href="api/v1/state">state</a>.</p></html>"""


def application(server: Server) -> ASGIApp:
    """Everything that is asked for at one address. server: with its port and token."""

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncGenerator[None]:
        looks = asyncio.create_task(_look(server))
        yield
        looks.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looks
        server.close()

    app = routes(server, running)
    if (STATIC / "index.html").is_file():
        app.mount("/", _Files(directory=STATIC, html=True))
    else:
        app.add_route("/", lambda _: HTMLResponse(NOT_BUILT, headers={"Cache-Control": "no-store"}))
    return Guard(app, token=server.token, port=server.port, root_path=server.root_path)


def routes(server: Server, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    """Everything under /api/v1, without a guard and without files."""
    number = version("tierwise")
    app = FastAPI(title="tierwise", version=number, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    api = APIRouter(prefix=PREFIX)
    api.include_router(looking.router(server, number))
    api.include_router(exploring.router(server))
    api.include_router(steering.router(server))
    api.include_router(taking.router(server))
    api.include_router(oneshot.router(server))
    app.include_router(api)
    add_handlers(app)
    return app


async def _look(server: Server) -> None:
    """Look at the study five times a second, and tell what has changed; end when nobody needs this server."""
    needed = time.monotonic()
    while True:
        await asyncio.sleep(TICK)
        if server.parent is None or os.getppid() == server.parent or server.events.open:
            needed = time.monotonic()
        elif time.monotonic() - needed > PATIENCE:
            signal.raise_signal(signal.SIGINT)
        if server.has_study:
            try:
                server.events.send(await run_in_threadpool(server.events.look, server.navigator, server.state))
            except Exception:  # whatever it is, the next look may succeed, and no look would be the end of the stream
                LOG.exception("a look at the study has failed")


class _Files(StaticFiles):
    """Files whose names carry a hash are kept for good, the page itself never."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        named = "assets/" in path
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable" if named else "no-store"
        return response
