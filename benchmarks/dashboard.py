"""dashboard: its pages with a million finished jobs and ten thousand specs, and what it costs the queue."""

from __future__ import annotations

import gzip
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from benchmarks.harness import big_queue
from benchmarks.harness.figure import Figure, at_least, at_most, quantile
from benchmarks.harness.processes import QUEUECTL, Missing, run_or_die, running, surroundings
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.setting import Setting
from benchmarks.harness.tabs import first_paints, seen_after
from queuectl.queue import Queue

TITLE = "Dashboard: a million finished jobs, ten thousand specs"
_MEDIAN_MS, _WORST_MS, _PAINT_MS, _SEEN_MS, _OVERVIEW_BYTES = 50, 200, 1000, 300, 100_000
_WATCHERS = 50
_SPEC = "command: echo {0}\nschedule: '{1} {2} * * *'\n"


def run(setting: Setting) -> list[Figure]:
    """Ask for every page again and again, then let a browser and many streams watch."""
    with setting.turn() as folder, ExitStack() as stack:
        path = folder / "queue.db"
        env = surroundings(QUEUECTL_DB=str(path))
        _fill(setting, path)
        argv = [QUEUECTL, "dashboard", "--port", "0"]
        stack.enter_context(running(argv, env=env, folder=folder))
        site = _Site(folder / "queuectl.log")
        queue = stack.enter_context(Queue(path))
        figures = _pages(setting, site, queue)
        figures.append(_wire(site))
        figures += first_paints(setting, site.link, ("", "jobs", "specs", "dead"), target=at_most(_PAINT_MS))
        figures += _seen(setting, site.link, queue)
        figures += _cost(setting, site, queue)
    return figures


class _Site:
    """Where the dashboard answers, and with which token."""

    def __init__(self, log: Path) -> None:
        until = time.monotonic() + 20
        while not (found := re.search(r"http://\S+", log.read_text() if log.exists() else "")):
            if time.monotonic() > until:
                raise SystemExit("benchmarks: the dashboard did not start")
            time.sleep(0.05)
        self.link = found[0]
        url, fragment = urldefrag(self.link)
        self.host = urlsplit(url).netloc
        self.headers = {"authorization": f"Bearer {fragment.removeprefix('token=')}", "accept": "text/html"}

    def get(self, connection: http.client.HTTPConnection, path: str, **headers: str) -> bytes:
        """Return what is there, as it comes over the wire."""
        connection.request("GET", path, headers=self.headers | headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != HTTPStatus.OK:
            raise SystemExit(f"benchmarks: {path}: {answer.status} {body[:200]!r}")
        return body


def _fill(setting: Setting, path: Path) -> None:
    setting.say("making a queue with a million finished jobs of ten thousand specs")
    specs = setting.size(10_000, 20)
    big_queue.make(path, completed=setting.size(990_000, 900), dead=setting.size(10_000, 100))
    folder = path.with_name("jobs.d")
    folder.mkdir()
    for number in range(specs):
        text = _SPEC.format(number, number % 60, number % 24)
        (folder / f"{big_queue.spec_name(number)}.yaml").write_text(text)
    env = surroundings(QUEUECTL_DB=str(path))
    run_or_die([QUEUECTL, "apply", str(folder), "--yes"], env=env, folder=path.parent)
    big_queue.spread_over_specs(path, specs)


def _pages(setting: Setting, site: _Site, queue: Queue) -> list[Figure]:
    spec = big_queue.spec_name(7)
    (job,) = queue.list(states=["completed"], spec=spec, limit=1)
    (dead,) = queue.list(states=["dead"], limit=1)
    paths = [
        "/",
        "/?span=week",
        "/jobs",
        "/jobs?state=completed&sort=changed",
        f"/jobs?spec={spec}",
        "/jobs?text=echo",
        "/jobs?text=nowhere",
        f"/jobs/{job.id}",
        f"/jobs/{job.id}/log",
        "/specs",
        "/specs?text=spec-99",
        f"/specs/{spec}",
        "/dead",
        f"/dead/group?spec={dead.spec}&error=exit+code+1",
        "/workers",
        "/settings",
        "/api/v1/jobs?limit=100",
        "/api/v1/status",
        "/metrics",
    ]
    connection = http.client.HTTPConnection(site.host, timeout=30)
    measured = {path: partial(_milliseconds, partial(site.get, connection, path)) for path in paths}
    for call in measured.values():
        call()
    found = interleaved(setting, measured, times=setting.size(40, 2)).found
    connection.close()
    limited = [path for path in paths if not path.startswith(("/api", "/metrics"))]
    return [
        *(
            Figure.of(
                "answer", path, "ms", found[path], target=at_most(_MEDIAN_MS) if path in limited else None
            )
            for path in paths
        ),
        Figure.of(
            "slowest answer",
            "of all pages",
            "ms",
            [max(found[path][turn] for path in limited) for turn in range(len(found["/"]))],
            target=at_most(_WORST_MS),
            note="median over the turns; the highest is the worst of all",
        ),
    ]


def _wire(site: _Site) -> Figure:
    """The overview with its style and scripts, packed as they are sent."""
    connection = http.client.HTTPConnection(site.host, timeout=30)
    page = site.get(connection, "/", **{"accept-encoding": "gzip"})
    parts = re.findall(r'"(/static/[^"]+)"', gzip.decompress(page).decode())
    sizes = [len(page), *(len(site.get(connection, part, **{"accept-encoding": "gzip"})) for part in parts)]
    connection.close()
    target = at_most(_OVERVIEW_BYTES)
    return Figure.of("over the wire", f"/ and {len(parts)} files", "bytes", [sum(sizes)], target=target)


def _seen(setting: Setting, link: str, queue: Queue) -> list[Figure]:
    """How long after a job is in the queue its row is on an open page."""
    name = "a change is seen after"

    def change() -> str:
        return f"job-{queue.enqueue('true', queue='held').id}"

    try:
        found = seen_after(setting, link, "jobs", change)
    except Missing as reason:
        return [Figure(name=name, contestant="/jobs", unit="ms", missing=str(reason))]
    worst = [quantile(found, 0.99)]
    target = at_most(_SEEN_MS)
    return [
        Figure.of(name, "/jobs, median", "ms", found, target=target),
        Figure.of(name, "/jobs, 99 %", "ms", worst, target=target),
    ]


def _cost(setting: Setting, site: _Site, queue: Queue) -> list[Figure]:
    """What streams that are told of every change cost whoever changes something."""
    times = setting.size(2_000, 20)

    def alone() -> float:
        before = time.perf_counter()
        for _ in range(times):
            queue.enqueue("true", queue="held")
        return times / (time.perf_counter() - before)

    def watched() -> float:
        with _watching(site, setting.size(_WATCHERS, 2)):
            return alone()

    contestants: dict[str, Callable[[], float]] = {"nobody": alone, f"{_WATCHERS} streams": watched}
    found = interleaved(setting, contestants).found
    name = "durable enqueues, watched by"
    base = found["nobody"]
    return [
        Figure.of(name, "nobody", "/s", base),
        Figure.of(
            name, f"{_WATCHERS} streams", "/s", found[f"{_WATCHERS} streams"],
            base=base, against="nobody", target=at_least(0.9),
        ),
    ]  # fmt: skip


@contextmanager
def _watching(site: _Site, count: int) -> Iterator[None]:
    """Hold so many streams open, and read what comes."""
    connections = [http.client.HTTPConnection(site.host, timeout=30) for _ in range(count)]
    readers = []
    for connection in connections:
        connection.request("GET", "/live", headers=site.headers)
        answer = connection.getresponse()
        reader = threading.Thread(target=_read_all, args=(answer,), daemon=True)
        reader.start()
        readers.append(reader)
    yield
    for connection in connections:
        if connection.sock is not None:
            connection.sock.close()


def _read_all(answer: http.client.HTTPResponse) -> None:
    try:
        while answer.read1():
            pass
    except (OSError, ValueError, AttributeError):  # closed
        return


def _milliseconds(call: Callable[[], object]) -> float:
    before = time.perf_counter()
    call()
    return (time.perf_counter() - before) * 1000
