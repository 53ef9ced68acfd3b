"""What changes shows without anybody's doing: with real commands and a real worker."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.command import Queuectl
from tests.web.conftest import Server

MARK = "window.loadedOnce = true"
"""Gone after a reload."""


def test_a_job_is_seen_from_pending_to_completed(page: Page, server: Server, queuectl: Queuectl) -> None:
    page.goto(f"{server.url}jobs")
    page.evaluate(MARK)
    expect(page.get_by_text("There are no jobs yet.")).to_be_visible()

    queuectl("enqueue", f"until [ -e {queuectl.folder}/go ]; do sleep 0.05; done")
    state = page.locator("#job-1 .state")
    expect(state).to_have_text("pending")
    queuectl.start("run")
    expect(state).to_have_text("processing")
    (queuectl.folder / "go").touch()
    expect(state).to_have_text("completed")
    assert page.evaluate("window.loadedOnce")


def test_the_overview_counts_along(page: Page, server: Server, queuectl: Queuectl) -> None:
    page.goto(server.url)
    page.evaluate(MARK)
    expect(page.get_by_text("No worker runs.")).to_be_visible()
    queuectl("enqueue", "exit 3", "--max-retries", "0", "--key", "breaks")
    expect(page.locator("#counts .state-pending b")).to_have_text("1")
    queuectl.start("run")
    expect(page.locator("#counts .state-dead b")).to_have_text("1")
    expect(page.locator("#failed")).to_contain_text("breaks")
    expect(page.locator("#workers")).to_contain_text("0 of ")
    expect(page.locator("#throughput")).to_contain_text("0 of 1 (0.0%)")
    assert page.evaluate("window.loadedOnce")


def test_a_dead_job_is_retried_and_completes_before_the_eyes(
    page: Page, server: Server, queuectl: Queuectl
) -> None:
    queuectl("enqueue", f"test -e {queuectl.folder}/mended && echo mended", "--max-retries", "0")
    queuectl.start("run")
    page.goto(f"{server.url}dead")
    expect(page.get_by_text("exit code 1").first).to_be_visible()
    (queuectl.folder / "mended").touch()
    page.get_by_role("button", name="Retry test -e").click()
    expect(page.get_by_text("No job is dead.")).to_be_visible()
    page.goto(f"{server.url}jobs/1")
    expect(page.locator("main .state").first).to_have_text("completed")
    expect(page.locator("job-log .log")).to_contain_text("mended")


def test_a_paused_spec_fires_no_more_until_it_is_resumed(
    page: Page, server: Server, queuectl: Queuectl
) -> None:
    queuectl.spec("beat", "command: 'true'\nschedule: {every: 300ms, overlap: allow}\n")
    queuectl("apply", "jobs.d")
    queuectl.start("run")
    page.goto(f"{server.url}specs/beat")
    expect(page.locator("#ledger tbody tr").nth(2)).to_be_visible()
    page.get_by_text("Pause…").click()
    page.get_by_label("Why?").fill("too loud")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("main")).to_contain_text("too loud")
    (spec,) = queuectl.json("spec", "list")
    assert spec["paused"]
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("main")).not_to_contain_text("too loud")
    assert not queuectl.json("spec", "list")[0]["paused"]
