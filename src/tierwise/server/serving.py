"""From a study file to an address that a browser can open."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from tierwise.errors import BadSetting
from tierwise.server.app import application
from tierwise.server.guard import new_token
from tierwise.server.server import Opener, Server

SCREENS = {"DISPLAY", "WAYLAND_DISPLAY"}  # without one, a browser in the terminal would be opened
HOST, PORT, TRIES = "127.0.0.1", 8642, 20


def serve(
    path: Path | None,
    opener: Opener,
    *,
    port: int | None = None,
    read_only: bool = False,
    truth: bool = False,
    root_path: str = "",
    total: int | None = None,
    parent: int | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until Ctrl-C. The token is random, or TIERWISE_TOKEN. Raises StudyError, BadSetting.

    parent: the process without which it ends by itself, once no page is open.
    """
    own = _socket(port)
    number = own.getsockname()[1]
    token, root_path = os.environ.get("TIERWISE_TOKEN") or new_token(), root_path.rstrip("/")
    server = Server(opener, Path.cwd(), token, number, read_only, truth, root_path, total, parent=parent)
    try:
        if path is not None:
            server.open(path)
        address = f"http://{HOST}:{number}/?token={token}"
        say(address)
        config = uvicorn.Config(
            application(server), log_level="warning", access_log=False, server_header=False, proxy_headers=False,
            lifespan="on", timeout_graceful_shutdown=1, ws="none",
        )  # fmt: skip
        if browser and (sys.platform == "darwin" or SCREENS & os.environ.keys()):
            webbrowser.open(address)
        _Server(config, server).run(sockets=[own])
    finally:
        server.close()
        own.close()


class _Server(uvicorn.Server):
    """Ends the streams of events before it waits for what is open."""

    def __init__(self, config: uvicorn.Config, server: Server):
        super().__init__(config)
        self._events = server.events

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._events.close()
        await super().shutdown(sockets)


def _socket(port: int | None) -> socket.socket:
    """Bound to this machine alone; without a port the first free one from 8642 on. Raises BadSetting."""
    wanted = range(PORT, PORT + TRIES) if port is None else [port]
    for number in wanted:
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind((HOST, number))
        except (OSError, OverflowError):
            own.close()
            continue
        own.listen(128)
        return own
    raise BadSetting("port", port or PORT, "a free one of 1024 to 65535, or none to have one chosen")
