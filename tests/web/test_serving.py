"""Serving: how the dashboard starts, what it does while the queue is in trouble, and how it ends."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from queuectl.service.context import Context
from queuectl.web.app import create_app
from queuectl.web.site import Site
from tests.command import Queuectl
from tests.web.conftest import TOKENS, Server, asking

PAGE = {"accept": "text/html"}
OURS = {"sec-fetch-site": "same-origin"}
PROBLEM = "application/problem+json"


def is_one_line(text: str) -> bool:
    return text.startswith("queuectl: ") and text.count("\n") == 1


class TestStart:
    def test_a_port_that_is_taken_is_one_line(self, queuectl: Queuectl, server: Server) -> None:
        port = str(httpx.URL(server.url).port)
        done = queuectl.run("dashboard", "--port", port)
        assert (done.returncode, done.stdout, is_one_line(done.stderr)) == (2, "", True)
        assert f"can't listen on 127.0.0.1:{port}: Address already in use" in done.stderr

    @pytest.mark.parametrize(
        "options",
        [
            ("--host", "nowhere.invalid"),
            ("--host", "a" * 80),
            ("--host", "192.0.2.1"),
            ("--port", "65536"),
            ("--port", "x"),
            ("--base-path", "queue"),
            ("--base-path", "//evil.example"),
            ("--base-path", "/a;b"),
            ("--base-path", "/.."),
            ("--base-path", "/a b"),
            ("--allow-host", "queue.example.org:8080"),
            ("--allow-host", "*"),
            ("--allow-host", ""),
        ],
        ids=" ".join,
    )
    def test_what_can_not_be_is_one_line(self, queuectl: Queuectl, options: tuple[str, str]) -> None:
        done = queuectl.run("dashboard", *options)
        assert (done.returncode, done.stdout, is_one_line(done.stderr)) == (2, "", True), done.stderr

    def test_ipv6(self, queuectl: Queuectl) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("needs IPv6")
        with running(queuectl, "--host", "::1") as server:
            assert re.match(r"http://\[::1\]:\d+/#token=", server.link)
            with server.client() as client:
                assert client.get("healthz").text == "ok\n"

    def test_without_tokens_on_this_machine(self, queuectl: Queuectl) -> None:
        with running(queuectl, "--no-auth") as server:
            assert server.token == ""
            assert httpx.get(server.url, headers=PAGE).status_code == 200
            made = {"url": f"{server.url}api/v1/jobs", "json": {"command": "date"}}
            assert httpx.post(**made).status_code == 403  # type: ignore[arg-type]
            assert httpx.post(**made, headers=OURS).status_code == 201  # type: ignore[arg-type]
            assert httpx.get(server.url, headers={"host": "evil.example"}).status_code == 421

    def test_both_links_are_printed_and_the_tokens_stay(self, queuectl: Queuectl) -> None:
        with running(queuectl) as server:
            assert server.process.stdout
            look = server.process.stdout.readline()
            assert look.endswith("(only to look)\n")
            read = look.partition("#token=")[2].split()[0]
            headers = {"authorization": f"Bearer {read}"}
            assert httpx.get(f"{server.url}jobs", headers=headers).status_code == 200
            assert httpx.post(f"{server.url}dead/all", headers=headers).status_code == 403
            first = server.token
        with running(queuectl) as server:
            assert server.token == first


class TestEnd:
    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_it_ends_at_once_with_streams_open(self, queuectl: Queuectl, how: signal.Signals) -> None:
        queuectl("enqueue", "echo hello; sleep 60")
        worker = queuectl.start("run")
        queuectl.wait_until(lambda: queuectl.states() == {1: "processing"}, "it runs")
        with running(queuectl) as server, ExitStack() as streams:
            paths = (
                ["live"] * 5
                + ["api/v1/events"] * 3
                + ["api/v1/jobs/1/logs/stream", "jobs/1/log/live?attempt=1"] * 2
            )
            opened = [streams.enter_context(streaming(server, path)) for path in paths]
            server.process.send_signal(how)
            for lines in opened:
                assert list(lines) is not None  # to their proper end
            assert server.process.wait(timeout=10) == 0
            assert server.stderr() == ""
        worker.kill()

    def test_it_ends_while_clients_say_nothing_or_never_end(self, server: Server) -> None:
        url = httpx.URL(server.url)
        with ExitStack() as clients:
            for start in (
                b"",
                b"GET / HT",
                f"POST /login HTTP/1.1\r\nHost: localhost\r\n{OURS_LINE}Content-Length: 9\r\n\r\n".encode(),
            ):
                client = clients.enter_context(socket.create_connection((url.host, url.port or 80)))
                client.sendall(start)
            server.process.terminate()
            assert server.process.wait(timeout=10) == 0


OURS_LINE = "Sec-Fetch-Site: same-origin\r\n"


class TestTroubleWithTheQueue:
    """The process lives, the page says what is wrong, and goes on by itself when it is mended."""

    def test_moved_away_and_put_back(self, queuectl: Queuectl, server: Server) -> None:
        queuectl("enqueue", "date")
        with server.client() as client, streaming(server, "live") as lines:
            assert client.get("jobs/1", headers=PAGE).status_code == 200
            away = queuectl.folder / "away"
            move(queuectl.folder, away)
            told_of_a_change(lines)
            page, problem = client.get("jobs/1", headers=PAGE), client.get("api/v1/jobs/1")
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
            assert "there is no queue at" in page.text
            assert (problem.status_code, problem.headers["content-type"]) == (503, PROBLEM)
            assert (client.get("readyz").status_code, client.get("healthz").status_code) == (503, 200)
            assert not queuectl.db.exists()
            move(away, queuectl.folder)
            told_of_a_change(lines)
            assert client.get("jobs/1", headers=PAGE).status_code == 200

    def test_another_one_in_its_place(self, queuectl: Queuectl, server: Server, tmp_path: Path) -> None:
        queuectl("enqueue", "the first")
        queuectl("--db", str(tmp_path / "other.db"), "enqueue", "the second")
        with server.client() as client, streaming(server, "live") as lines:
            assert "the first" in client.get("jobs/1", headers=PAGE).text
            move(queuectl.folder, queuectl.folder / "away")
            for end in ("", "-wal", "-shm"):
                if (tmp_path / f"other.db{end}").exists():
                    (tmp_path / f"other.db{end}").rename(f"{queuectl.db}{end}")
            told_of_a_change(lines)
            assert "the second" in client.get("jobs/1", headers=PAGE).text
            queuectl("enqueue", "the third")
            told_of_a_change(lines)

    def test_damaged(self, queuectl: Queuectl, server: Server) -> None:
        queuectl("enqueue", "date")
        move(queuectl.folder, queuectl.folder / "away")
        queuectl.db.write_bytes(b"no database\n" * 1000)
        self._is_told_of(server, "q.db")

    def test_newer(self, queuectl: Queuectl, server: Server) -> None:
        queuectl("enqueue", "date")
        with closing(sqlite3.connect(queuectl.db)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version = {version + 1}")
        self._is_told_of(server, "newer")

    def _is_told_of(self, server: Server, what: str) -> None:
        with server.client() as client:
            for path in ("", "jobs", "jobs/1", "specs", "workers", "settings"):
                page = client.get(path, headers=PAGE)
                assert (page.status_code, what in page.text) == (503, True), (path, page.text[:300])
            problem = client.get("api/v1/jobs")
            assert (problem.status_code, problem.headers["content-type"]) == (503, PROBLEM)
            assert what in problem.json()["detail"]
            assert client.get("metrics").status_code == 503
            assert client.get("healthz").status_code == 200
        assert server.stderr() == ""

    def test_damaged_at_the_start(self, queuectl: Queuectl) -> None:
        queuectl.db.write_bytes(b"no database" * 500)
        done = queuectl.run("dashboard", "--port", "0")
        assert (done.returncode, done.stdout, is_one_line(done.stderr)) == (5, "", True)


def move(here: Path, there: Path) -> None:
    """Move a queue, all files of it."""
    there.mkdir(exist_ok=True)
    for name in ("q.db-shm", "q.db-wal", "q.db"):
        if (here / name).exists():
            shutil.move(here / name, there / name)


def told_of_a_change(lines: Iterator[str]) -> None:
    assert next(line for line in lines if line == "event: changed")


@contextmanager
def streaming(server: Server, path: str) -> Iterator[Iterator[str]]:
    """Open a stream; give its lines, once it has begun."""
    with server.client() as client, client.stream("GET", path, timeout=30) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        if path == "live":
            next(lines)
        yield lines


@contextmanager
def running(queuectl: Queuectl, *options: str) -> Iterator[Server]:
    server = Server(queuectl, *options)
    try:
        yield server
    finally:
        server.stop()


class TestErrors:
    """People get a page, programs a problem."""

    @pytest.mark.parametrize("path", ["/nothing", "/jobs/99", "/static/nothing", "/specs/nothing"])
    def test_what_is_not_there(self, client: httpx.Client, path: str) -> None:
        page, problem = client.get(path, headers=PAGE), client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is nothing here" in page.text
        assert '<nav aria-label="Pages">' in page.text
        assert (problem.status_code, problem.headers["content-type"]) == (404, PROBLEM)

    def test_the_api_answers_programs_only(self, client: httpx.Client) -> None:
        answer = client.get("/api/v1/jobs/99", headers=PAGE)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)

    def test_a_foreign_name_is_explained_to_people(self, client: httpx.Client) -> None:
        page = client.get("/", headers={**PAGE, "host": "queue.example.org"})
        assert (page.status_code, page.headers["content-type"]) == (421, "text/html; charset=utf-8")
        assert "--allow-host" in page.text

    @pytest.mark.parametrize("accept", ["text/html", "*/*"])
    def test_what_nobody_thought_of(self, site: Site, accept: str, caplog: pytest.LogCaptureFixture) -> None:
        app = create_app(site)

        def broken() -> None:
            raise ValueError("a secret")

        app.add_api_route("/broken", broken)
        with asking(app, TOKENS.full) as client:
            answer = client.get("/broken", headers={"accept": accept})
        assert answer.status_code == 500
        assert answer.headers["content-type"] in {PROBLEM, "text/html; charset=utf-8"}
        assert ("<h1>" in answer.text) == (accept == "text/html")
        assert "secret" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "ValueError: a secret" in caplog.text
        assert {record.name for record in caplog.records} == {"uvicorn.error"}, "what goes to stderr"


class TestHead:
    def test_every_route_has_it(self, app: FastAPI, client: httpx.Client) -> None:
        for route in iter_route_contexts(app.routes):
            if "GET" in (route.methods or ()):
                path = re.sub(r"\{[^}]+\}", "7", route.path or "")
                head = client.head(path)
                assert head.content == b""
                assert head.status_code in {200, 404, 422}, path
                if path not in {"/live", "/api/v1/events"}:
                    get = client.get(path)
                    same = ("content-type", "content-security-policy", "cache-control")
                    assert head.status_code == get.status_code
                    assert [head.headers.get(name) for name in same] == [
                        get.headers.get(name) for name in same
                    ]

    def test_of_a_file(self, client: httpx.Client) -> None:
        head, get = client.head("/static/app.js"), client.get("/static/app.js")
        assert (head.status_code, head.headers["etag"]) == (200, get.headers["etag"])

    def test_on_a_real_connection(self, server: Server) -> None:
        with server.client() as client:
            for path in ("", "live", "healthz", "static/app.css", "nothing"):
                assert client.head(path, headers=PAGE).status_code == (404 if path == "nothing" else 200)
            assert client.get("healthz").text == "ok\n"


class TestWire:
    def test_pages_are_small(self, client: httpx.Client) -> None:
        for path in ("/", "/jobs", "/static/app.css", "/api/v1/openapi.json"):
            answer = client.get(path, headers={"accept-encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip", path
            assert answer.headers["vary"] == "Accept-Encoding"
            assert "content-encoding" not in client.get(path, headers={"accept-encoding": "identity"}).headers

    def test_streams_come_as_they_are(self, server: Server) -> None:
        with (
            server.client() as client,
            client.stream("GET", "live", headers={"accept-encoding": "gzip"}) as answer,
        ):
            assert "content-encoding" not in answer.headers
            assert answer.headers["x-accel-buffering"] == "no"
            assert next(answer.iter_lines()) == "retry: 1000"

    def test_what_may_be_kept(self, client: httpx.Client) -> None:
        page = client.get("/").text
        for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            answer = client.get(name)
            assert answer.headers["cache-control"] == "private, max-age=31536000, immutable", name
            again = client.get(name, headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert client.get("/static/app.js").headers["cache-control"] == "private, no-cache"
        assert client.get("/static/nothing?v=1").headers["cache-control"] == "no-store"
        for path in ("/", "/jobs", "/api/v1/jobs", "/metrics"):
            assert client.get(path).headers["cache-control"] == "no-store"


@pytest.fixture(params=["kept", "stripped"])
def proxied(request: pytest.FixtureRequest, ctx: Context) -> Iterator[httpx.Client]:
    """A browser that is not logged in, behind a proxy that shows the dashboard below /queue."""
    app = create_app(Site(database=ctx.path, tokens=TOKENS, base_path="/queue", environ=ctx.environ))

    def strip(asked: httpx.Request) -> None:
        path = asked.url.raw_path.removeprefix(b"/queue")
        asked.url = asked.url.copy_with(raw_path=path or b"/")

    with asking(app, None) as client:
        client.headers.update({**PAGE, **OURS})
        if request.param == "stripped":
            client.event_hooks["request"].append(strip)
        yield client


class TestBelowAPath:
    def test_everything_leads_below_it(self, proxied: httpx.Client, ctx: Context) -> None:
        login = proxied.get("/queue/jobs?state=dead")
        assert login.status_code == 401
        assert 'action="/queue/login"' in login.text
        assert 'value="/queue/jobs?state=dead"' in login.text
        there = proxied.post("/queue/login", data={"token": TOKENS.full, "next": "/queue/jobs?state=dead"})
        assert (there.status_code, there.headers["location"]) == (303, "/queue/jobs?state=dead")
        assert "; Path=/queue/; " in there.headers["set-cookie"]
        made = proxied.post("/queue/api/v1/jobs", json={"command": "date"})
        assert made.headers["location"] == "/queue/api/v1/jobs/1"
        for path in ("", "jobs", "jobs/1", "jobs/1/log", "specs", "dead", "workers", "settings", "nothing"):
            page = proxied.get(f"/queue/{path}")
            assert page.status_code == {"nothing": 404, "jobs/1/log": 409}.get(path, 200), path
            led = re.findall(r'(?:href|src|action|formaction|data-base|data-src|value)="(/[^"]*)"', page.text)
            assert led
            assert [one for one in led if not one.startswith("/queue")] == [], path
        assert proxied.get(re.findall(r'src="([^"]+)"', page.text)[0]).status_code == 200
        done = proxied.post("/queue/jobs/1/cancel", data={"next": "/queue/jobs/1"})
        assert done.headers["location"] == "/queue/jobs/1"
        assert all("Path=/queue/" in one for one in done.headers.get_list("set-cookie"))
        assert proxied.post("/queue/logout").headers["location"] == "/queue/"

    def test_lists_go_on_below_it(self, proxied: httpx.Client, client: httpx.Client) -> None:
        proxied.headers["authorization"] = f"Bearer {TOKENS.full}"
        for _ in range(3):
            client.post("/api/v1/jobs", json={"command": "date"})
        first = proxied.get("/queue/api/v1/jobs?limit=1")
        assert first.headers["link"].startswith("</queue/api/v1/jobs?")
        assert proxied.get("/queue/api/v1/openapi.json").json()["servers"] == [{"url": "/queue"}]

    def test_the_path_itself(self, proxied: httpx.Client) -> None:
        answer = proxied.get("/queue")
        assert (answer.status_code, answer.headers.get("location", "/queue/")) in {
            (308, "/queue/"),
            (401, "/queue/"),
        }

    def test_the_link_leads_there(self, queuectl: Queuectl) -> None:
        with running(queuectl, "--base-path", "/queue/") as server:
            assert re.fullmatch(r"http://127.0.0.1:\d+/queue/", server.url)
            with server.client() as client:
                assert client.get("", headers=PAGE).status_code == 200
                with client.stream("GET", "live") as answer:
                    assert answer.headers["content-type"].startswith("text/event-stream")


class TestBehindAProxy:
    """What it says of the client counts where it is on this machine, and nowhere else."""

    @pytest.mark.parametrize(("forwarded", "is_secure"), [("https", True), ("http", False), ("", False)])
    def test_the_cookie_is_for_tls_where_there_is_some(
        self, server: Server, forwarded: str, *, is_secure: bool
    ) -> None:
        assert ("Secure" in log_in(server.url, server.token, forwarded)) is is_secure

    def test_nobody_else_is_believed(self, queuectl: Queuectl) -> None:
        found = (
            one.address
            for each in psutil.net_if_addrs().values()
            for one in each
            if one.family == socket.AF_INET
        )
        address = next((one for one in found if not one.startswith("127.")), None)
        if address is None:
            pytest.skip("needs an address beside that of the loopback")
        with running(queuectl, "--host", "0.0.0.0") as server:  # noqa: S104
            url = httpx.URL(server.url)
            assert url.host == "127.0.0.1"
            assert "Secure" not in log_in(str(url.copy_with(host=address)), server.token, "https")

    def test_its_name_has_to_be_told(self, queuectl: Queuectl) -> None:
        with running(queuectl, "--allow-host", "Queue.example.org") as server, server.client() as client:
            for host in ("queue.example.org", "queue.example.org:8443", "QUEUE.example.org."):
                assert client.get("healthz", headers={"host": host}).status_code == 200
            assert client.get("healthz", headers={"host": "example.org"}).status_code == 421
            secure = {"host": "queue.example.org", "origin": "https://queue.example.org"}
            form = {"token": server.token}
            assert client.post("login", data=form, headers=secure).status_code == 303
            secure["origin"] = "https://example.org"
            del client.headers["authorization"]
            assert client.post("login", data=form, headers=secure).status_code == 403


def log_in(url: str, token: str, forwarded: str) -> list[str]:
    """Log in; return the flags of the cookie."""
    headers = {**OURS, "x-forwarded-proto": forwarded} if forwarded else OURS
    answer = httpx.post(f"{url}login", data={"token": token}, headers=headers)
    assert answer.status_code == 303
    return answer.headers["set-cookie"].split("; ")


class TestBesideWorkers:
    def link(self, queuectl: Queuectl) -> tuple[str, str]:
        log = queuectl.folder / f"run{len(queuectl.started) - 1}.log"
        found = queuectl.wait_until(
            lambda: re.search(r"(http://\S+)#token=(\S+)\n", log.read_text()), "a link"
        )
        return found[1], found[2]

    def is_gone(self, url: str) -> bool:
        try:
            httpx.get(url, timeout=5)
        except httpx.ConnectError:
            return True
        except httpx.TransportError:
            return False
        return False

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
    @pytest.mark.parametrize("processes", ["1", "2"])
    def test_it_lives_as_long_as_they_do(
        self, queuectl: Queuectl, how: signal.Signals, processes: str
    ) -> None:
        run = queuectl.start("run", "--dashboard", "0", "--processes", processes)
        url, token = self.link(queuectl)
        headers = {"authorization": f"Bearer {token}"}
        assert httpx.get(url, headers=headers).status_code == 200
        httpx.post(f"{url}api/v1/jobs", json={"command": "true"}, headers=headers).raise_for_status()
        queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "it ran")
        run.send_signal(how)
        run.wait(timeout=30)
        queuectl.wait_until(lambda: self.is_gone(url), "the dashboard has ended, too")

    def test_a_run_that_ends_by_itself(self, queuectl: Queuectl) -> None:
        done = queuectl.run("run", "--until-idle", "--dashboard", "0")
        assert done.returncode == 0
        url = re.search(r"http://\S+?(?=#)", done.stderr)
        assert url
        queuectl.wait_until(lambda: self.is_gone(url[0]), "the dashboard has ended")

    @pytest.mark.parametrize(
        "value", ["x", "", "70000", "-1", "127.0.0.1:", "127.0.0.1:x", "localhost", "８０８０", "1e3"]
    )
    def test_wrong_values_are_one_line_and_nothing_is_started(self, queuectl: Queuectl, value: str) -> None:
        done = queuectl.run("run", "--until-idle", f"--dashboard={value}")
        assert (done.returncode, is_one_line(done.stderr)) == (2, True)
        assert "--dashboard" in done.stderr
        assert not queuectl.db.exists()

    def test_where_the_port_is_taken_nothing_is_started(self, queuectl: Queuectl) -> None:
        queuectl("enqueue", "touch ran")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = queuectl.run("run", "--until-idle", "--dashboard", str(taken.getsockname()[1]))
        assert (done.returncode, is_one_line(done.stderr)) == (2, True)
        assert queuectl.states() == {1: "pending"}
