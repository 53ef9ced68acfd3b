"""Serving, as people see it: logging in by the link, and what a page says while the queue is in trouble."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, expect

from queuectl.service.context import Context
from tests.browser.chromium import tab
from tests.command import Queuectl
from tests.store.conftest import Bench
from tests.web.conftest import Server
from tests.web.outputs import write, writing
from tests.web.test_serving import move, running


def test_the_link_logs_in_and_is_forgotten(server: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(server.link)
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    assert page.url == server.url
    (cookie,) = page.context.cookies()
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Strict")
    assert server.token not in str(cookie)
    page.goto(f"{server.url}jobs")
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    page.goto(f"{server.url}settings")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.context.cookies() == []


def test_a_wrong_token_may_be_tried_again_and_leads_on(server: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}workers")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the token of this dashboard.")
    page.get_by_label("Token").fill(server.token)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{server.url}workers")


def test_the_link_works_from_another_machine_without_tls(queuectl: Queuectl, browser: Browser) -> None:
    """Browsers say less of where a request comes from there."""
    found = (one for each in psutil.net_if_addrs().values() for one in each if one.family == socket.AF_INET)
    address = next((one.address for one in found if not one.address.startswith("127.")), None)
    if address is None:
        pytest.skip("needs an address beside that of the loopback")
    with running(queuectl, "--host", "0.0.0.0") as server:  # noqa: S104
        page = browser.new_page()
        page.goto(server.link.replace("127.0.0.1", address))
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_an_open_page_says_that_the_queue_is_gone_and_goes_on_when_it_is_back(
    queuectl: Queuectl, server: Server, browser: Browser
) -> None:
    queuectl("enqueue", "date")
    page = browser.new_page()
    page.goto(server.link)
    page.goto(f"{server.url}jobs")
    expect(page.get_by_text("date")).to_be_visible()
    move(queuectl.folder, queuectl.folder / "away")
    expect(page.get_by_role("heading", name="The queue can't be read now")).to_be_visible()
    move(queuectl.folder / "away", queuectl.folder)
    expect(page.get_by_text("date")).to_be_visible()


def test_an_open_page_goes_on_after_a_proxy_had_nobody_behind_it(
    queuectl: Queuectl, ctx: Context, bench: Bench, server: Server, browser: Browser
) -> None:
    """An answer that is no stream ends one for good, as browsers see it."""
    job = writing(ctx, bench, b"one\n")
    page = tab(browser, server.token)
    page.goto(f"{server.url}jobs/{job.id}")
    log = page.locator("job-log .log")
    expect(log).to_contain_text("one")
    port = urlsplit(server.url).port
    assert port
    server.stop()
    with nobody_behind(port) as refused:
        streams = {"/live", f"/jobs/{job.id}/log/live"}
        while streams:
            streams.discard(refused.get(timeout=20))
    write(ctx, b"two\n")
    with running(queuectl, "--port", str(port)):
        expect(page.locator("#live")).to_have_text("live")
        expect(log).to_contain_text("two")
        page.context.close()


@contextmanager
def nobody_behind(port: int) -> Iterator[Queue[str]]:
    """A proxy whose server is away. Gives the paths that it was asked for."""
    refused: Queue[str] = Queue()

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            refused.put(urlsplit(self.path).path)
            self.send_error(502)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Proxy) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        yield refused
        proxy.shutdown()
        thread.join()
