"""Take the pictures of the dashboard: a day of real jobs, run with the clock turned on in steps, in a real browser.

python docs/screenshots.py [FOLDER]   the three of the README, or every page in both themes into a folder
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Browser, Page

from queuectl.model.states import JobState
from tests.browser.chromium import chromium
from tests.command import Queuectl
from tests.faults.tampering import WallClock
from tests.web.conftest import Server

HERE = Path(__file__).parent / "screenshots"
STEP_MS, STEPS = 600_000, 6 * 26
SPECS = {
    "nightly-backup": """\
description: Dumps the shop's database and keeps the last 14 dumps.
owner: ops
command: |
  printf 'dumping \\033[1mshop\\033[0m\\n'
  sleep 0.4
  printf '\\033[32m✔\\033[0m 2,048,211 rows in 41 tables\\n'
schedule: {cron: 0 2 * * *}
timezone: Europe/Berlin
timeout: 1h
""",
    "sync-inventory": "command: sleep 0.2; echo 1,204 items\nschedule: '*/20 * * * *'\n",
    "import-prices": """\
command: |
  sleep 0.1
  echo GET https://prices.example.org/latest
  case $QUEUECTL_JOB_ID in *[37]) echo '503 Service Unavailable' >&2; exit 69;; esac
  echo 200 OK
schedule: 10 * * * *
retries: 1
""",
    "thumbnails": "command: sleep 0.3; echo 96 images\nschedule: '30 */2 * * *'\nqueue: media\n",
    "mail-digest": "command: sleep 0.1; echo 318 mails\nschedule: 30 7 * * *\n",
    "extract": "command: sleep 0.2; echo 48,112 orders\nschedule: 0 5 * * *\n",
    "load": "command: sleep 0.3; echo 48,112 rows\nneeds: [extract]\n",
    "sales-report": "command: sleep 0.2; echo report.pdf\nneeds: [load]\n",
    "renew-certificates": "command: sleep 0.1; echo nothing to renew\nschedule: '@daily'\n",
    "forget-sessions": "command: 'true'\nschedule: 40 */3 * * *\n",
}
LONG = """\
for number in $(seq 1 400); do
  printf '\\033[2m%s\\033[0m  image-%04d.jpg  \\033[32mok\\033[0m\\n' "$(date +%T)" "$number"; sleep 0.15
done
"""


def main(folder: Path | None) -> None:
    """Take them."""
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser, lived_in(Path(scratch)) as queuectl:
        server = Server(queuectl)
        try:
            pages = paths(queuectl)
            if folder is None:
                for name, scheme in (("overview", "light"), ("job", "dark"), ("specs", "light")):
                    take(browser, server, pages[name], scheme, HERE / f"{name}.png", height=900)
            else:
                for name, path in pages.items():
                    for scheme, width in (("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)):
                        file = folder / f"{name}-{scheme}-{width}.png"
                        take(browser, server, path, scheme, file, width=width)
        finally:
            server.stop()


@contextmanager
def lived_in(folder: Path) -> Iterator[Queuectl]:
    """A queue that has run for a day, with workers that still do."""
    queuectl = Queuectl(folder)
    clock = WallClock(queuectl)
    now = time.time_ns() // 1_000_000
    start = now // STEP_MS * STEP_MS + 500 - STEPS * STEP_MS
    clock.step(start - now)
    for name, text in SPECS.items():
        queuectl.spec(name, text)
    queuectl("apply", "jobs.d")
    queuectl.start("run", "--slots", "4")
    queuectl.start("run", "--slots", "2", "--queue", "media")
    for _ in range(STEPS):
        start += STEP_MS
        clock.step(start - clock.now())
        settle(queuectl)
    clock.step(-clock.now() + time.time_ns() // 1_000_000)
    queuectl.spec("sync-inventory", SPECS["sync-inventory"].replace("1,204", "1,310"))
    queuectl("apply", "jobs.d")
    queuectl("spec", "pause", "forget-sessions", "--reason", "until the new store is there")
    for number in range(3):
        queuectl(
            "enqueue", "sleep 0.3; test -e mounted", "--key", f"restore-test-{number}", "--max-retries", "0"
        )
    queuectl("enqueue", "make report", "--delay", "2h", "--key", "quarterly-report")
    queuectl("enqueue", LONG, "--key", "convert-archive", "--queue", "media")
    settle(queuectl, running=1)
    time.sleep(4)  # some of its output
    try:
        yield queuectl
    finally:
        queuectl.end()


def settle(queuectl: Queuectl, running: int = 0) -> None:
    """Wait until what was due is over, but for so many that go on running."""
    time.sleep(0.25)
    busy = {JobState.PENDING, JobState.PROCESSING, JobState.FAILED}

    def over() -> bool:
        counts = queuectl.look(lambda store: store.jobs.counts())
        return sum(counts[state] for state in busy) == running

    queuectl.wait_until(over, "all is over")


def paths(queuectl: Queuectl) -> dict[str, str]:
    """Return the pages, by what their pictures are called."""
    (going,) = queuectl.json("list", "--state", "processing")
    dead = queuectl.json("list", "--state", "dead")
    return {
        "overview": "?span=day",
        "jobs": "jobs",
        "job": f"jobs/{going['id']}",
        "dead-job": f"jobs/{dead[0]['id']}",
        "log": f"jobs/{going['id']}/log",
        "specs": "specs",
        "spec": "specs/import-prices",
        "dead": "dead",
        "workers": "workers",
        "settings": "settings",
        "no-such-job": "jobs/999999",
    }


def take(
    browser: Browser,
    server: Server,
    path: str,
    scheme: str,
    file: Path,
    *,
    width: int = 1280,
    height: int | None = None,
) -> None:
    """Take one picture: of the whole page where no height is said."""
    size = {"width": width, "height": height or 900}
    page: Page = browser.new_context(color_scheme=scheme, viewport=size, device_scale_factor=1).new_page()
    page.goto(server.link)
    page.wait_for_selector("nav")
    page.goto(server.url + path)
    page.wait_for_selector("#live:has-text('live')")
    page.wait_for_timeout(500)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, full_page=height is None)
    page.context.close()


if __name__ == "__main__":
    os.environ.setdefault("TZ", "UTC")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
