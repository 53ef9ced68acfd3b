"""The API says what the command line says, and the document says what the API says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from queuectl.model.states import JobState
from queuectl.service import specs
from queuectl.service.context import Context
from queuectl.web.api import schemas
from tests.command import Queuectl
from tests.service.applying import apply_files, run_to
from tests.store.conftest import Bench

API = "/api/v1"
FILES = {
    "nightly.yaml": """
        command: [dump, --all]
        schedule: {cron: ['0 2 * * *', '0 14 * * *'], jitter: 5m, overlap: queue}
        description: Dump
        owner: ops
        labels: {team: data}
        env: {SECRET: hunter2, TOKEN: {from_env: TOKEN}}
        exit_codes: {dead: [64-78], snooze: [75]}
        concurrency: {key: db}
        rate: 10/m
        limits: {memory: 1GiB}
        keep: {completed: 7d, dead: 5}
        params: {DAY: {type: string, default: today}}
        on_failure: {command: 'mail ops'}
        """,
    "once.yaml": "command: x\n",
    "after.yaml": "command: y\nneeds: [once]\n",
}


@pytest.fixture
def full(ctx: Context, bench: Bench, tmp_path: Path) -> Context:
    """A queue with something of everything in it."""
    apply_files(ctx, tmp_path / "jobs.d", FILES)
    run_to(ctx, JobState.COMPLETED, "once")
    for state in JobState:
        bench.in_state(state, queue="mail", key=f"a {state}", env={"A": "hunter2"}, now=ctx.now())
    specs.trigger(ctx, ["nightly"], arguments={"DAY": "monday"})
    specs.pause(ctx, "nightly", reason="the disk is full")
    ctx.store.queues.pause("mail", who="ada@mill", now=ctx.now(), reason="spam")
    ctx.store.gates.limit_queue("mail", running=2, interval_us=1_000_000)
    ctx.store.workers.register(
        worker="w9", host="far", pid=1, pid_mark="1", slots=4, queues=("mail",), now=ctx.now()
    )
    for _ in range(2):
        bench.in_state(JobState.DEAD)
    return ctx


def said(queuectl: Queuectl, *words: str) -> Any:
    return queuectl.json(*words)


LOOKS: list[tuple[str, list[str], Any]] = [
    ("jobs", ["list"], list[schemas.Job]),
    (
        "jobs?state=dead&state=failed&queue=mail",
        ["list", "-s", "dead,failed", "-q", "mail"],
        list[schemas.Job],
    ),
    (
        "jobs?spec=nightly&label=team%3Ddata",
        ["list", "--spec", "nightly", "--label", "team=data"],
        list[schemas.Job],
    ),
    ("jobs?limit=3", ["list", "--limit", "3"], list[schemas.Job]),
    ("jobs/nightly", ["get", "nightly"], schemas.JobDetail),
    ("jobs/a%20dead", ["get", "a dead"], schemas.JobDetail),
    ("jobs/a%20processing", ["get", "a processing"], schemas.JobDetail),
    ("jobs/after/why", ["why", "after"], schemas.Why),
    ("jobs/after/flow", ["flow", "after"], schemas.Flow),
    ("dead-letters", ["dlq", "list"], list[schemas.Job]),
    ("dead-letters/a%20dead", ["dlq", "show", "a dead"], schemas.JobDetail),
    ("specs", ["spec", "list"], list[schemas.Spec]),
    ("specs?label=team%3Ddata", ["spec", "list", "--label", "team=data"], list[schemas.Spec]),
    ("specs/nightly", ["spec", "show", "nightly"], schemas.SpecDetail),
    ("fires", ["fires"], list[schemas.Fire]),
    ("fires?spec=nightly&since=1d", ["fires", "nightly", "--since", "1d"], list[schemas.Fire]),
    ("fires/coming?count=3", ["next", "--count", "3"], list[schemas.ComingFire]),
    (
        "fires/coming?spec=nightly&from=2099-01-01",
        ["next", "--spec", "nightly", "--from", "2099-01-01"],
        list[schemas.ComingFire],
    ),
    ("workers", ["worker", "list"], list[schemas.Worker]),
    ("queues", ["queue", "list"], list[schemas.Queue]),
    ("status", ["status"], schemas.Status),
]


@pytest.mark.parametrize(("path", "words", "shape"), LOOKS, ids=[look[0] for look in LOOKS])
def test_looking(
    *, full: Context, client: httpx.Client, queuectl: Queuectl, path: str, words: list[str], shape: Any
) -> None:
    specs.resume(full, "nightly") if "coming" in path else None
    answer = client.get(f"{API}/{path}")
    assert answer.status_code == 200
    found, expected = answer.json(), queuectl.json(*words)
    for moving in (found, expected):
        if path == "status":
            assert moving.pop("oldest_pending_s") >= 0
    assert found == expected
    assert found or path.startswith("fires")
    if path != "status":
        TypeAdapter(shape).validate_python(found, extra="forbid")
    assert "hunter2" not in answer.text


def test_status_is_what_the_document_says(full: Context, client: httpx.Client) -> None:
    TypeAdapter(schemas.Status).validate_python(client.get(f"{API}/status").json(), extra="forbid")


def test_a_fire_is_what_the_document_says(full: Context, client: httpx.Client, bench: Bench) -> None:
    from queuectl.model.fire import Fire
    from queuectl.model.states import FireOutcome

    full.store.fires.record(
        Fire(spec="nightly", due_at=1000, outcome=FireOutcome.MISSED, until=2000, count=2)
    )
    found = client.get(f"{API}/fires").json()
    TypeAdapter(list[schemas.Fire]).validate_python(found, extra="forbid")
    assert (found[0]["outcome"], found[0]["count"]) == ("missed", 2)


CHANGES: list[tuple[str, str, Any, list[str]]] = [
    ("POST", "jobs", {"command": "date", "cwd": "/"}, ["enqueue", '{"command": "date", "cwd": "/"}']),
    ("POST", "jobs/a%20pending/cancel", {"reason": "no"}, ["cancel", "a pending", "--reason", "no"]),
    ("POST", "jobs/a%20dead/retry", None, ["retry", "a dead"]),
    ("POST", "specs/nightly/trigger", {"params": {"DAY": "x"}}, ["trigger", "nightly", "--set", "DAY=x"]),
]


@pytest.mark.parametrize(("method", "path", "body", "words"), CHANGES, ids=[change[1] for change in CHANGES])
def test_changing(
    *,
    full: Context, client: httpx.Client, queuectl: Queuectl, method: str, path: str, body: Any, words: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    full.store.backup(tmp_path / "before.db")
    found = client.request(method, f"{API}/{path}", json=body).json()
    expected = queuectl.json("--db", str(tmp_path / "before.db"), *words)
    expected = expected[0] if isinstance(expected, list) else expected
    moving = {"created_at", "updated_at", "finished_at", "run_at"}
    assert set(found) == set(expected)
    assert {k: v for k, v in found.items() if k not in moving} == {
        k: v for k, v in expected.items() if k not in moving
    }
    TypeAdapter(schemas.Job).validate_python(found, extra="forbid")


def test_the_text_of_a_log(client: httpx.Client, queuectl: Queuectl) -> None:
    queuectl("enqueue", "printf 'one\\ntwo\\nthree\\377\\r'")
    queuectl("run", "--until-idle")
    for query, words in (("", []), ("?tail=1", ["--tail", "1"]), ("?attempt=1&tail=2", ["--tail", "2"])):
        answer = client.get(f"{API}/jobs/1/logs{query}")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text == queuectl.json("logs", "1", *words)["output"]
    assert client.get(f"{API}/jobs/1/logs").content == b"one\ntwo\nthree\xff\r"
    assert client.get(f"{API}/jobs/1/logs?attempt=2").status_code == 404
    assert client.get(f"{API}/jobs/1/logs?attempt={2**63}").status_code == 422
