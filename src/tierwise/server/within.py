"""The routes asked within this process: no socket, no port, and so no guard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import Message, Scope


@dataclass(frozen=True)
class Answer:
    """What a route has answered. headers: names in small letters. body: packed where content-encoding says so."""

    status: int
    headers: dict[str, str]
    body: bytes


def asked(app: FastAPI, method: str, target: str, body: bytes = b"") -> Answer:
    """Ask one route, and wait for its answer; not in a thread that has an event loop of its own.

    target: path and query. body: JSON.
    """
    return asyncio.run(_asked(app, method, target, body))


async def _asked(app: FastAPI, method: str, target: str, body: bytes) -> Answer:
    received: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(method, target), receive, send)
    start, *parts = sent
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))


def _scope(method: str, target: str) -> Scope:
    path, _, query = target.partition("?")
    headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json"), (b"accept-encoding", b"gzip")]
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": headers, "client": None, "server": None, "state": {},
    }  # fmt: skip
    return scope
