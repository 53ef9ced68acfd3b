"""Jobs, a job and its output, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from queuectl.model.states import JobState
from queuectl.service.context import Context
from tests.browser.chromium import tab
from tests.store.conftest import Bench
from tests.web.conftest import Server
from tests.web.outputs import write, writing

AT_END = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 32"


def test_a_live_log_is_followed_to_its_end(page: Page, server: Server, ctx: Context, bench: Bench) -> None:
    job = writing(ctx, bench, b"".join(b"line %d\n" % number for number in range(400)))
    page.goto(f"{server.url}jobs/{job.id}")
    log = page.locator("job-log .log")
    expect(log).to_contain_text("line 399")
    assert log.evaluate(AT_END)

    write(ctx, b"more\n" * 20 + b"\x1b[31mred & <b>bold</b>\x1b[0m\n")

    red = log.locator(".ansi-red")
    expect(red).to_have_text("red & <b>bold</b>")
    assert log.evaluate(AT_END)

    log.evaluate("box => box.scrollTop = 0")  # somebody reads
    expect(page.get_by_label("Follow")).not_to_be_checked()
    write(ctx, b"later\n")
    expect(log).to_contain_text("later")
    assert log.evaluate("box => box.scrollTop") == 0

    page.get_by_label("Follow").check()
    assert log.evaluate(AT_END)
    bench.finish(job, output=b"x", output_bytes=1)
    expect(page.get_by_text("It has ended.")).to_be_visible()
    expect(page.locator("h1")).to_contain_text("completed")
    assert log.inner_text().count("line 399") == 1


def test_a_log_is_searched(page: Page, server: Server, ctx: Context, bench: Bench) -> None:
    job = bench.processing(priority=1000)
    written = b"".join(b"row %d \x1b[32mok\x1b[0m\n" % number for number in range(300)) + b"Row over\n"
    bench.finish(job, output=written, output_bytes=len(written))
    page.goto(f"{server.url}jobs/{job.id}")
    field, found = page.get_by_placeholder("Search in this output"), page.locator("[data-found]")

    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("ROW 29")

    expect(found).to_have_text("1 of 11")  # 29, 290 to 299
    assert page.evaluate("CSS.highlights.get('found').size") == 11
    assert str(page.evaluate("[...CSS.highlights.get('found-now')].join()")) == "row 29"
    page.keyboard.press("Enter")
    expect(found).to_have_text("2 of 11")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(found).to_have_text("11 of 11")
    field.fill("9 ok")  # across a change of colour
    expect(found).to_have_text("1 of 30")
    field.fill("nowhere")
    expect(found).to_have_text("not found")
    assert page.evaluate("CSS.highlights.get('found').size") == 0


def test_earlier_output_comes_in_front_and_what_is_read_stays(
    page: Page, server: Server, ctx: Context, bench: Bench
) -> None:
    job = writing(ctx, bench, b"".join(b"line %d\n" % number for number in range(3000)))
    page.goto(f"{server.url}jobs/{job.id}")
    log = page.locator("job-log .log")
    expect(log).not_to_contain_text("line 2499")
    log.evaluate("box => box.scrollTop = 0")

    page.get_by_role("link", name="Earlier output").click()

    expect(log).to_contain_text("line 2499")
    assert log.evaluate("box => box.scrollTop") > 1000
    while page.get_by_role("link", name="Earlier output").is_visible():
        before = log.locator("code").count()
        page.get_by_role("link", name="Earlier output").click()
        expect(log.locator("code")).to_have_count(before + 1)
    assert log.locator("pre").inner_text() == "".join(f"line {number}\n" for number in range(3000))


def test_wrapping(page: Page, server: Server, ctx: Context, bench: Bench) -> None:
    job = writing(ctx, bench, b"wide " * 1000 + b"\n")
    page.goto(f"{server.url}jobs/{job.id}")
    log = page.locator("job-log .log")
    is_wide = "box => box.scrollWidth > box.clientWidth"
    expect(log).to_contain_text("wide")

    assert not log.evaluate(is_wide)
    page.get_by_label("Wrap").uncheck()
    assert log.evaluate(is_wide)


def test_a_job_is_seen_to_start_and_its_log_appears(
    page: Page, server: Server, ctx: Context, bench: Bench
) -> None:
    job = bench.enqueue(priority=1000)
    page.goto(f"{server.url}jobs/{job.id}")
    expect(page.locator("#no-output")).to_be_visible()

    bench.claim()
    write(ctx, b"here I am\n")

    expect(page.locator("h1")).to_contain_text("processing")
    expect(page.locator("job-log .log")).to_contain_text("here I am")
    write(ctx, b"still here\n")
    expect(page.locator("job-log .log")).to_contain_text("still here")


def test_selected_jobs_are_cancelled_by_keyboard(page: Page, server: Server, bench: Bench) -> None:
    jobs = [bench.enqueue() for _ in range(3)]
    page.goto(f"{server.url}jobs")
    expect(page.locator(f"#job-{jobs[0].id}")).to_be_visible()

    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("[data-selected]")).to_have_text("2")
    bench.enqueue(queue="other")  # what is selected stays so when the page changes
    expect(page.locator("tbody tr")).to_have_count(4)
    expect(page.locator("[data-selected]")).to_have_text("2")
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("2 jobs cancelled")).to_be_visible()
    assert [bench.now(job).state for job in jobs] == [
        JobState.PENDING,
        JobState.CANCELLED,
        JobState.CANCELLED,
    ]
    expect(page.locator(f"#job-{jobs[2].id}")).to_contain_text("cancelled")
    expect(page.locator("[data-selected]")).to_have_text("0")


def test_deleting_asks_first(page: Page, server: Server, bench: Bench) -> None:
    job = bench.in_state(JobState.DEAD)
    page.goto(f"{server.url}jobs")
    page.get_by_label(f"Select job {job.id}").check()

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="No, leave it").click()
    assert bench.now(job)

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("1 job deleted")).to_be_visible()
    expect(page.get_by_text("There are no jobs yet.")).to_be_visible()


def test_run_again_shows_the_new_job(page: Page, server: Server, bench: Bench) -> None:
    job = bench.in_state(JobState.COMPLETED)
    page.goto(f"{server.url}jobs/{job.id}")

    page.get_by_role("button", name="Run again").click()

    expect(page.locator("h1")).to_contain_text(f"Job {job.id + 1}")
    expect(page.get_by_text(f"job {job.id + 1} runs job {job.id} again")).to_be_visible()
    assert page.url.endswith(f"/jobs/{job.id + 1}")


def test_filtering_and_paging(page: Page, server: Server, bench: Bench) -> None:
    for number in range(60):
        bench.enqueue(command=f"backup {number}")
    bench.enqueue(command="other")
    page.goto(f"{server.url}jobs")

    page.get_by_role("searchbox").fill("backup")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.get_by_role("searchbox")).to_have_value("backup")
    page.get_by_role("link", name="First page").click()
    expect(page.locator("tbody tr")).to_have_count(50)


def test_nothing_that_a_job_says_is_obeyed(page: Page, server: Server, bench: Bench) -> None:
    evil = "</code></pre><img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    job = bench.processing(priority=1000, command=evil, key=evil)
    bench.finish(job, JobState.DEAD, output=evil.encode(), output_bytes=len(evil), error=evil)

    for path in ("jobs", f"jobs/{job.id}", f"jobs/{job.id}/log"):
        page.goto(server.url + path)
        expect(page.get_by_text("<script>").first).to_be_attached()
        assert page.evaluate("window.hacked") is None
        assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_it_fits(browser: Browser, server: Server, ctx: Context, bench: Bench, width: int) -> None:
    job = writing(ctx, bench, b"x" * 5000, command="y" * 3000, key="k" * 200)
    page = tab(browser, server.token, viewport={"width": width, "height": 800})

    for path in ("jobs", f"jobs/{job.id}", f"jobs/{job.id}/log"):
        page.goto(server.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_it_is_the_end_of_the_output_and_links(
    browser: Browser, server: Server, ctx: Context, bench: Bench
) -> None:
    job = writing(ctx, bench, b"".join(b"line %d\n" % number for number in range(3000)))
    page = tab(browser, server.token, java_script_enabled=False)
    page.goto(f"{server.url}jobs/{job.id}")

    expect(page.locator("job-log pre")).to_contain_text("line 2999")
    expect(page.get_by_label("Wrap")).to_be_hidden()
    page.get_by_role("link", name="Earlier output").click()
    expect(page.locator("job-log pre")).to_contain_text("line 2499")
    page.get_by_role("link", name="From the start").click()
    expect(page.locator("job-log pre")).to_contain_text(re.compile("^line 0"))
