"""Steering specs, dead letters, workers and queues in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from queuectl.model.states import JobState
from queuectl.service import queues, specs
from queuectl.service.context import Context
from tests.service.applying import apply_files
from tests.store.conftest import Bench
from tests.web.conftest import Server
from tests.web.test_dead_page import dead

NIGHTLY = "command: 'true'\nschedule: '0 2 * * *'\n"


@pytest.fixture
def folder(ctx: Context, tmp_path: Path) -> Path:
    apply_files(ctx, tmp_path / "jobs.d", {"nightly.yaml": NIGHTLY})
    return tmp_path / "jobs.d"


def test_a_spec_is_run_now_without_leaving_the_page(
    page: Page, server: Server, ctx: Context, bench: Bench, folder: Path
) -> None:
    page.goto(f"{server.url}specs?text=night")
    expect(page.locator("#spec-nightly")).to_contain_text("UTC")

    page.get_by_role("button", name="Run now: nightly").click()

    expect(page.locator("#notices")).to_contain_text("of nightly is pending")
    assert page.url == f"{server.url}specs?text=night"
    (job,) = bench.claim(now=ctx.now())
    expect(page.locator("#spec-nightly .state-processing")).to_have_count(1)
    bench.finish(job, now=ctx.now())
    expect(page.locator("#spec-nightly .state-completed")).to_have_count(1)
    expect(page.locator("#spec-nightly")).to_contain_text("100.0%")


def test_the_next_fire_is_shown_in_the_zone_of_who_looks(page: Page, server: Server, folder: Path) -> None:
    page.goto(f"{server.url}specs")
    fires = page.locator("#spec-nightly .fires")
    expect(fires).to_contain_text("02:00:00 UTC")
    expect(fires.locator("time[data-exact]")).to_contain_text("7:30:00 AM")


def test_a_spec_is_paused_with_a_reason_by_keyboard_alone(
    page: Page, server: Server, ctx: Context, folder: Path
) -> None:
    page.goto(f"{server.url}specs")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="nightly", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("the disk is full")
    specs.trigger(ctx, ["nightly"])  # the page is refreshed meanwhile
    expect(page.locator("#spec-nightly [name=reason]")).to_have_value("the disk is full")
    page.keyboard.press("Enter")

    expect(page.locator("#spec-nightly")).to_contain_text(": the disk is full")
    assert specs.get_spec(ctx, "nightly").pause_reason == "the disk is full"
    page.goto(f"{server.url}specs/nightly")
    expect(page.locator("#facts")).to_contain_text("the disk is full")
    page.get_by_role("button", name="Resume nightly").click()
    expect(page.get_by_text("Pause…")).to_be_visible()
    assert not specs.get_spec(ctx, "nightly").paused


def test_a_spec_with_parameters_is_run_by_its_form(
    page: Page, server: Server, ctx: Context, tmp_path: Path
) -> None:
    apply_files(
        ctx, tmp_path / "jobs.d", {"s.yaml": "command: 'true'\nparams: {day: {}, way: {enum: [up, down]}}"}
    )
    page.goto(f"{server.url}specs")
    page.get_by_role("link", name="Run… s").click()
    page.get_by_label("day").fill("monday")
    page.get_by_label("way").select_option("down")
    page.locator("#run").get_by_role("button", name="Run now").click()

    expect(page.locator("#notices")).to_contain_text("of s is pending")
    job = ctx.store.jobs.newest_of_spec("s")
    assert job
    assert job.frozen.arguments == {"day": "monday", "way": "down"}


def test_dead_letters_are_retried_and_discarded(
    page: Page, server: Server, ctx: Context, bench: Bench
) -> None:
    those = [dead(bench, f"exit code 1, after {number} failures", spec="s") for number in (2, 3)]
    other = dead(bench, "timed out", spec="t")
    page.goto(f"{server.url}dead")

    page.get_by_role("button", name="Retry s, exit code 1").click()
    expect(page.locator("#notices")).to_contain_text("2 jobs retried")
    expect(page.locator("#groups tbody tr")).to_have_count(1)
    assert {bench.now(job).state for job in those} == {JobState.PENDING}

    discard = page.get_by_role("button", name="Discard t, timed out")
    discard.click()
    page.get_by_role("button", name="No, leave it").click()
    expect(page.locator("#sure")).not_to_be_visible()
    assert bench.now(other).state is JobState.DEAD
    discard.click()
    expect(page.locator("#sure-question")).to_contain_text("Discard all dead jobs of t (timed out)")
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("No job is dead.")).to_be_visible()
    assert ctx.store.jobs.get(other.id) is None


def test_a_queue_is_paused_with_a_reason(page: Page, server: Server, ctx: Context, bench: Bench) -> None:
    bench.enqueue(queue="mail")
    page.goto(f"{server.url}workers")
    page.get_by_text("Pause…").click()
    page.get_by_label("Why?").fill("the server moves")
    page.get_by_role("button", name="Pause", exact=True).click()

    expect(page.locator("#queue-mail")).to_contain_text(": the server moves")
    assert queues.list_queues(ctx)[0].pause_reason == "the server moves"
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#queue-mail")).not_to_contain_text("the server moves")


@pytest.mark.parametrize(
    "path", ["specs", "specs/nightly", "dead", "dead/group?spec=s&error=timed+out", "workers", "settings"]
)
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("width", [390, 2560])
def test_nothing_sticks_out_on_a_phone_or_a_wide_screen(
    page: Page, server: Server, bench: Bench, path: str, width: int
) -> None:
    dead(bench, "timed out", spec="s", command="x" * 500, queue="q" * 100)
    bench.processing(spec="nightly", priority=1000)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server.url}{path}")
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
