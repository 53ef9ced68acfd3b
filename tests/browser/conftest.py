"""One browser for all tests of a process, and a tab for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import chromium, tab
from tests.web.conftest import Server, bench, ctx, queuectl, server

__all__ = ["bench", "ctx", "queuectl", "server"]

expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A tab of somebody in India, who may do everything."""
    page = tab(browser, server.token, viewport={"width": 1280, "height": 900}, timezone_id="Asia/Kolkata")
    yield page
    page.context.close()
