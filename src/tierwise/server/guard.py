"""Who may ask the server, and for how much: a token, this machine's own names, and small bodies."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1_000_000  # bytes
LOCAL = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",  # drawings carry style attributes
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CLOSED = "open the address that 'tierwise serve' has printed: it carries the token that this server asks for"


class Guard:
    """ASGI middleware. token: of the start address. port: names the cookie, so that two servers have two.

    root_path: where a proxy shows this server; then the proxy decides under which host it is asked.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int, root_path: str = ""):
        self.app, self.token, self.root_path = app, token, root_path
        self.cookie = f"tierwise-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a lifespan; there are no web sockets here
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        if problem := self._foreign(headers):
            await _answer(send, 403, problem)
        elif scope["path"] == "/" and self._start_token(scope):
            await self._let_in(send)
        elif not self._known(headers):
            await _answer(send, 401, CLOSED)
        elif (body := await _body(receive)) is None:
            await _answer(send, 413, f"a body of at most {LARGEST_BODY:,} bytes")
        else:
            await self.app(scope, _received(body, receive), _with_headers(send))

    def _foreign(self, headers: Mapping[str, str]) -> str:
        """Why a request is not one of this machine's own pages; "" where it is."""
        host = headers.get("host", "")
        if not self.root_path and _name(f"//{host}") not in LOCAL:
            return f"host {host!r} is not this server: ask 127.0.0.1 or localhost, or start it with --root-path"
        origin = headers.get("origin")
        same = headers.get("sec-fetch-site") == "same-origin" if self.root_path else False
        if origin is not None and not same and origin not in (f"http://{host}", f"https://{host}"):
            return f"origin {origin!r} is another page"
        return ""

    def _start_token(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return self._same(given)

    def _known(self, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._same(given):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and self._same(cookie.value)

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    async def _let_in(self, send: Send) -> None:
        """The token becomes a cookie, so that it stands in no address that a page could pass on."""
        path = self.root_path or "/"
        cookie = f"{self.cookie}={self.token}; Path={path}; HttpOnly; SameSite=Strict"
        headers = {**HEADERS, "Location": f"{self.root_path}/", "Set-Cookie": cookie, "Cache-Control": "no-store"}
        await send({"type": "http.response.start", "status": 303, "headers": _raw(headers)})
        await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is larger than allowed."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _received(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, then what comes behind it: the client goes away."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return messages.pop() if messages else await receive()

    return receiving


def new_token() -> str:
    """192 random bits."""
    return secrets.token_urlsafe(24)


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_raw(HEADERS)]
        await send(message)

    return sending


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _answer(send: Send, status: int, problem: str) -> None:
    body = json.dumps({"error": problem, "field": None}).encode()
    headers = {**HEADERS, "Content-Type": "application/json", "Cache-Control": "no-store"}
    await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": body})
