"""The workers, the queues and the settings, as the server answers them."""

from __future__ import annotations

import os
import re
from html import unescape

import httpx
import pytest

from queuectl.engine.mark import process_mark
from queuectl.service import queues, settings, workers
from queuectl.service.context import Context
from queuectl.web.app import create_app
from queuectl.web.site import Site
from tests.store.conftest import Bench
from tests.web.conftest import TOKENS, asking
from tests.web.forms import send

EVIL = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def worker(ctx: Context) -> str:
    """A worker that lives: this process."""
    register(ctx, "0123456789abcdef")
    return "0123456789abcdef"


def register(ctx: Context, name: str, host: str | None = None) -> None:
    ctx.store.workers.register(
        worker=name,
        host=host or os.uname().nodename,
        pid=os.getpid(),
        pid_mark=process_mark(os.getpid()) or "",
        slots=4,
        queues=(),
        now=ctx.now(),
    )


def row(html: str, name: str) -> str:
    found = re.search(rf'<tr id="{re.escape(name)}".*?</tr>', html, re.DOTALL)
    assert found, html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


class TestWorkers:
    def test_each_with_what_it_runs(
        self, client: httpx.Client, ctx: Context, bench: Bench, worker: str
    ) -> None:
        job = bench.processing(worker=worker, spec="nightly", priority=1000)
        other = bench.processing(worker=worker, command=f"echo {EVIL}", priority=1000)
        html = client.get("/workers").text
        shown = row(html, f"worker-{worker}")
        assert "01234567" in shown
        assert f"process {os.getpid()} running 2 of 4" in shown
        assert f"job {job.id} nightly" in shown
        assert f"job {other.id} echo {EVIL}" in shown
        assert EVIL not in html
        assert f'href="/jobs/{job.id}"' in html
        assert 'href="/specs/nightly"' in html
        assert "2 of 4 slots busy" in html

    def test_pause_and_resume(self, client: httpx.Client, ctx: Context, worker: str) -> None:
        assert send(client, "/workers", what="pause", worker=worker) == "good:worker 01234567 is paused"
        assert "paused" in row(client.get("/workers").text, f"worker-{worker}")
        assert send(client, "/workers", what="resume", worker=worker) == "good:worker 01234567 is resumed"
        assert workers.list_workers(ctx)[0].condition == "running"
        assert send(client, "/workers", what="pause", worker="nobody") == "bad:there is no worker 'nobody'"

    def test_stop_is_asked_first_and_at_once_only_after_it(
        self, client: httpx.Client, ctx: Context, worker: str
    ) -> None:
        assert (
            "Stop worker 01234567, as soon as what runs is done?"
            in client.post("/workers", data={"what": "stop", "worker": worker}).text
        )
        assert workers.list_workers(ctx)[0].worker.stop is None
        assert 'value="stop-now"' not in client.get("/workers").text
        assert (
            send(client, "/workers", what="stop", worker=worker, sure="true")
            == "good:worker 01234567 is asked to stop"
        )
        assert workers.list_workers(ctx)[0].worker.stop == "graceful"
        assert 'value="stop-now"' in client.get("/workers").text
        send(client, "/workers", what="stop-now", worker=worker, sure="true")
        assert workers.list_workers(ctx)[0].worker.stop == "now"
        assert 'value="stop' not in client.get("/workers").text

    def test_all_at_once(self, client: httpx.Client, ctx: Context, worker: str) -> None:
        register(ctx, "ffff", host="elsewhere")
        assert send(client, "/workers", what="pause") == "good:2 workers paused"
        assert send(client, "/workers", what="resume") == "good:2 workers resumed"
        assert send(client, "/workers", what="stop", sure="true") == "good:2 workers asked to stop"

    def test_one_that_is_dead_has_no_buttons(self, client: httpx.Client, ctx: Context) -> None:
        ctx.store.workers.register(
            worker="gone",
            host=os.uname().nodename,
            pid=2**22,
            pid_mark="gone",
            slots=1,
            queues=("mail",),
            now=1,
        )
        html = client.get("/workers").text
        assert "dead its jobs come back with the next worker" in row(html, "worker-gone")
        assert "mail" in row(html, "worker-gone")
        assert 'value="pause"' not in html

    def test_without_any_it_says_what_to_do(self, client: httpx.Client) -> None:
        assert "queuectl run" in client.get("/workers").text


class TestQueues:
    def test_each_with_what_is_in_it_and_its_limits(
        self, client: httpx.Client, ctx: Context, bench: Bench
    ) -> None:
        bench.enqueue(queue="mail")
        bench.enqueue(queue="mail")
        bench.processing(queue="slow", priority=1000)
        queues.limit(ctx, "mail", running=2, interval_us=6_000_000)
        html = client.get("/workers").text
        assert row(html, "queue-mail").startswith("mail 2 0 2 at once, 10/m –")
        assert row(html, "queue-slow").startswith("slow 0 1 – –")

    def test_pause_with_a_reason_and_resume(self, client: httpx.Client, ctx: Context, bench: Bench) -> None:
        bench.enqueue(queue="mail")
        assert (
            send(client, "/queues/pause", queue="mail", reason=f" {EVIL}\n")
            == f"good:queue mail is paused: {EVIL}"
        )
        html = client.get("/workers").text
        assert f"paused by {ctx.who}" in row(html, "queue-mail")
        assert EVIL in row(html, "queue-mail")
        assert EVIL not in html
        assert send(client, "/queues/resume", queue="mail") == "good:queue mail is resumed"
        assert queues.list_queues(ctx)[0].paused_at is None
        assert send(client, "/queues/resume", queue="mial").startswith("bad:there is no queue 'mial'")

    def test_who_only_looks_sees_no_buttons_and_may_not(
        self, reader: httpx.Client, bench: Bench, worker: str
    ) -> None:
        bench.enqueue()
        assert 'method="post"' not in reader.get("/workers").text
        for path in ("/workers", "/queues/pause", "/queues/resume"):
            assert reader.post(path, data={"what": "pause", "queue": "default"}).status_code == 403


class TestSettings:
    def test_each_with_its_value_and_where_that_comes_from(self, ctx: Context, site: Site) -> None:
        settings.set_(ctx, {"max-retries": "7", "lease": "1m"})
        environ = {**(site.environ or {}), "QUEUECTL_LEASE": "45s"}
        site = Site(database=site.database, tokens=TOKENS, environ=environ, overrides={"poll-interval": "2s"})
        with asking(create_app(site), TOKENS.full) as client:
            html = client.get("/settings").text
        assert row(html, "setting-max-retries").startswith("max-retries 7 queuectl config set max-retries")
        assert row(html, "setting-lease").startswith("lease 45s QUEUECTL_LEASE")
        assert row(html, "setting-poll-interval").startswith("poll-interval 2s --poll-interval")
        assert row(html, "setting-timezone").startswith("timezone UTC default")

    def test_which_queue_it_is_and_no_secret(
        self, client: httpx.Client, reader: httpx.Client, ctx: Context
    ) -> None:
        settings.set_(ctx, {"on-dead": "https://example.org/hook?hush"})
        html = client.get("/settings").text
        assert str(ctx.path) in html
        assert "hush" not in html
        assert "look and change" in html
        assert "only look" in reader.get("/settings").text
        assert TOKENS.read not in html
