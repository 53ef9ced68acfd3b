"""A hundred thousand jobs: found, filtered and paged through."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from benchmarks.harness import big_queue
from tests.command import Queuectl
from tests.web.conftest import Server


@pytest.fixture
def queuectl(queuectl: Queuectl) -> Queuectl:
    big_queue.make(queuectl.db, completed=98_000, dead=2_000)
    queuectl("enqueue", "echo the needle", "--key", "needle")
    return queuectl


def test_filtered_and_paged_through(page: Page, server: Server) -> None:
    rows = page.locator("tr[data-row]")
    page.goto(f"{server.url}jobs")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("needle")
    seen = set()
    for _ in range(5):
        ids = {row.get_attribute("id") for row in rows.all()}
        assert len(ids) == 50
        assert not ids & seen, "no job comes twice"
        seen |= ids
        page.get_by_role("link", name="Older").click()
        expect(
            page.locator(f"#{min(ids, key=lambda one: int(str(one).removeprefix('job-')))}")
        ).to_have_count(0)
        expect(rows).to_have_count(50)

    page.goto(f"{server.url}jobs?state=dead")
    expect(rows).to_have_count(50)
    expect(page.locator("tr[data-row] .state-dead")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("state=dead.*behind="))
    expect(page.locator("tr[data-row] .state-dead")).to_have_count(50)

    page.get_by_role("searchbox").fill("needle")
    page.get_by_role("searchbox").press("Enter")
    expect(
        page.get_by_text("No job is like that.").or_(page.get_by_role("link", name="Clear"))
    ).to_be_visible()
    page.goto(f"{server.url}jobs?text=the+needle")
    expect(rows).to_have_count(1)
    page.goto(f"{server.url}jobs?sort=oldest")
    expect(rows.first).to_have_attribute("id", "job-1")
