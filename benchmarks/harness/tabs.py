"""Tabs: pages in a real browser, where the machine has one."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urldefrag

from benchmarks.harness.figure import Figure, Target
from benchmarks.harness.processes import Missing
from benchmarks.harness.setting import Setting

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
_FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (one.name === "first-contentful-paint") done(one.startTime);
}).observe({type: "paint", buffered: true}))"""
_NOTE_ROWS = """() => {
    window.seen = {};
    new MutationObserver(() => requestAnimationFrame(() => {
        for (const row of document.querySelectorAll("tr[id]")) window.seen[row.id] ??= Date.now();
    })).observe(document.body, {subtree: true, childList: true});
}"""
_GIVE_UP_S = 30


def first_paints(
    setting: Setting, link: str, paths: tuple[str, ...], *, target: Target | None
) -> list[Figure]:
    """Return how long pages take from the click to the first of what they show, in a tab that keeps no files."""
    name = "first paint"
    try:
        with _browser() as browser:
            return [
                Figure.of(
                    name, f"/{path}", "ms", _paints(browser, link, path, setting.size(10, 1)), target=target
                )
                for path in paths
            ]
    except Missing as reason:
        return [Figure(name=name, contestant=f"/{path}", unit="ms", missing=str(reason)) for path in paths]


def seen_after(setting: Setting, link: str, path: str, change: Callable[[], str]) -> list[float]:
    """Return after how many ms each change is on an open page; `change` makes one and returns the id of its row.

    Missing where there is no browser.
    """
    times = setting.size(40, 2)
    with _browser() as browser:
        page = _logged_in(browser, link)
        page.goto(urldefrag(link)[0] + path)
        page.wait_for_selector("#live:has-text('live')")
        page.evaluate(_NOTE_ROWS)
        return [_seen_after(page, change) for _ in range(times)]


def _seen_after(page: Any, change: Callable[[], str]) -> float:
    time.sleep(random.uniform(0.4, 0.8))  # noqa: S311  so that no two come in step with a look
    row = change()
    changed = time.time() * 1000
    until = time.monotonic() + _GIVE_UP_S
    while (seen := page.evaluate("row => window.seen[row]", row)) is None:
        if time.monotonic() > until:
            raise SystemExit(f"benchmarks: {row} never came to be seen")
        time.sleep(0.02)
    return float(max(0.0, seen - changed))


def _paints(browser: Any, link: str, path: str, times: int) -> list[float]:
    found = []
    for _ in range(times):
        page = _logged_in(browser, link)
        page.goto(urldefrag(link)[0] + path)
        found.append(float(page.evaluate(_FIRST_PAINT)))
        page.context.close()
    return found


def _logged_in(browser: Any, link: str) -> Any:
    page = browser.new_context().new_page()
    page.goto(link)
    page.wait_for_selector("nav")
    page.goto("about:blank")
    return page


@contextmanager
def _browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  a machine may have none
    except ImportError:
        raise Missing("the package playwright is not there") from None
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise Missing("no Chromium (Debian, Ubuntu: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*_OPTIONS])
        yield browser
        browser.close()
