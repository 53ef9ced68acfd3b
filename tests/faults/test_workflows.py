"""Flows, shared slots and rates: their workers are killed at random, and the promises hold.

`CHAOS_SEED` repeats the decisions of a run. `FULL_SIZE=1` (and `make soak`) makes them as large as they are promised
to be. With `-s` each prints what has happened.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from queuectl import Queue
from queuectl.model.spec import JobSpec
from queuectl.service.enqueue import Request, enqueue_all
from tests.command import Queuectl
from tests.faults.chaos.crew import Crew
from tests.faults.chaos.oracle import Found
from tests.faults.machine import need, need_tool
from tests.faults.pace import FULL_SIZE

CHAOS = Path(__file__).with_name("chaos")
RETRIES = 1000
"""Of what must succeed in the end, however often its worker dies."""
KILL_EVERY_S = (0.5, 2.0) if FULL_SIZE else (0.3, 1.2)

Needs = Mapping[str, Sequence[str]]
"""What each job needs, by name; none comes before what it needs."""


@pytest.fixture
def chance(queuectl: Queuectl, tmp_path: Path) -> random.Random:
    """What decides; the jobs are told where their ledger is."""
    need(sys.platform == "linux", "Linux, for the locks of jobs that are killed")
    need_tool("flock")
    seed = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)
    print(f"\nseed {seed}, {tmp_path}")
    ledger = tmp_path / "ledger"
    ledger.touch()
    (tmp_path / "ledger.locks").mkdir()
    queuectl.env |= {"CHAOS_LEDGER": str(ledger), "QUEUECTL_BACKOFF_MAX": "500ms"}
    return random.Random(seed)  # noqa: S311  to be repeated


# Flows


@pytest.mark.timeout(1800 if FULL_SIZE else 120)
@pytest.mark.parametrize("shape", ["diamond", "layers"])
def test_a_job_of_a_flow_runs_once_and_after_all_that_it_needs(
    queuectl: Queuectl, chance: random.Random, shape: str
) -> None:
    size = 10_000 if FULL_SIZE else 500
    if shape == "diamond":
        needs = diamond(size)
        apply(queuectl, needs, chance)
    else:
        needs = layers(size, width=100 if FULL_SIZE else 60, chance=chance)
        enqueue(queuectl, needs, chance)
    crew = Crew(queuectl, workers=3, slots=4, chance=chance, kill_every_s=KILL_EVERY_S)
    took_s = crew.work()
    found = Found(queuectl.db)
    print(counts(found, crew, took_s))
    assert crew.killed
    assert found.states() == {"completed": size}
    assert wrong(needs, read(queuectl), found) == []


def diamond(size: int) -> Needs:
    """One job, then all but one of the others, then the last one."""
    middle = [f"middle{number}" for number in range(size - 2)]
    return {"first": [], **{name: ["first"] for name in middle}, "last": middle}


def layers(size: int, *, width: int, chance: random.Random) -> Needs:
    """One job, then layer after layer of jobs that need some of the layer before, then the last one."""
    needs: dict[str, Sequence[str]] = {"first": []}
    layer = ["first"]
    while len(needs) < size - 1:
        before = layer
        layer = [f"step{number}" for number in range(len(needs), min(len(needs) + width, size - 1))]
        needs |= {name: chance.sample(before, min(len(before), chance.randint(1, 3))) for name in layer}
    used = {name for names in needs.values() for name in names}
    return {**needs, "last": [name for name in needs if name not in used]}


def apply(queuectl: Queuectl, needs: Needs, chance: random.Random) -> None:
    """Make the jobs by specs, that of the first one by applying it."""
    jobs = {
        name: {"command": step(name, chance), "retries": RETRIES} | ({"needs": names} if names else {})
        for name, names in needs.items()
    }
    for start in range(0, len(jobs), 1000):  # a file holds 1 MiB at most
        queuectl.spec(f"flow{start}", json.dumps({"jobs": dict(list(jobs.items())[start : start + 1000])}))
    queuectl("apply", "jobs.d")


def enqueue(queuectl: Queuectl, needs: Needs, chance: random.Random) -> None:
    """Make the jobs as `enqueue --needs` does."""
    ids: dict[str, int] = {}
    with Queue(queuectl.db, backoff_base="200ms", backoff_max="500ms") as queue:
        for name, names in needs.items():
            spec = JobSpec(command=step(name, chance), cwd=str(queuectl.folder), retries=RETRIES)
            request = Request(spec=spec, key=name, needs=tuple(ids[one] for one in names))
            ids[name] = enqueue_all(queue.context, [request])[0].job.id


def step(name: str, chance: random.Random) -> tuple[str, ...]:
    """Return the command of a job: every other one fails once or twice first, a few are still there after a kill."""
    failures, seconds = chance.choice([0, 0, 1, 2]), chance.choice([0] * 49 + [1])
    return ("sh", str(CHAOS / "step.sh"), name, str(failures), str(seconds))


def wrong(needs: Needs, lines: Sequence[Line], found: Found) -> list[str]:
    """Tell what ran too early, twice at once, or not exactly once to its success."""
    names = {job: row["spec"] or row["key"] for job, row in found.jobs.items()}
    succeeded = {(names[job], n) for (job, n), row in found.attempts.items() if row["outcome"] == "succeeded"}
    return [
        *_too_early(needs, lines, succeeded),
        *_beside_another(lines),
        *_not_once(needs, lines, succeeded),
    ]


def _too_early(needs: Needs, lines: Sequence[Line], succeeded: set[tuple[str, int]]) -> Iterator[str]:
    over: set[str] = set()
    for line in lines:
        if line.event == "start" and (missing := set(needs[line.job]) - over):
            yield f"{line.job}: attempt {line.attempt} began before the end of {sorted(missing)[:5]}"
        elif line.event == "end" and (line.job, line.attempt) in succeeded:
            over.add(line.job)


def _beside_another(lines: Sequence[Line]) -> Iterator[str]:
    latest: Counter[str] = Counter()
    for line in lines:
        if line.event == "overlap" or line.attempt < latest[line.job]:
            yield f"{line.job}: attempt {line.attempt} beside attempt {latest[line.job]}"
        latest[line.job] = max(latest[line.job], line.attempt)


def _not_once(needs: Needs, lines: Sequence[Line], succeeded: set[tuple[str, int]]) -> Iterator[str]:
    successes = Counter(job for job, _ in succeeded)
    began = Counter((line.job, line.attempt) for line in lines if line.event == "start")
    ended = Counter((line.job, line.attempt) for line in lines if line.event == "end" and line.remark == "0")
    yield from (f"{job} succeeded {successes[job]} times" for job in needs if successes[job] != 1)
    yield from (f"{one} began {times} times" for one, times in began.items() if times > 1)
    yield from (f"{one} succeeded, and ended so {ended[one]} times" for one in succeeded if ended[one] != 1)


# Shared slots


@pytest.mark.timeout(1800 if FULL_SIZE else 120)
def test_no_more_jobs_share_a_key_at_once_than_its_limit(queuectl: Queuectl, chance: random.Random) -> None:
    size, limit = 2_000 if FULL_SIZE else 200, 3
    shared = [sys.executable, "-I", "-S", str(CHAOS / "shared.py")]
    job = {"retries": RETRIES, "concurrency": {"key": "warehouse", "limit": limit}}
    jobs = {
        f"job{n}": job | {"command": [*shared, f"job{n}", str(chance.randint(0, 40))]} for n in range(size)
    }
    queuectl.spec("shared", json.dumps({"jobs": jobs}))
    queuectl("apply", "jobs.d")
    crew = Crew(queuectl, workers=8, slots=2, chance=chance, kill_every_s=KILL_EVERY_S)
    took_s = crew.work()
    lines, found = read(queuectl), Found(queuectl.db)
    most = max(int(line.remark) for line in lines if line.event == "start")
    print(f"{counts(found, crew, took_s)}, {most} at once at most")
    assert crew.killed
    assert found.states() == {"completed": size}
    assert most == limit


# Rates


@pytest.mark.timeout(120)
@pytest.mark.parametrize("whose", ["spec", "queue"])
def test_no_more_jobs_start_in_any_second_than_their_rate_and_one(
    queuectl: Queuectl, chance: random.Random, whose: str
) -> None:
    size, rate = 500 if FULL_SIZE else 120, 50
    if whose == "spec":
        queuectl.spec("crawl", f"command: 'true'\nschedule: '@yearly'\nrate: {rate}/s\n")
        queuectl("apply", "jobs.d")
        with Queue(queuectl.db) as queue:
            for _ in range(size):
                queue.trigger("crawl")
    else:
        queuectl("queue", "limit", "default", "--rate", f"{rate}/s")
        queuectl("enqueue", "-", stdin="true\n" * size)
    crew = Crew(queuectl, workers=2, slots=4, chance=chance, kill_every_s=None)
    crew.work()
    found = Found(queuectl.db)
    starts = sorted(attempt["started_at"] for attempt in found.attempts.values())
    most = max(bisect_left(starts, at + 1000) - place for place, at in enumerate(starts))
    print(f"{counts(found, crew, (starts[-1] - starts[0]) / 1000)}, {most} in a second at most")
    assert found.outcomes() == {"succeeded": size}
    assert most <= rate + 1


# What the jobs wrote, and what happened


class Line(NamedTuple):
    """A line of the ledger."""

    event: str
    """`start`, `end` (its exit code is the remark), or `overlap`."""
    job: str
    attempt: int
    remark: str = ""


def read(queuectl: Queuectl) -> list[Line]:
    """Return the ledger: in the order of what happened."""
    lines = Path(queuectl.env["CHAOS_LEDGER"]).read_text().splitlines()
    return [Line(event, job, int(n), *rest) for event, job, n, *rest in map(str.split, lines)]


def counts(found: Found, crew: Crew, took_s: float) -> str:
    """Say how much has happened."""
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes().most_common())
    return (
        f"{len(found.jobs)} jobs, {len(found.attempts)} attempts ({outcomes}), {crew.killed} workers killed,"
        f" {took_s:.1f} s"
    )
