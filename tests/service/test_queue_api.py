from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from queuectl import Queue
from queuectl.model.env import EnvRef
from queuectl.model.errors import ConflictError, UnknownError, UsageError
from queuectl.model.states import JobState
from tests.service.applying import write


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    for name in [name for name in os.environ if name.startswith("QUEUECTL_")]:
        monkeypatch.delenv(name)
    with Queue(tmp_path / "queue.db") as queue:
        yield queue


def test_every_field_of_an_enqueue_reaches_the_job(queue: Queue, tmp_path: Path) -> None:
    job = queue.enqueue(
        ["echo", "a b"],
        key="k",
        priority=5,
        queue="mail",
        retries=1,
        timeout="10m",
        env={"A": "1"},
        cwd=tmp_path,
    )
    frozen = job.frozen
    assert (job.key, job.priority, job.queue, job.max_retries, job.state) == (
        "k",
        5,
        "mail",
        1,
        JobState.PENDING,
    )
    assert (frozen.command, frozen.timeout_ms) == (("echo", "a b"), 600_000)
    assert (frozen.env, frozen.cwd) == ({"A": "1"}, str(tmp_path))
    assert queue.get("k") == queue.get(job.id) == job


@pytest.mark.parametrize("delay", ["1h", 3600, 3600.0, timedelta(hours=1)])
def test_a_delay_in_any_form(queue: Queue, delay: Any) -> None:
    before = queue.context.now()
    job = queue.enqueue("true", delay=delay)
    assert job.state is JobState.SCHEDULED
    assert before <= job.run_at - 3_600_000 <= queue.context.now()


@pytest.mark.parametrize(
    "run_at",
    [
        "2099-01-01T00:00:00Z",
        "2099-01-01T01:00:00+01:00",
        datetime(2099, 1, 1, tzinfo=UTC),
        4_070_908_800_000,
    ],
)
def test_a_run_at_in_any_form(queue: Queue, run_at: Any) -> None:
    job = queue.enqueue("true", run_at=run_at)
    assert (job.state, job.run_at) == (JobState.SCHEDULED, 4_070_908_800_000)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"timeout": -1}, "timeout: expected a duration"),
        ({"timeout": float("nan")}, "timeout: expected a finite number"),
        ({"delay": "soon"}, "delay: expected a duration"),
        ({"run_at": "2026-02-30"}, "run_at: day of 2026-02"),
        ({"run_at": 1, "delay": 1}, "run_at or delay, found both"),
        ({"cwd": "/no/such"}, "no folder /no/such"),
    ],
)
def test_what_cant_be_used_is_a_usage_error(queue: Queue, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        queue.enqueue("true", **fields)
    assert queue.list() == []


def test_overrides_beat_what_is_set(tmp_path: Path) -> None:
    with Queue(tmp_path / "q.db", max_retries=7, default_timeout=5) as queue:
        job = queue.enqueue("true")
    assert (job.max_retries, job.frozen.timeout_ms) == (7, 5_000)
    with pytest.raises(UsageError, match="no configuration key 'max_retrys'"):
        Queue(tmp_path / "q.db", max_retrys=7)


def test_jobs_are_cancelled_retried_and_waited_for(queue: Queue) -> None:
    job = queue.enqueue("true")
    assert queue.cancel(job.id).state is JobState.CANCELLED
    assert queue.wait(job.id, timeout="1s").state is JobState.CANCELLED
    with pytest.raises(ConflictError):
        queue.cancel(job.id)
    assert queue.retry(job.id).state is JobState.PENDING
    with pytest.raises(UnknownError):
        queue.get("nobody")


def test_jobs_are_listed_by_state(queue: Queue) -> None:
    first, second = queue.enqueue("a"), queue.enqueue("b", queue="mail")
    queue.cancel(first.id)
    assert [job.id for job in queue.list()] == [second.id, first.id]
    assert [job.id for job in queue.list(states=["cancelled"])] == [first.id]
    assert [job.id for job in queue.list(queue="mail")] == [second.id]
    with pytest.raises(UsageError, match="no state 'running'"):
        queue.list(states=["running"])
    assert queue.status().jobs[JobState.PENDING] == 1


def test_specs_are_planned_applied_and_triggered(queue: Queue, tmp_path: Path) -> None:
    folder = write(tmp_path / "d", {"a.yaml": "command: a\nschedule: '@daily'\n", "b.yaml": "command: b\n"})
    assert [one.name for one in queue.plan(folder).created] == ["a", "b"]
    assert queue.apply(folder).apply_id is not None
    assert queue.trigger("a").spec == "a"
    (folder / "a.yaml").unlink()
    assert queue.apply(str(folder), prune=True).plan.pruned == ("a",)


def test_workflows_are_asked_for(queue: Queue, tmp_path: Path) -> None:
    spec = "command: x\nschedule: {every: 1h}\nparams: {DAY: {type: string, default: today}}\n"
    queue.apply(write(tmp_path / "d", {"export.yaml": spec}))
    job = queue.trigger("export", arguments={"DAY": "2026-03-01"}, run_at="2100-01-01T00:00:00Z")
    assert (job.state, dict(job.frozen.arguments)) == (JobState.SCHEDULED, {"DAY": "2026-03-01"})
    with pytest.raises(UsageError, match="no parameter 'DAYS', did you mean 'DAY'"):
        queue.trigger("export", arguments={"DAYS": "x"})
    assert (
        len(queue.backfill("export", "2026-03-01T00:00:00Z", "2026-03-01T05:00:00Z", dry_run=True).due) == 5
    )
    first = queue.enqueue("true", key="first")
    second = queue.enqueue("true", needs=["first", first.id])
    assert (second.state, second.reason) == (JobState.BLOCKED, f"waits for job {first.id}")
    assert [one.id for one in queue.flow(first.id).jobs] == [first.id, second.id]
    assert queue.why(second.id).advice == f"see why that one takes: queuectl why {first.id}"
    with pytest.raises(UnknownError):
        queue.enqueue("true", needs=[999])


def test_it_runs_what_is_there_and_keeps_the_output(tmp_path: Path) -> None:
    """In a process of its own: running takes signals over."""
    program = """
import sys
from queuectl import Queue
with Queue(sys.argv[1], backoff_base="10ms") as queue:
    good = queue.enqueue("echo hello; echo there >&2")
    assert queue.run(slots=2) == 0
    assert queue.wait(good.id, timeout=5).state == "completed"
    assert queue.output(good.id) == b"hello\\nthere\\n"
    bad = queue.enqueue("exit 3", retries=1)
    assert queue.run() == 1
    job = queue.get(bad.id)
    assert (job.state, job.attempt, job.exit_code) == ("dead", 2, 3)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "q.db")],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_it_is_cheap() -> None:
    program = "import sys, queuectl.queue; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "yaml",
        "jsonschema",
        "croniter",
        "rich",
        "click",
        "psutil",
        "cron_descriptor",
        "subprocess",
        "asyncio",
    }
    assert heavy.isdisjoint(modules)
    assert "queuectl.queue" in modules


@pytest.mark.parametrize(
    ("command", "fields", "says"),
    [
        ("x", {"env": {"A": 1}}, "env"),
        ("x", {"retries": True}, "retries"),
        ("x", {"priority": "5"}, "priority"),
        ("x", {"queue": "a b"}, "queue"),
        ("x", {"run_at": 2**60}, "run_at"),
        (["echo", 1], {}, "command"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    queue: Queue, command: Any, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        queue.enqueue(command, **fields)
    assert queue.list() == []


def test_many_commands_are_one_transaction_in_their_order(queue: Queue, tmp_path: Path) -> None:
    commands = (["echo", str(n)] if n % 2 else f"echo {n}" for n in range(1200))
    jobs = queue.enqueue_many(
        commands, priority=3, queue="mail", timeout="none", env={"A": "1"}, cwd=tmp_path
    )
    assert [job.frozen.command for job in jobs] == [
        ("echo", str(n)) if n % 2 else f"echo {n}" for n in range(1200)
    ]
    assert [queue.get(job.id) for job in jobs[::300]] == jobs[::300]
    last = jobs[-1]
    assert (last.priority, last.queue, last.frozen.timeout_ms, last.frozen.env, last.frozen.cwd) == (
        3,
        "mail",
        "none",
        {"A": "1"},
        str(tmp_path),
    )
    assert [job.state for job in queue.enqueue_many(["a"], delay="1h")] == [JobState.SCHEDULED]
    assert queue.enqueue_many([]) == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [("", "command 3: command: expected what to run"), (["a", 1], "command 3 can't be used: expected")],
)
def test_one_command_that_can_not_be_used_keeps_all_out(queue: Queue, bad: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        queue.enqueue_many(["a", "b", bad, "c"])
    with pytest.raises(UsageError, match="found both"):
        queue.enqueue_many(["a"], delay=1, run_at="2030-01-01")
    assert queue.list() == []


def test_references_pass(queue: Queue) -> None:
    assert queue.enqueue("x", env={"A": EnvRef(from_env="B")}).frozen.env == {"A": EnvRef(from_env="B")}


def test_a_run_or_an_apply_of_nothing_is_refused(queue: Queue) -> None:
    with pytest.raises(UsageError, match="slots"):
        queue.run(slots=0)
    with pytest.raises(UsageError, match="queue"):
        queue.run(queues=["a b"])
    with pytest.raises(UsageError, match="found none"):
        queue.apply()


def test_labels_are_found_however_far_back(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queuectl.service.jobs.BATCH", 2)
    queue.apply(write(queue.context.path.parent / "jobs.d", {"old.yaml": "command: x\nlabels: {team: a}\n"}))
    for _ in range(5):
        queue.enqueue("y")
    assert [job.spec for job in queue.list(labels={"team": "a"})] == ["old"]
    assert queue.list(labels={"team": "b"}) == []
