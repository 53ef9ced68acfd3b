"""A real browser, logged in to a dashboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, and end it. Where there is none, tests fail."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium here (Debian, Ubuntu: apt install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*QUIET])
        yield browser
        browser.close()


def tab(browser: Browser, token: str, **how: Any) -> Page:
    """Open a tab that shows the token with all it asks for; what goes wrong in its scripts fails the test."""
    context = browser.new_context(extra_http_headers={"authorization": f"Bearer {token}"}, **how)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("pageerror", _fail)
    return page


def _fail(error: object) -> None:
    raise AssertionError(f"a script failed: {error}")
