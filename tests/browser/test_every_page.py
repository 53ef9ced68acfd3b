"""What holds for every page: for people who see badly or not at all, have a phone or a wall, or no mouse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from queuectl.service.context import Context
from tests.browser.chromium import tab
from tests.browser.house import furnish
from tests.store.conftest import Bench
from tests.web.conftest import Server

PHONE, DESK, WALL = (
    {"width": 360, "height": 740},
    {"width": 1280, "height": 900},
    {"width": 3840, "height": 2160},
)
LIGHTNESS = """() => {
    const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number);
    return (r + g + b) / 765;
}"""


@pytest.fixture
def paths(ctx: Context, bench: Bench, tmp_path: Path) -> list[str]:
    return furnish(ctx, bench, tmp_path / "jobs.d")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("scheme", "size"), [("light", DESK), ("dark", DESK), ("dark", PHONE)], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing(
    browser: Browser, server: Server, paths: list[str], scheme: str, size: object
) -> None:
    page = tab(browser, server.token, color_scheme=scheme, viewport=size)
    wrong = []
    for path in paths:
        page.goto(server.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert (page.evaluate(LIGHTNESS) > 0.8) == (scheme == "light"), path
        wrong += complaints(page)
    page.context.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_nothing_is(browser: Browser, server: Server, scheme: str) -> None:
    page = tab(browser, server.token, color_scheme=scheme)
    for path in ("", "jobs", "specs", "dead", "workers"):
        page.goto(server.url + path)
        expect(page.locator(".empty").first).to_be_visible()
        assert not complaints(page)
    stranger = browser.new_context(color_scheme=scheme).new_page()
    stranger.goto(server.url)
    expect(stranger.get_by_label("Token")).to_be_visible()
    assert not complaints(stranger)


@pytest.mark.timeout(120)
def test_nothing_sticks_out(browser: Browser, server: Server, paths: list[str]) -> None:
    page = tab(browser, server.token)
    for path in paths:
        page.goto(server.url + path)
        expect(page.locator("h1")).to_be_visible()
        for size in (PHONE, DESK, WALL):
            page.set_viewport_size(size)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], (path, size)
    page.context.close()


def test_all_of_it_by_keyboard_alone(page: Page, server: Server, paths: list[str]) -> None:
    page.goto(server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    for key, title in {
        "j": "Jobs",
        "s": "Specs",
        "d": "Dead letters",
        "w": "Workers",
        "t": "Settings",
    }.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.locator("h1")).to_contain_text(title)
        expect(page.locator("nav [aria-current=page]")).to_have_text(title)

    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.locator("h1")).to_have_text("Jobs")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("dump")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("text=dump"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("tr[data-row]").nth(1)
    name = second.locator("a").first
    expect(name).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Job ")


@pytest.mark.usefixtures("paths")
def test_every_place_that_tab_leads_to_is_seen(page: Page, server: Server) -> None:
    page.goto(f"{server.url}jobs")
    expect(page.locator("h1")).to_be_visible()
    for _ in range(25):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "() => { const one = document.activeElement, style = getComputedStyle(one);"
            " return one === document.body || style.outlineStyle !== 'none' || style.boxShadow !== 'none' }"
        )
        assert seen, page.evaluate("document.activeElement.outerHTML")


@pytest.mark.usefixtures("paths")
def test_rows_that_change_don_t_move_the_others(page: Page, server: Server, bench: Bench) -> None:
    page.goto(f"{server.url}jobs")
    row = page.locator("tr[data-row]").nth(4)
    before = row.bounding_box()
    (job,) = bench.claim(now=0)
    changed = page.locator(f"#job-{job.id} .state")
    expect(changed).to_have_text("processing")
    bench.finish(job)
    expect(changed).to_have_text("completed")
    assert row.bounding_box() == before


def complaints(page: Page) -> list[str]:
    """Return what axe finds on a page, a line for each element."""
    return [
        f"{page.url} {violation['id']}: {node['html'][:160]}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
    ]
