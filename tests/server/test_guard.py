"""Who is let in, and what is kept out."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.server.conftest import API, TOKEN, Served, serving
from tierwise.server.guard import LARGEST_BODY

PATHS = ["/", f"{API}/meta", f"{API}/events", "/openapi.json", "/assets/x.js", "/docs", f"{API}/export?what=log"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": "tierwise-1=x; ===; tierwise=" + TOKEN},
        {"Authorization": "Bearer \xff"},
    ],
)
def test_nothing_is_told_without_the_token(steady: Served, path: str, headers: dict[str, str]):
    sent = {key: value.encode("latin-1") for key, value in headers.items()}
    answer = httpx.get(steady.address + path, headers=sent)
    assert answer.status_code == 401
    assert TOKEN not in answer.text
    assert "tierwise serve" in answer.json()["error"]


def test_the_start_address_gives_a_cookie_and_goes_away(steady: Served):
    with httpx.Client(base_url=steady.address) as browser:
        first = browser.get("/", params={"token": TOKEN})
        assert (first.status_code, first.headers["location"]) == (303, "/")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert f"tierwise-{steady.server.port}=" in cookie
        assert browser.get(f"{API}/meta").status_code == 200
        assert browser.get("/").headers["cache-control"] == "no-store"
    assert httpx.get(steady.address, params={"token": "wrong"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::"])
def test_another_host_is_refused(steady: Served, host: str):
    assert steady.client.get(f"{API}/meta", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8642"])
def test_this_machine_may_have_another_port(steady: Served, host: str):
    assert steady.client.get(f"{API}/meta", headers={"Host": host}).status_code == 200  # through ssh -L


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:1"])
def test_another_page_is_refused(steady: Served, origin: str):
    answer = steady.client.post(f"{API}/steering/undo", json={"base": 0}, headers={"Origin": origin})
    assert answer.status_code == 403
    own = steady.client.post(f"{API}/select", json={}, headers={"Origin": steady.address})
    assert own.status_code == 200


def test_behind_a_proxy_the_browser_says_whose_page_asks(tmp_path: Path):
    with serving(None, tmp_path, root_path="/user/me/proxy/8642") as served:
        headers = {"Host": "hub.example", "Origin": "https://hub.example"}
        ask = served.client.get
        assert ask(f"{API}/meta", headers=headers).status_code == 200
        other = {"Host": "inner:8642", "Origin": "https://hub.example"}
        assert ask(f"{API}/meta", headers=other | {"Sec-Fetch-Site": "same-origin"}).status_code == 200
        assert ask(f"{API}/meta", headers=other | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
        first = httpx.get(served.address, params={"token": TOKEN})
        assert first.headers["location"] == "/user/me/proxy/8642/"
        assert "Path=/user/me/proxy/8642" in first.headers["set-cookie"]


def test_every_answer_is_locked_down(steady: Served):
    for path in ("/", f"{API}/meta", f"{API}/nothing", f"{API}/columns/params.bin"):
        headers = steady.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src" not in policy  # nothing is allowed beside the default
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_body_is_bounded(steady: Served):
    ask = steady.client.post
    large = b" " * (LARGEST_BODY + 1)
    assert ask(f"{API}/select", content=large).status_code == 413

    def drops():
        for _ in range(11):
            yield b" " * 100_000

    assert ask(f"{API}/select", content=drops()).status_code == 413
    assert ask(f"{API}/select", content=b'{"rule": "params > 0"}' + b" " * 900_000).status_code in (200, 422)


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/..%2f..%2fserver.py", "/assets/..%2f..%2fapp.py", "//etc/passwd"]
)
def test_no_path_leads_out_of_the_page(steady: Served, path: str):
    answer = steady.client.get(path)
    assert answer.status_code in (403, 404)
    assert "import" not in answer.text
    for name in ("..%2f..%2fx", "../../../../etc/passwd", "a" * 300):
        assert steady.client.get(f"{API}/columns/{name}.bin").status_code == 404


def test_there_are_no_pages_about_the_interface(steady: Served):
    for path in ("/docs", "/redoc"):
        assert steady.client.get(path).status_code == 404
    assert steady.client.get("/openapi.json").json()["info"]["title"] == "tierwise"
