"""J. The dashboard, and who may do what: strangers, other sites, hostile names, secrets, floods."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from queuectl.service.context import Context, opened
from queuectl.store.filesystem import filesystem_of
from queuectl.web import live, tokens
from queuectl.web.access import cookie_name
from queuectl.web.app import create_app
from queuectl.web.guard import LOGIN, LOGOUT, MAX_BODY
from queuectl.web.serve import listen
from queuectl.web.site import Site
from queuectl.web.tokens import Tokens
from tests.command import Queuectl
from tests.faults.machine import need
from tests.web.conftest import ORIGIN, TOKENS, Server, asking

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "'\"></script><script>alert(1)</script>",
    "{{ 7*7 }}",
)
LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


@pytest.fixture
def ctx(queuectl: Queuectl) -> Iterator[Context]:
    with opened(str(queuectl.db), create=True, environ=queuectl.env) as ctx:
        yield ctx


@pytest.fixture
def site(ctx: Context) -> Site:
    return Site(database=ctx.path, tokens=TOKENS, environ=ctx.environ)


@pytest.fixture
def app(site: Site) -> FastAPI:
    return create_app(site)


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with asking(app, TOKENS.full) as client:
        yield client


@pytest.fixture
def stranger(app: FastAPI) -> Iterator[httpx.Client]:
    with asking(app, None) as client:
        yield client


@pytest.fixture
def server(queuectl: Queuectl) -> Iterator[Server]:
    server = Server(queuectl)
    yield server
    server.stop()


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Return method and path of all that can be asked for, with a value for each parameter."""
    found = [("POST", LOGOUT)]
    for route in iter_route_contexts(app.routes):
        path = re.sub(r"\{[^}]+\}", "7", route.path or "")
        if path == "/static":  # the only one that is mounted: an application of its own
            found.append(("GET", "/static/app.js"))
        else:
            assert route.methods, f"what is asked for at {path}?"
            found += [(method, path) for method in sorted(route.methods)]
    assert len(found) > 60
    assert {"/live", "/metrics", "/healthz", "/static/app.js", "/jobs/7", "/api/v1/jobs/7/logs"} <= {
        path for _, path in found
    }
    return found


# J01–J04: strangers and other sites


def test_j01_only_this_machine_and_only_with_a_token(server: Server) -> None:
    listening = _listening(server.process.pid)
    assert [host for host, _ in listening] == ["127.0.0.1"]
    assert server.url.startswith("http://127.0.0.1:")
    assert len(server.token) >= 40
    assert httpx.get(server.url).status_code == 401
    assert server.client().get("/").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_j01_nobody_is_let_in_from_elsewhere_without_a_token(queuectl: Queuectl, host: str) -> None:
    done = queuectl.run("dashboard", "--no-auth", "--host", host, "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert "--no-auth" in done.stderr


def test_j02_every_route_wants_a_token(app: FastAPI, stranger: httpx.Client) -> None:
    wrong = {"authorization": "Bearer wrong"}, {"cookie": f"{cookie_name(app.state.site)}=full"}, {}
    for method, path in routes(app):
        if path != LOGOUT:
            for headers in wrong:
                answer = stranger.request(method, path, headers={"sec-fetch-site": "same-origin"} | headers)
                allowed = {401, 429} if "authorization" in headers else {401}
                assert answer.status_code in allowed, (method, path, headers)
                assert not answer.content or answer.json()["title"]


def test_j02_also_what_is_not_there(stranger: httpx.Client) -> None:
    for path in ("/nothing", "/static/nothing", "/static", "/openapi.json", "/docs", "/api/v1/openapi.json"):
        assert stranger.get(path).status_code == 401


def test_j02_who_may_look_changes_nothing(app: FastAPI) -> None:
    with asking(app, TOKENS.read) as reader:
        for method, path in routes(app):
            if method not in LOOKING and path != LOGOUT:
                answer = reader.request(method, path)
                assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden"), (method, path)


def test_j03_no_route_under_a_foreign_name(app: FastAPI, client: httpx.Client) -> None:
    for method, path in [*routes(app), ("POST", LOGIN)]:
        answer = client.request(method, path, headers={"host": "evil.example"})
        assert answer.status_code == 421, (method, path)


@pytest.mark.parametrize(
    "host", ["", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8080", "[evil]", "2130706433"]
)
def test_j03_no_name_that_only_looks_like_ours(client: httpx.Client, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST", "192.0.2.1:1"])
def test_j03_our_own_names(client: httpx.Client, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8081"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": ORIGIN},
    {"sec-fetch-site": "none"},
)


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_j04_a_browser_is_not_led_into_changing_anything(
    app: FastAPI, stranger: httpx.Client, foreign: dict[str, str]
) -> None:
    session = {"cookie": _session(stranger)}
    for method, path in [*routes(app), ("POST", LOGIN)]:
        if method not in LOOKING:
            answer = stranger.request(method, path, headers=session | foreign)
            assert answer.status_code == 403, (method, path)


def test_j04_nothing_changes_by_get(ctx: Context, app: FastAPI, client: httpx.Client) -> None:
    looked_at = {path for method, path in routes(app) if method == "GET"}
    before = queue_as_text(ctx)
    for method, path in routes(app):
        if method not in LOOKING and path not in looked_at:
            assert client.get(path).status_code in {404, 405}, path
    for path in looked_at - {"/live", "/api/v1/events"}:
        client.get(path)
    assert queue_as_text(ctx) == before


def queue_as_text(ctx: Context) -> str:
    """Return all that is in the queue."""
    done = subprocess.run(["sqlite3", ctx.path, ".dump"], capture_output=True, text=True, check=True)
    return done.stdout


def test_j04_a_page_of_ours_may(client: httpx.Client, stranger: httpx.Client) -> None:
    for ours in ({"sec-fetch-site": "same-origin"}, {"origin": ORIGIN}):
        answer = stranger.post("/jobs/7/cancel", headers={"cookie": _session(stranger)} | ours)
        assert answer.status_code not in {401, 403}


def _session(client: httpx.Client, token: str = TOKENS.full) -> str:
    """Log in as a browser does; return its Cookie header."""
    answer = client.post(LOGIN, data={"token": token, "next": "/"}, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 303
    client.cookies.clear()
    return answer.headers["set-cookie"].partition(";")[0]


def one_line(text: str) -> bool:
    """Whether that is what people should see of an error."""
    return text.startswith("queuectl: ") and text.count("\n") == 1


def _listening(pid: int) -> list[tuple[str, int]]:
    """Return where a process listens, by its address."""
    import psutil  # noqa: PLC0415

    found = psutil.Process(pid).net_connections("tcp")
    return [(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN]
