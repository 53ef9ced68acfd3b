"""Every example does what its README says: the test types the README's commands into a shell."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from itertools import chain, islice, product
from pathlib import Path
from string import digits
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.command import DEADLINE_S, Queuectl

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(queuectl: Queuectl, request: pytest.FixtureRequest) -> Path:
    """A copy of the example that the test is of; `queuectl` works in it and on its queue."""
    queuectl.env["PATH"] = f"{_programs(queuectl.folder / 'bin')}:{queuectl.env['PATH']}"
    name: str = request.param
    copy = queuectl.folder / name
    shutil.copytree(EXAMPLES / name, copy, ignore=shutil.ignore_patterns("out", "__pycache__"))
    queuectl.folder = copy
    queuectl.db = copy / "out" / "queue.db"
    queuectl.env["QUEUECTL_DB"] = str(queuectl.db)
    return copy


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", [name], indirect=True)


@of("nightly-dump")
def test_nightly_dump(queuectl: Queuectl, example: Path) -> None:
    backups = example / "out" / "backups"
    backups.mkdir(parents=True)
    old = [backups / f"shop-2020010{day}T003000Z.sql.gz" for day in range(1, 5)]
    for file in old:
        file.touch()
    assert "restores to 2000 orders worth 51470.00\n" in follow_readme(queuectl, example)
    kept = sorted(backups.iterdir())
    assert kept[:-1] == old[-2:]
    assert _restored(kept[-1]) == (2000, 5_147_000)

    (example / "out" / "shop.db").write_bytes(b"no database")
    _edit(example / "jobs.d" / "nightly-dump.yaml", "timeout: 10m", "retries: 0")
    queuectl("apply", "jobs.d")
    queuectl("trigger", "nightly-dump")
    queuectl("run", "--until-idle", code=1)
    (dead,) = queuectl.json("dlq", "list")
    assert (dead["spec"], dead["exit_code"]) == ("nightly-dump", 1)
    assert sorted(backups.glob("shop-*")) == kept, "a failed dump replaces nothing"


@of("csv-report")
def test_csv_report(queuectl: Queuectl, example: Path) -> None:
    sales, report = example / "sales.csv", example / "out" / "report.md"
    output = follow_readme(queuectl, example)
    with sales.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    total = sum(int(row["quantity"]) * float(row["unit_price"]) for row in rows)
    assert f"Together {total:,.2f}." in output
    assert "| South | 4 | 459.00 |" in output
    assert '| Pan "Grandma", 28 cm | 2 | 237.00 |' in output

    good = report.read_text(encoding="utf-8")
    _edit(sales, "38.50", "thirty")
    queuectl("trigger", "sales-report")
    queuectl("run", "--until-idle", code=1)
    (dead,) = queuectl.json("dlq", "list")
    assert (dead["exit_code"], dead["attempt"]) == (65, 1)
    assert queuectl("logs", "sales-report") == "sales.csv:13: this is no sale\n"
    assert report.read_text(encoding="utf-8") == good

    _edit(sales, "thirty", "48.50")
    queuectl("dlq", "retry", "--all")
    queuectl("run", "--until-idle")
    assert f"Together {total + 10:,.2f}." in report.read_text(encoding="utf-8")


@of("flaky-download")
def test_flaky_download(queuectl: Queuectl, example: Path) -> None:
    output = follow_readme(queuectl, example)
    prices = (example / "files" / "prices.csv").read_bytes()
    assert (example / "out" / "prices.csv").read_bytes() == prices
    assert (example / "out" / "stock.csv").read_bytes() == b"Kettle,12\n"
    assert _answers(queuectl, "prices") == [5, 5, 0]
    assert _answers(queuectl, "stock") == [4, 5, 5, 0]
    assert re.search(r"dead +stock .*exit code 4", output), "it was in the DLQ"


@of("image-batch")
def test_image_batch(queuectl: Queuectl, example: Path) -> None:
    assert "12 jobs known by key" in follow_readme(queuectl, example)
    jobs = queuectl.json("list")
    assert [job["state"] for job in jobs] == ["completed"] * 24
    out = example / "out"
    images = sorted((out / "colour").iterdir())
    assert len(images) == 12
    for image in images:
        pixels = image.read_bytes().removeprefix(b"P6 96 64 255\n")
        gray = (out / "gray" / f"{image.stem}.pgm").read_bytes()
        assert gray.startswith(b"P5 96 64 255\n")
        assert len(gray) == len(b"P5 96 64 255\n") + 96 * 64
        assert gray[-1] == (299 * pixels[-3] + 587 * pixels[-2] + 114 * pixels[-1]) // 1000
        small = (out / "small" / image.name).read_bytes().removeprefix(b"P6 48 32 255\n")
        assert len(small) == 48 * 32 * 3
        assert small[3:6] == pixels[6:9]


@of("from-crontab")
def test_from_crontab(queuectl: Queuectl, example: Path) -> None:
    follow_readme(queuectl, example)
    ticks = example / "out" / "ticks"
    assert ticks.read_text().strip().isdigit()
    queuectl("trigger", "clean-cache", "month", "thirteenth", "forget-ticks")
    queuectl("run", "--until-idle")
    assert [job["state"] for job in queuectl.json("list")] == ["completed"] * 7
    assert queuectl("logs", "thirteenth") == "the 13th, or a Friday: either will do\n"
    assert not ticks.exists()


@of("from-crontab")
def test_the_specs_fire_when_the_crontab_would(queuectl: Queuectl, example: Path) -> None:
    zone, count = ZoneInfo("Europe/Berlin"), 20
    start, end = datetime(2026, 6, 1, tzinfo=zone), datetime(2026, 10, 24, tzinfo=zone)  # no clock change
    specs = yaml.safe_load((example / "jobs.d" / "server.yaml").read_text(encoding="utf-8"))["jobs"]
    entries = _crontab(example / "crontab.txt")
    assert len(specs) == len(entries) == 7
    before = (start - timedelta(minutes=1)).isoformat()
    fires = queuectl.json("next", "jobs.d", "--from", before, "--count", str(count))
    for (name, spec), (expression, command) in zip(specs.items(), entries, strict=True):
        assert spec["command"] == command
        due = [datetime.fromisoformat(fire["due_at"]) for fire in fires if fire["spec"] == name]
        assert len(due) == count
        expected = list(islice(_matches(expression, start, end), count))
        assert [at for at in due if at < end] == expected, name


@of("nightly-etl")
def test_nightly_etl(queuectl: Queuectl, example: Path) -> None:
    output, report = follow_readme(queuectl, example), example / "out" / "report.md"
    alarm = "extract-products (job 10) is dead (exit code 65, which means: don't retry)"
    told = f"{alarm}: sources/products.csv: no column unit_price\n"
    assert "nightly: job 7 is pending; 5 jobs follow: queuectl flow 7\n" in output
    assert (
        "job 12: it needs job 11 (load), and that in the end job 10 (extract-products), which is dead\n"
        in output
    )
    assert output.count(told) == 1
    lines = report.read_text(encoding="utf-8").splitlines()
    assert lines == [
        "# Sales, from 20 rows",
        "",
        "| country | orders | amount |",
        "|---|---:|---:|",
        *_sales(example),
    ]
    assert queuectl.json("get", "load")["outputs"] == {"rows": "20"}

    report.unlink()
    _edit(example / "jobs.d" / "nightly-etl.yaml", "customer name country", "customer name land")
    queuectl("apply", "jobs.d")
    queuectl("trigger", "nightly")
    queuectl("run", "--until-idle", code=1)
    (dead,) = queuectl.json("dlq", "list")
    flow = queuectl.json("flow", str(dead["id"]))
    assert {job["spec"]: job["state"] for job in flow["jobs"]} == {
        "nightly": "completed",
        "extract-customers": "dead",
        "extract-orders": "completed",
        "extract-products": "completed",
        "load": "blocked",
        "report": "blocked",
    }
    below = r"─ extract-customers .* dead .*\n.*└─ load .* blocked .*\n.*└─ report .* blocked "
    assert re.search(below, queuectl("flow", "report"))
    assert f"queuectl retry {dead['id']}" in queuectl("why", "load")
    assert queuectl("why", "extract-customers").startswith(
        f"spec extract-customers: its last job {dead['id']} is dead: exit code 65"
    )
    alarms = (example / "out" / "alarms").read_text(encoding="utf-8").splitlines()
    assert [line.partition(" (")[0] for line in alarms] == ["extract-products", "extract-customers"]
    assert alarms[1].endswith(": sources/customers.csv: no column land")

    _edit(example / "jobs.d" / "nightly-etl.yaml", "customer name land", "customer name country")
    queuectl("apply", "jobs.d")
    queuectl("dlq", "retry", "--all")
    queuectl("run", "--until-idle")
    ended = queuectl.json("flow", "report")
    assert ended["id"] == flow["id"]
    assert [job["id"] for job in ended["jobs"]] == [job["id"] for job in flow["jobs"]]
    assert {job["state"] for job in ended["jobs"]} == {"completed"}
    assert report.read_text(encoding="utf-8").splitlines() == lines


@of("tenant-limit")
def test_tenant_limit(queuectl: Queuectl, example: Path) -> None:
    output = follow_readme(queuectl, example)
    for tenant, tasks in {"acme": 7, "globex": 2, "initech": 2}.items():
        assert re.search(rf"^{tenant}: {tasks} tasks, at most [12] at once$", output, re.MULTILINE)

    tenants = ("acme", "acme", "globex", "initech")
    queuectl("enqueue", "-", stdin="".join(_task(tenants[n % 4], f"task {n}") for n in range(20)))
    workers = [queuectl.start("run", "--until-idle", "--slots", "5") for _ in range(2)]
    assert [worker.wait(queuectl.deadline_s) for worker in workers] == [0, 0]
    assert set(queuectl.states().values()) == {"completed"}
    peaks = subprocess.check_output([sys.executable, "database.py", "peaks"], cwd=example, text=True)
    assert peaks.splitlines() == [
        "acme: 17 tasks, at most 2 at once",
        "globex: 7 tasks, at most 2 at once",
        "initech: 7 tasks, at most 2 at once",
    ]


@of("tenant-limit")
def test_a_tenant_with_much_to_do_holds_up_no_other(queuectl: Queuectl, example: Path) -> None:
    busy = "until [ -e out/go ]; do sleep 0.05; done"
    lines = [
        _task("acme", "first", busy),
        _task("acme", "second", busy),
        _task("acme", "third"),
        _task("globex", "x"),
    ]
    queuectl("enqueue", "-", stdin="".join(lines))
    worker = queuectl.start("run", "--until-idle", "--slots", "8")
    queuectl.wait_until(lambda: queuectl.states()[4] == "completed", "the other tenant's job runs")
    assert queuectl.states() == {1: "processing", 2: "processing", 3: "blocked", 4: "completed"}
    assert queuectl("why", "3").startswith("job 3: all 2 slots are taken by jobs")
    (example / "out" / "go").touch()
    assert worker.wait(queuectl.deadline_s) == 0
    assert queuectl.states()[3] == "completed"


@of("rate-limited-crawl")
def test_rate_limited_crawl(queuectl: Queuectl, example: Path) -> None:
    output = follow_readme(queuectl, example)
    assert "9 requests, at most " in output
    assert re.search(r"dead +page +PAGE=/missing python3 fetch.py ", output), (
        "which page it was is to be seen"
    )
    asked = _asked(example / "out" / "requests")
    shelves = ["/fruit", "/roots"]
    assert asked.keys() == {"/", "/missing", *shelves, *(f"{shelf}/{n}" for shelf in shelves for n in (1, 2))}
    assert [page for page, times in asked.items() if len(times) != 1] == ["/fruit/1"], "the busy one"

    jobs = [queuectl.json("get", str(job["id"])) for job in queuectl.json("list")]
    started = {job["arguments"]["PAGE"]: _starts(job) for job in jobs}
    assert len(jobs) == len(started)
    assert [job["arguments"]["PAGE"] for job in jobs if job["state"] != "completed"] == ["/missing"]
    assert len(list((example / "out" / "pages").glob("*.html"))) == len(asked) - 1

    assert _most(chain(*started.values()), within_s=1) <= 2 + 1
    took = [at - start for page in asked for start, at in zip(started[page], asked[page], strict=True)]
    unevenly_s = max(took) - min(took)  # a busy machine takes longer over one request than over the next
    assert _most(chain(*asked.values()), within_s=1 - unevenly_s) <= 2 + 1


def test_every_example_is_tested_and_has_a_short_readme_and_specs_without_warnings(
    queuectl: Queuectl,
) -> None:
    folders = {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()}
    folders.remove("monitoring")  # no jobs: tests/web/test_metrics.py
    assert folders == set(
        re.findall(r'^@of\("(.*)"\)', Path(__file__).read_text(encoding="utf-8"), re.MULTILINE)
    )
    for folder in folders:
        text = (EXAMPLES / folder / "README.md").read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 30, folder
    checked = queuectl.run("validate", *(str(path) for path in EXAMPLES.glob("*/jobs.d")))
    assert (checked.returncode, checked.stderr) == (0, "")


def follow_readme(queuectl: Queuectl, folder: Path) -> str:
    """Type the README's commands into one shell; return their output.

    Each must end with exit code 0, or with the one that its comment names.
    """
    blocks = re.findall(r"^```sh\n(.*?)^```", (folder / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).splitlines()
    assert lines[0].startswith("export QUEUECTL_DB=out/queue.db ")
    lines[0] = ":"  # the same file, by its absolute path
    script = "\n".join(f"{line}\necho $? >> exit-codes" for line in lines)
    shell = subprocess.Popen(
        ["sh", "-c", script],
        cwd=folder,
        env=queuectl.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=DEADLINE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # a server, when the README was not followed to its end
    codes = [int(code) for code in (folder / "exit-codes").read_text().split()]
    wanted = [int(code[1]) if (code := re.search(r"# exit code (\d+)", line)) else 0 for line in lines]
    assert list(zip(codes, lines, strict=True)) == list(zip(wanted, lines, strict=True)), output
    return output


def _programs(folder: Path) -> str:
    """A folder for PATH with the `queuectl` and the `python3` that run this test."""
    folder.mkdir()
    for name, command in {
        "queuectl": [sys.executable, "-m", "queuectl"],
        "python3": [sys.executable],
    }.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (folder / name).chmod(0o755)
    return str(folder)


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def _restored(dump: Path) -> tuple[int, int]:
    """How many orders a dump holds, and what they are worth in cents."""
    with closing(sqlite3.connect(":memory:")) as shop:
        shop.executescript(gzip.decompress(dump.read_bytes()).decode())
        count, cents = shop.execute("SELECT count(*), sum(cents) FROM orders").fetchone()
    return count, cents


def _sales(etl: Path) -> list[str]:
    """The lines that the report has to have, from the files themselves."""
    customers, products, orders = (
        list(csv.DictReader((etl / "sources" / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("customers", "products", "orders")
    )
    country = {row["customer"]: row["country"] for row in customers}
    price = {row["product"]: float(row["unit_price"]) for row in products}
    amounts: dict[str, list[float]] = {}
    for row in orders:
        amounts.setdefault(country[row["customer"]], []).append(int(row["quantity"]) * price[row["product"]])
    largest = sorted(amounts.items(), key=lambda item: -sum(item[1]))
    return [f"| {name} | {len(found)} | {sum(found):,.2f} |" for name, found in largest]


def _task(tenant: str, name: str, before: str = ":") -> str:
    """A line for `enqueue -` whose job takes part in a tenant's limit, as those of the specs do."""
    command = f"{before}; python3 database.py {tenant} '{name}'"
    job = {"command": command, "retries": 0, "concurrency": {"key": f"db-{tenant}", "limit": 2}}
    return json.dumps(job) + "\n"


def _asked(requests: Path) -> dict[str, list[float]]:
    """When the server was asked for each page."""
    asked: dict[str, list[float]] = {}
    for line in requests.read_text().splitlines():
        at, page = line.split()
        asked.setdefault(page, []).append(float(at))
    return asked


def _starts(job: dict[str, Any]) -> list[float]:
    """When the attempts of a job started, but for those that came before the server was up."""
    ran = [attempt for attempt in job["attempts"] if attempt["outcome"] != "spawn_failed"]
    return [datetime.fromisoformat(attempt["started_at"]).timestamp() for attempt in ran]


def _most(times: Iterable[float], *, within_s: float) -> int:
    found = list(times)
    return max(sum(first <= at < first + within_s for at in found) for first in found)


def _answers(queuectl: Queuectl, spec: str) -> list[int]:
    """Exit codes of a download's attempts, but for those that came before the server was up."""
    attempts = queuectl.json("get", spec)["attempts"]
    return [attempt["exit_code"] for attempt in attempts if attempt["outcome"] != "spawn_failed"]


def _crontab(file: Path) -> list[tuple[str, str]]:
    """Every line's expression and command, with what cron makes of `\\%`."""
    lines = [
        line for line in file.read_text(encoding="utf-8").splitlines() if line[:1] in {"*", "@", *digits}
    ]
    parts = [line.split(maxsplit=1 if line.startswith("@") else 5) for line in lines]
    return [(" ".join(fields), command.replace("\\%", "%")) for *fields, command in parts]


def _matches(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """When cron would run it, in a time without clock changes: every day, hour and minute is looked at."""
    minutes, hours, days, months, weekdays = ("0 0 * * *" if expression == "@daily" else expression).split()
    either = "*" not in days[0] + weekdays[0]
    day = start
    while day < end:
        in_month, in_week = _has(days, day.day), _has(weekdays.replace("7", "0"), day.isoweekday() % 7)
        if _has(months, day.month) and (in_month or in_week if either else in_month and in_week):
            for hour, minute in product(range(24), range(60)):
                if _has(hours, hour) and _has(minutes, minute):
                    yield day.replace(hour=hour, minute=minute)
        day += timedelta(days=1)


def _has(field: str, value: int) -> bool:
    """Whether a field of the forms `*`, `5`, `1-5`, each perhaps with `/2`, holds a value."""
    span, _, step = field.partition("/")
    first, _, last = span.partition("-")
    low, high = (0, 59) if span == "*" else (int(first), int(last or first))
    return low <= value <= high and (value - low) % int(step or 1) == 0
