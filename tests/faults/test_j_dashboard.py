"""J. The dashboard, and who may do what: strangers, other sites, hostile names, secrets, floods."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from html.parser import HTMLParser
from pathlib import Path

import httpx
import psutil
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from queuectl.engine.environment import _is_own
from queuectl.service.context import Context
from queuectl.web import following, live, serve
from queuectl.web.access import cookie_name
from queuectl.web.app import create_app
from queuectl.web.guard import LOGIN, LOGOUT, MAX_BODY
from queuectl.web.site import Site
from queuectl.web.tokens import Tokens
from tests.command import Queuectl
from tests.faults.machine import need
from tests.store.conftest import Bench
from tests.web.conftest import ORIGIN, TOKENS, Server, asking
from tests.web.outputs import writing

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "'\"></script><script>alert(1)</script>",
    "{{ 7*7 }}",
)
LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


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
    assert is_well(server)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_j01_nobody_is_let_in_from_elsewhere_without_a_token(queuectl: Queuectl, host: str) -> None:
    done = queuectl.run("dashboard", "--no-auth", "--host", host, "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert "--no-auth" in done.stderr


def test_j02_every_route_wants_a_token(app: FastAPI, stranger: httpx.Client) -> None:
    wrong: list[dict[str, str]]
    wrong = [{"authorization": "Bearer wrong"}, {"cookie": f"{cookie_name(app.state.site)}=full"}, {}]
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
    "host",
    ["", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8080", "[evil]", "2130706433"],
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
            client.get(path)  # 404, 405, or another page
    for path in looked_at - {"/live", "/api/v1/events"}:
        client.get(path)
    assert queue_as_text(ctx) == before


def queue_as_text(ctx: Context) -> str:
    """Return all that is in the queue."""
    with closing(sqlite3.connect(ctx.path)) as connection:
        return "\n".join(connection.iterdump())


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
    found = psutil.Process(pid).net_connections("tcp")
    return [(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN]


# J05–J06: what is shown, and what a path leads to


class Elements(HTMLParser):
    """What a page consists of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def hostile(queuectl: Queuectl, ctx: Context, client: httpx.Client) -> Queuectl:
    """A queue in which all that somebody may choose is markup. Job 1 is dead, the spec `hostile` has run."""
    everything = " ".join(HOSTILE)
    queuectl.spec(
        "hostile",
        json.dumps(
            {
                "command": ["sh", "-c", 'echo "$0"; echo "$0" >&2; exit 3', everything],
                "schedule": "0 0 1 1 *",
                "description": everything,
                "labels": {"team": everything},
                "env": {"X": everything},
                "params": {"P": {"type": "string", "default": everything, "description": everything}},
            }
        ),
    )
    queuectl("apply", "jobs.d")
    queuectl("trigger", "hostile")
    for number, one in enumerate(HOSTILE):
        made = {"command": one, "key": one, "labels": {"x": one}, "retries": 0, "env": {f"E{number}": one}}
        assert client.post("/api/v1/jobs", json=made).status_code == 201
    queuectl.run("run", "--until-idle")
    queuectl("queue", "pause", "default", "--reason", everything)
    queuectl("spec", "pause", "hostile", "--reason", everything)
    return queuectl


def looked_at(app: FastAPI) -> list[str]:
    """Return what can be looked at of the `hostile` queue, but for streams that don't end."""
    found = {
        "/dead/group?spec=hostile",
        "/jobs?text=%3Cimg+src%3Dx%3E",
        "/jobs?spec=%22%3E%3Csvg+onload%3Dx%3E",
    }
    for path in (path for method, path in routes(app) if method == "GET"):
        is_of_spec = "/specs/" in path or "/queues/" in path
        found.add(path.replace("/7", "/hostile" if is_of_spec else "/1"))
    return sorted(found - {"/live", "/api/v1/events"})


def test_j05_names_commands_outputs_and_errors_are_text(
    hostile: Queuectl, app: FastAPI, client: httpx.Client
) -> None:
    shown = 0
    for path in looked_at(app):
        answer = client.get(path, headers={"accept": "text/html, application/json"})
        assert answer.status_code in {200, 404, 422}, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        kind = answer.headers["content-type"].partition(";")[0]
        if kind != "text/html":
            assert kind in NEVER_RUN, path
            continue
        page = Elements(answer.text)
        shown += any(one in page.text for one in HOSTILE)
        for tag, attributes in page.tags:
            assert tag not in {"img", "iframe", "object", "embed", "base", "style"}, (path, tag)
            assert not [name for name in attributes if name.startswith("on") or name == "style"], path
            assert tag != "script" or attributes["src"].startswith("/static/"), path
            for name in ("href", "src", "action", "formaction"):
                assert attributes.get(name, "/").startswith(("/", "#", "?", "data:,")), (path, attributes)
        assert "49" not in page.text or "{{ 7*7 }}" in page.text
    assert shown >= 4, "the queue should show on most pages"


NEVER_RUN = {
    "application/json",
    "application/openmetrics-text",
    "application/problem+json",
    "application/octet-stream",
    "text/css",
    "text/event-stream",
    "text/javascript",
    "text/plain",
}
"""Kinds of content in which a browser runs no script."""


def test_j05_no_page_may_have_a_script_in_it(client: httpx.Client, stranger: httpx.Client) -> None:
    page = client.get("/").headers["content-security-policy"]
    login = stranger.get("/", headers={"accept": "text/html"}).headers["content-security-policy"]
    for policy in (page, login):
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "*" not in policy
    assert "script-src 'self';" in page
    assert client.get("/metrics").headers["content-type"].startswith("text/plain")


def test_j05_the_page_to_log_in_shows_what_was_asked_for_as_text(stranger: httpx.Client) -> None:
    path = "/jobs?text=%22%3E%3Csvg%20onload%3Dx%3E&x='\"><svg onload=x>"
    page = Elements(stranger.get(path, headers={"accept": "text/html"}).text)
    assert {tag for tag, _ in page.tags} >= {"form", "input"}
    assert not [tag for tag, attributes in page.tags if tag == "svg" or "onload" in attributes]


OUT_OF_HERE = [
    *(
        f"/{place}/{steps}etc/passwd"
        for place in ("static", "jobs", "api/v1/jobs/1/logs")
        for steps in (
            "../../../../../../",
            "..%2f..%2f..%2f..%2f..%2f",
            "%2e%2e/%2e%2e/%2e%2e/%2e%2e/",
            "..%5c..%5c",
            "/",
            "%2f",
            "....//....//",
            "..%00/",
            "..%c0%af..%c0%af",
        )
    ),
    *(
        f"/jobs/{name}"
        for name in ("..", "%2e%2e", "..%2f..", ".", "-1", "1e3", "0x1", "%D9%A1", "1%00", "9" * 30, "")
    ),
    *(f"/jobs/{name}/log/raw" for name in ("..", "..%2f..%2fetc%2fpasswd", "1%2f..%2f2", "-1", "9" * 30)),
    *(f"/api/v1/jobs/{name}/logs" for name in ("..", "..%2f..%2fetc%2fpasswd", "1%2f..%2f2", "-1", "9" * 30)),
    *(f"/api/v1/specs/{name}" for name in ("..", "..%2f..%2fetc%2fpasswd", "%00", "a%0ab", "%ff")),
]


def test_j06_no_path_leads_out_of_here(queuectl: Queuectl, server: Server) -> None:
    queuectl("enqueue", "echo secret")
    queuectl.run("run", "--until-idle")
    before = files_of(queuectl.folder)
    for path in OUT_OF_HERE:
        for method in ("GET", "DELETE"):
            status, answer = asked_raw(server, f"{method} {path} HTTP/1.1")
            assert status in {307, 400, 404, 405, 422}, (method, path, status)
            assert b"root:" not in answer
    assert files_of(queuectl.folder) == before


def files_of(folder: Path) -> set[Path]:
    """Return the files that are there."""
    return {path for path in folder.rglob("*") if path.suffix not in {".db-wal", ".db-shm"}}


def asked_raw(server: Server, line: str) -> tuple[int, bytes]:
    """Ask with a first line as it is given; return the status and the answer."""
    with connected(server) as connection:
        token = f"Authorization: Bearer {server.token}"
        connection.sendall(
            f"{line}\r\nHost: localhost\r\n{token}\r\nConnection: close\r\n\r\n".encode("latin-1")
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer


def is_well(server: Server) -> bool:
    """Whether a server answers."""
    with server.client() as client:
        return client.get("/healthz").status_code == 200


def connected(server: Server) -> socket.socket:
    """Return a connection to a server."""
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 80), timeout=20)


# J07–J08: tokens


def test_j07_each_token_is_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("queuectl.web.tokens.hmac.compare_digest", compare)
    for token in (TOKENS.full, TOKENS.read, "wrong", "", "é\udcff"):
        compared.clear()
        TOKENS.role_of(token)
        assert [other for _, other in compared] == [TOKENS.full.encode(), TOKENS.read.encode()]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {TOKENS.full}"},
        {"authorization": f"Bearer {TOKENS.full}x"},
        {"authorization": f"Bearer {TOKENS.full[:-1]}"},
        {"authorization": f"Bearer {TOKENS.full.upper()}"},
        {"authorization": "Bearer é".encode()},
        {"authorization": "Bearer None"},
        {"cookie": "queuectl"},
        {"cookie": "="},
        {"cookie": f"{'a=b; ' * 200}x"},
    ],
    ids=str,
)
def test_j07_nothing_but_a_token_is_one(stranger: httpx.Client, headers: dict[str, str]) -> None:
    assert stranger.get("/healthz", headers=headers).status_code == 401


@pytest.mark.parametrize("forged", ["full", "full.AAAA.BBBB", "{}", "", "full.", "\\146ull"])
def test_j07_no_cookie_is_forged(app: FastAPI, stranger: httpx.Client, forged: str) -> None:
    for value in (forged, _session(stranger, TOKENS.read).partition("=")[2].replace("read", "full", 1)):
        answer = stranger.get("/healthz", headers={"cookie": f"{cookie_name(app.state.site)}={value}"})
        assert answer.status_code == 401


def test_j07_a_cookie_ends_with_its_tokens_and_its_month(site: Site, stranger: httpx.Client) -> None:
    session = {"cookie": _session(stranger)}
    assert stranger.get("/healthz", headers=session).status_code == 200
    others = Site(
        database=site.database, tokens=Tokens(full=TOKENS.full, read="another"), environ=site.environ
    )
    with asking(create_app(others), None) as elsewhere:
        for name in (cookie_name(site), cookie_name(others)):
            cookie = f"{name}={session['cookie'].partition('=')[2]}"
            assert elsewhere.get("/healthz", headers={"cookie": cookie}).status_code == 401


def test_j07_who_tries_too_many_waits(site: Site) -> None:
    now = [1000.0]
    slow = Site(database=site.database, tokens=TOKENS, environ=site.environ, seconds=lambda: now[0])
    with asking(create_app(slow), None) as stranger:
        wrong = [stranger.get("/", headers={"authorization": f"Bearer {n}"}).status_code for n in range(25)]
        assert wrong == [401] * 20 + [429] * 5
        assert stranger.post(LOGIN, data={"token": "x"}, headers=OURS).status_code == 429
        assert stranger.get("/", headers={"authorization": f"Bearer {TOKENS.full}"}).status_code == 200
        now[0] += 61
        assert stranger.get("/", headers={"authorization": "Bearer x"}).status_code == 401


OURS = {"sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("body", [b"", b"token", b"token=", b"token=a&token=b", b"\xff\xfe", b"a=b&" * 100])
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x/y", ""]
)
def test_j07_no_form_without_a_token_logs_in(stranger: httpx.Client, body: bytes, kind: str) -> None:
    answer = stranger.post(LOGIN, content=body, headers={"content-type": kind, **OURS})
    assert answer.status_code in {400, 401}
    assert "set-cookie" not in answer.headers


def test_j08_a_token_in_the_address_is_none(stranger: httpx.Client) -> None:
    for address in (f"/?token={TOKENS.full}", f"/?access_token={TOKENS.full}", f"/{TOKENS.full}"):
        assert stranger.get(address).status_code == 401


def test_j08_the_cookie_is_for_nothing_but_this(stranger: httpx.Client) -> None:
    answer = stranger.post(LOGIN, data={"token": TOKENS.full, "next": "//evil.example/"}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    flags = answer.headers["set-cookie"].split("; ")[1:]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    assert TOKENS.full not in answer.headers["set-cookie"]
    assert answer.headers["cache-control"] == "no-store"
    left = stranger.post(LOGOUT, headers=OURS)
    assert (left.status_code, "Max-Age=0" in left.headers["set-cookie"]) == (303, True)


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "/%0d%0aX:y\r\nX: y",
        "javascript:alert(1)",
        "",
    ],
)
def test_j08_nobody_is_led_elsewhere_by_logging_in(stranger: httpx.Client, there: str) -> None:
    answer = stranger.post(LOGIN, data={"token": TOKENS.full, "next": there}, headers=OURS)
    assert answer.headers["location"] == "/"
    assert "x" not in answer.headers


def test_j08_tokens_stand_in_no_log_no_process_list_and_no_error(queuectl: Queuectl) -> None:
    queuectl.spec("slow", "command: sleep 60")
    run = queuectl.start("run", "jobs.d", "--dashboard", "0")
    log = queuectl.folder / "run0.log"
    link = queuectl.wait_until(lambda: re.search(r"http://\S+#token=(\S+)\n", log.read_text()), "a link")
    token, url = link[1], link[0].partition("#")[0]
    printed = log.read_text().count(token)
    for path in ("/", "/jobs/999", "/nothing", "/static/nothing", f"/?token={token}", f"/{token}"):
        for headers in ({"authorization": f"Bearer {token}"}, {"cookie": f"queuectl={token}"}, {}):
            assert token not in httpx.get(f"{url[:-1]}{path}", headers=headers).text or token in path
    httpx.post(f"{url}login", data={"token": token}, headers=OURS)
    assert log.read_text().count(token) == printed == 1
    lines = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    assert token not in lines
    made = {
        path
        for path in queuectl.folder.rglob("*")
        if path.is_file() and token in path.read_text(errors="replace")
    }
    assert made == {log, queuectl.folder / "q.tokens"}
    run.kill()


# J09–J14, J17: beside the dashboard


def test_j09_data_is_never_a_part_of_a_command(queuectl: Queuectl, client: httpx.Client) -> None:
    nasty = "; touch pwned; $(touch pwned) `touch pwned` && touch pwned | touch pwned\n'\"\\"
    queuectl.spec("listed", json.dumps({"command": ["printf", "%s", nasty]}))
    queuectl.spec("shell", json.dumps({"command": 'printf %s "$X"', "env": {"X": nasty}}))
    asked = {"command": 'printf %s "$DAY"', "params": {"DAY": {"type": "string", "default": "today"}}}
    queuectl.spec("asked", json.dumps(asked))
    queuectl("apply", "jobs.d")
    jobs = [*queuectl.json("trigger", "listed"), *queuectl.json("trigger", "shell")]
    jobs.append(client.post("/api/v1/specs/asked/trigger", json={"params": {"DAY": nasty}}).json())
    jobs.append(client.post("/api/v1/jobs", json={"command": ["printf", "%s", nasty]}).json())
    jobs.append(client.post("/api/v1/jobs", json={"command": 'printf %s "$X"', "env": {"X": nasty}}).json())
    queuectl("run", "--until-idle")
    for job in jobs:
        assert client.get(f"/api/v1/jobs/{job['id']}/logs").text == nasty
    assert not list(queuectl.folder.rglob("pwned"))


def test_j10_files_are_private_from_the_moment_they_exist(queuectl: Queuectl) -> None:
    need(_has("strace"), "strace")
    queuectl.env["QUEUECTL_DB"] = str(queuectl.folder / "new" / "sub" / "queue.db")
    trace = queuectl.folder / "trace"
    strace = (
        "strace",
        "-f",
        "-qq",
        "-o",
        str(trace),
        "-e",
        "trace=open,openat,mkdir,mkdirat,chmod,fchmod,fchmodat",
    )
    careless = queuectl.under("sh", "-c", 'umask 000; exec "$@"', "sh", *strace)
    server = Server(careless)
    with server.client() as client:
        client.post("/api/v1/jobs", json={"command": "head -c 200000 /dev/zero"})
    careless("run", "--until-idle")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (queuectl.folder / "new").rglob("*")
        if path.is_file()
    }
    assert {"queue.db", "queue.tokens"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert {
        path.stat().st_mode & 0o777 for path in (queuectl.folder / "new").rglob("*") if path.is_dir()
    } == {0o700}
    server.stop()
    made = [
        line
        for line in trace.read_text().splitlines()
        if "/new" in line and ("O_CREAT" in line or "O_TMPFILE" in line or "mkdir" in line)
    ]
    assert made
    for line in made:
        assert re.search(r", 0[67]00\)", line), line


def _has(tool: str) -> bool:
    return shutil.which(tool) is not None


def test_j11_a_secret_is_shown_nowhere(queuectl: Queuectl, app: FastAPI, client: httpx.Client) -> None:
    plain, referred, filed = "plain-hunter2", "referred-hunter2", "filed-hunter2"
    (queuectl.folder / "secret").write_text(filed)
    queuectl.env["API_TOKEN"] = referred
    env = {
        "PLAIN": plain,
        "TOKEN": {"from_env": "API_TOKEN"},
        "FILED": {"from_file": str(queuectl.folder / "secret")},
    }
    parts = ((plain, "PLAIN"), (referred, "TOKEN"), (filed, "FILED"))
    checks = (f'test "${{{name}%-*}}" = {secret.partition("-")[0]}' for secret, name in parts)
    check = " && ".join((*checks, "sleep 1"))
    queuectl.spec("hostile", json.dumps({"command": check, "env": env}))
    queuectl("apply", "jobs.d")
    job = queuectl.json("trigger", "hostile")[0]["id"]
    run = queuectl.start("run", "--until-idle", "--log-level", "debug")
    queuectl.wait_until(lambda: queuectl.states()[job] == "processing", "it runs")
    command_lines = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert run.wait(30) == 0
    shown = [client.get(path).text for path in looked_at(app)]
    shown += [
        queuectl(*words)
        for words in (
            ("get", str(job)),
            ("get", str(job), "-o", "json"),
            ("list", "-o", "json"),
            ("list",),
            ("spec", "show", "hostile"),
            ("spec", "list", "-o", "json"),
            ("logs", str(job)),
            ("why", str(job)),
            ("status", "-o", "json"),
        )
    ]
    logs = [path.read_text(errors="replace") for path in queuectl.folder.rglob("*.log")]
    for secret in (plain, referred, filed):
        for text in (*shown, *logs, command_lines):
            assert secret not in text
    stored = (
        queuectl.db.read_bytes() + Path(f"{queuectl.db}-wal").read_bytes()
        if Path(f"{queuectl.db}-wal").exists()
        else queuectl.db.read_bytes()
    )
    assert referred.encode() not in stored
    assert filed.encode() not in stored


def test_j12_what_the_worker_knows_its_jobs_do_not(queuectl: Queuectl) -> None:
    queuectl("enqueue", "env; tr '\\0' '\\n' </proc/$PPID/environ >/dev/null; echo done")
    queuectl("run", "--until-idle", QUEUECTL_TOKEN="hunter2")  # noqa: S106
    shown = queuectl("logs", "1")
    assert "done" in shown
    assert "hunter2" not in shown
    environment = {b"PGPASSWORD": b"hunter2", b"QUEUECTL_TOKEN": b"hunter2", b"PATH": b"/bin"}
    kept = {name for name in environment if not _is_own(name, "postgresql://queue@db/queue")}
    assert kept == {b"PATH"}


@pytest.mark.parametrize("is_dangling", [False, True])
def test_j13_no_link_is_followed_where_the_tokens_are_to_be(queuectl: Queuectl, *, is_dangling: bool) -> None:
    queuectl("enqueue", "true")
    victim = queuectl.folder / "victim"
    if not is_dangling:
        victim.write_text('{"full": "0123456789abcdef", "read": "fedcba9876543210"}')
        victim.chmod(0o600)
    (queuectl.folder / "q.tokens").symlink_to(victim)
    done = queuectl.run("dashboard", "--port", "0")
    assert (done.returncode, done.stdout) == (4, "")
    assert one_line(done.stderr)
    assert "symbolic link" in done.stderr
    assert victim.exists() is not is_dangling


def test_j13_nothing_is_made_in_a_folder_for_all(queuectl: Queuectl) -> None:
    shared = queuectl.folder / "shared"
    shared.mkdir()
    server = Server(queuectl.under("env", f"TMPDIR={shared}"))
    with server.client() as client:
        client.post("/api/v1/jobs", json={"command": "head -c 200000 /dev/zero"})
        queuectl("run", "--until-idle", TMPDIR=str(shared))
        client.post("/api/v1/jobs", json={"command": "x" * 1_000_000})
        assert client.get("/api/v1/jobs/1/logs").status_code == 200
    assert not list(shared.iterdir())
    server.stop()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_j14_tokens_that_others_can_read_are_none(queuectl: Queuectl, mode: int) -> None:
    Server(queuectl).stop()
    tokens_file = queuectl.folder / "q.tokens"
    tokens_file.chmod(mode)
    done = queuectl.run("dashboard", "--port", "0")
    assert (done.returncode, one_line(done.stderr)) == (4, True)
    assert "chmod 600" in done.stderr
    assert json.loads(tokens_file.read_text())["full"] not in done.stderr


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"full": "", "read": ""}',
        '{"full": "short", "read": "short"}',
        "\x00" * 64,
        '{"full": "0123456789abcdef"}',
        '{"full": "0123456789abcdef\\n", "read": "0123456789abcdef"}',
    ],
)
def test_j14_a_damaged_file_of_tokens_is_one_line(queuectl: Queuectl, content: str) -> None:
    queuectl("enqueue", "true")
    (queuectl.folder / "q.tokens").write_text(content)
    (queuectl.folder / "q.tokens").chmod(0o600)
    done = queuectl.run("dashboard", "--port", "0")
    assert (done.returncode, one_line(done.stderr)) == (4, True), done.stderr
    assert "delete it" in done.stderr


def test_j14_tokens_of_somebody_else(queuectl: Queuectl) -> None:
    need(os.getuid() == 0, "root, to give a file away")
    Server(queuectl).stop()
    os.chown(queuectl.folder / "q.tokens", 65534, 65534)
    done = queuectl.run("dashboard", "--port", "0")
    assert (done.returncode, one_line(done.stderr)) == (4, True)


def test_j14_a_folder_of_specs_that_everybody_can_write_to(queuectl: Queuectl) -> None:
    specs = queuectl.spec("a", "command: date").parent
    queuectl("apply", "jobs.d")
    specs.chmod(0o777)
    for command in (("apply", "jobs.d"), ("run", "jobs.d", "--until-idle")):
        done = queuectl.run(*command)
        assert done.returncode == 0
        assert "jobs.d can be written to by everybody" in done.stderr + done.stdout
    specs.chmod(0o755)
    done = queuectl.run("apply", "jobs.d")
    assert "everybody" not in done.stderr + done.stdout


def test_j14_a_folder_of_queues_that_everybody_can_write_to(queuectl: Queuectl) -> None:
    queuectl("enqueue", "date")
    queuectl.folder.chmod(0o777)
    assert "everybody may replace the files in" in queuectl("doctor")


# J15–J16: floods, and what is no HTTP


@pytest.fixture
def impatient(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server in this process that waits for nobody, and lets in few."""
    monkeypatch.setattr(serve, "REQUEST_S", 0.3)
    monkeypatch.setattr(serve, "LINGER_S", 0.3)
    monkeypatch.setattr(serve, "MOST_CONNECTIONS", 40)
    monkeypatch.setattr(live, "MOST_WATCHERS", 10)
    listener = serve.listen("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    watched, held = os.pipe()
    server = threading.Thread(target=serve.serve, args=(site, listener), kwargs={"lifeline": watched})
    server.start()
    yield port
    os.close(held)
    server.join(20)
    os.close(watched)
    assert not server.is_alive()


def begun(port: int, text: str) -> socket.socket:
    """Begin a request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(text.encode())
    return connection


def is_alive(port: int) -> bool:
    headers = {"authorization": f"Bearer {TOKENS.full}"}
    return httpx.get(f"http://127.0.0.1:{port}/healthz", headers=headers, timeout=20).status_code == 200


WITH_TOKEN = f"Host: localhost\r\nAuthorization: Bearer {TOKENS.full}\r\n"
JSON = "Content-Type: application/json\r\n"
WHOLE = f"GET /healthz HTTP/1.1\r\n{WITH_TOKEN}\r\n"


@pytest.mark.parametrize(
    "start",
    [
        "",
        "GET",
        f"GET / HTTP/1.1\r\n{WITH_TOKEN}X: ",
        f"GET / HTTP/1.1\r\n{WITH_TOKEN}",
        f"POST /api/v1/jobs HTTP/1.1\r\n{WITH_TOKEN}{JSON}Content-Length: 100\r\n\r\n{{",
        f"POST /api/v1/jobs HTTP/1.1\r\n{WITH_TOKEN}{JSON}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 100\r\n\r\ntoken=",
        f"{WHOLE}GET",
        f"{WHOLE}{WHOLE}GET / HTTP/1.1\r\n{WITH_TOKEN}X: ",
    ],
)
def test_j15_a_request_that_never_ends_is_hung_up_on(impatient: int, start: str) -> None:
    with begun(impatient, start) as connection:
        rest = b"".join(iter(lambda: received(connection), b""))
    assert rest.count(b"HTTP/1.1 200") == start.count(WHOLE)
    assert is_alive(impatient)


def received(connection: socket.socket) -> bytes:
    """Return what comes; nothing where the other side has hung up."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def test_j15_who_sends_a_byte_now_and_then_is_hung_up_on_too(impatient: int) -> None:
    with begun(impatient, f"GET / HTTP/1.1\r\n{WITH_TOKEN}X: ") as connection:
        connection.settimeout(0.05)
        sent = 0
        while sent < 1000:
            try:
                connection.sendall(b"x")
                sent += 1
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert sent < 1000


def test_j15_more_streams_than_there_is_room_for(impatient: int) -> None:
    with ExitStack() as open_ones:
        streams = []
        for _ in range(30):
            stream = open_ones.enter_context(begun(impatient, f"GET /live HTTP/1.1\r\n{WITH_TOKEN}\r\n"))
            streams.append(stream.recv(12))
        assert streams == [b"HTTP/1.1 200"] * 10 + [b"HTTP/1.1 503"] * 20
        assert is_alive(impatient)


@pytest.mark.parametrize("path", ["/jobs/1/log/live?attempt=1", "/api/v1/jobs/1/logs/stream"])
def test_j15_more_followers_at_once_than_there_is_room_for(
    impatient: int, ctx: Context, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(following, "MOST_READERS", 5)
    Bench(ctx.store).processing()
    with ExitStack() as open_ones:
        request = f"GET {path} HTTP/1.1\r\nConnection: close\r\n{WITH_TOKEN}\r\n"
        following_still = {open_ones.enter_context(begun(impatient, request)) for _ in range(30)}
        deadline = time.monotonic() + 20
        while len(following_still) > 5 and time.monotonic() < deadline:
            readable, _, _ = select.select(list(following_still), [], [], 1)
            following_still -= {one for one in readable if not received(one)}
        assert len(following_still) == 5
        assert is_alive(impatient)


@pytest.mark.parametrize(
    "path", ["/jobs/1/log/raw", "/api/v1/jobs/1/logs", "/jobs/1/log/live?attempt=1&after=0"]
)
def test_j15_who_hangs_up_in_the_middle_of_an_output_leaves_nothing_open(
    ctx: Context, server: Server, path: str
) -> None:
    writing(ctx, Bench(ctx.store), (b"x" * 79 + b"\n") * 100_000)
    process = psutil.Process(server.process.pid)
    before = process.num_fds()
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    with ExitStack() as open_ones:
        for _ in range(20):
            connection = open_ones.enter_context(begun(httpx.URL(server.url).port or 0, request))
            assert received(connection)
    deadline = time.monotonic() + 20
    while process.num_fds() > before + 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.num_fds() <= before + 5


def test_j15_more_connections_than_there_is_room_for(impatient: int) -> None:
    with ExitStack() as open_ones:
        for _ in range(300):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", impatient), timeout=20))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if is_alive(impatient):
                return
        except httpx.TransportError:
            continue
    raise AssertionError("the server does not answer any more")


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/login", "/jobs/selected", "/healthz"])
@pytest.mark.parametrize("is_known", [True, False])
def test_j15_a_body_of_a_gigabyte_is_not_read(server: Server, path: str, *, is_known: bool) -> None:
    before = _memory(server)
    kind = "application/x-www-form-urlencoded" if path in {"/login", "/jobs/selected"} else "application/json"
    length = f"Content-Length: {1 << 30}" if is_known else "Transfer-Encoding: chunked"
    start = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
    with connected(server) as connection:
        connection.sendall(
            f"{start}Sec-Fetch-Site: same-origin\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()
        )
        piece = b"a" * (1 << 18)
        answer = b""
        for _ in range((1 << 30) // len(piece)):
            try:
                connection.sendall(piece if is_known else b"40000\r\n" + piece + b"\r\n")
            except OSError:
                break
            if select.select([connection], [], [], 0)[0]:
                answer = received(connection)
                break
    assert not answer or answer.split(b" ")[1] in {b"400", b"405", b"413"}, answer
    assert answer or not is_known
    assert _memory(server) - before < 50 << 20
    assert is_well(server)


def test_j15_a_spec_bomb_in_a_body_is_refused(client: httpx.Client) -> None:
    for body in (
        "[" * 500_000,
        '{"a":' * 100_000,
        '{"command": "' + "x" * (MAX_BODY - 20) + '"}',
        "9" * 500_000,
    ):
        answer = client.post("/api/v1/jobs", content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500


def _memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000,
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\n\r\n\r\n",
    ],
)
def test_j16_what_is_no_request_is_refused(server: Server, bytes_: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(bytes_)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: received(connection), b""))
    assert not answer or 400 <= int(answer.split(b" ")[1]) < 500, answer
    assert is_well(server)
    assert server.stderr() == ""


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/x",
        "/jobs/9" + "9" * 400,
        "/api/v1/jobs?limit=x",
        "/api/v1/jobs?cursor=%00",
        "/jobs?cursor=%ff",
        "/jobs?state=x&page=-1",
        "/dead/group",
        "/specs/%ff",
        "/jobs?text=" + "%25" * 1000,
        "/api/v1/jobs?since=99999999999999999999d",
        "/jobs/1/log?attempt=99999999999999999999",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_j16_malformed_names_are_told_of(client: httpx.Client, path: str, accept: str) -> None:
    answer = client.get(path, headers={"accept": accept})
    assert answer.status_code < 500
    if answer.status_code >= 400:
        is_page = accept == "text/html" and not path.startswith("/api/")
        kind = "text/html; charset=utf-8" if is_page else "application/problem+json"
        assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"command": NaN}',
        b'{"command": "\\ud800"}',
        b'{"command": "a", "command": "b"}',
        b'{"command": "a", "retries": 1e999}',
        b'{"command": "\\u0000"}',
        b"{" * 1000,
        b'{"command": 5}',
    ],
)
def test_j16_malformed_json_is_told_of(client: httpx.Client, body: bytes) -> None:
    for method, path in (
        ("POST", "/api/v1/jobs"),
        ("POST", "/api/v1/dead-letters/retry"),
        ("POST", "/api/v1/queues/a/pause"),
    ):
        answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code < 500, (path, body)


def test_j17_what_a_terminal_would_obey_is_shown(queuectl: Queuectl) -> None:
    nasty = "echo \x1b[2Jfake\x1b]0;pwn\x07; printf '\\033[31mred\\r ok\\n' >&2; exit 3 # \n\u202eevil"
    queuectl("enqueue", nasty, "--max-retries", "0")
    done = queuectl.run("run", "--until-idle")
    shown = [
        queuectl(*words) for words in (("list",), ("get", "1"), ("dlq", "list"), ("why", "1"), ("status",))
    ]
    for text in (done.stdout, done.stderr, *shown):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\x9b\u202e]", text), text
    assert "[2Jfake" in queuectl("list")


def test_j18_there_is_no_spreadsheet_to_export(hostile: Queuectl, app: FastAPI, client: httpx.Client) -> None:
    for path in looked_at(app):
        kind = client.get(path).headers["content-type"].partition(";")[0]
        assert kind in NEVER_RUN | {"text/html"}, path
