from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from queuectl.model.config import Config
from queuectl.model.env import EnvRef
from queuectl.model.fire import Fire
from queuectl.model.job import AttemptEnd
from queuectl.model.spec import ExitCodes, JobSpec, Keep, Schedule
from queuectl.model.states import CatchUp, FireOutcome, JobState, Outcome, Overlap
from queuectl.model.transition import Transition
from queuectl.rules import shapes
from queuectl.rules.freeze import freeze
from queuectl.service import fires, queues, settings, views, workers
from queuectl.service.apply import plan
from queuectl.service.context import Context
from queuectl.service.specs import get_spec
from queuectl.service.status import status
from tests.service.applying import apply_files, write
from tests.service.conftest import NOON
from tests.store.conftest import Bench

SECRETS = {"PLAIN": "hunter2", "REF": EnvRef(from_env="PGPASSWORD"), "FILE": EnvRef(from_file="/run/secret")}


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def shown(view: views.View) -> views.View:
    """As JSON gives it back: enums as text, nothing that JSON doesn't know."""
    back = json.loads(json.dumps(view))
    assert isinstance(back, dict)
    return back


def test_a_job_that_waits(bench: Bench) -> None:
    job = bench.enqueue(key="k", command=("echo", "a b"), retries=5, priority=7, queue="mail", now=NOON + 250)

    assert shown(shapes.job_view(job)) == {
        "id": 1,
        "key": "k",
        "spec": None,
        "command": ["echo", "a b"],
        "state": "pending",
        "queue": "mail",
        "priority": 7,
        "attempt": 0,
        "max_retries": 5,
        "run_at": "2026-06-01T12:00:00.250Z",
        "created_at": "2026-06-01T12:00:00.250Z",
        "updated_at": "2026-06-01T12:00:00.250Z",
        "finished_at": None,
        "fire_at": None,
        "worker": None,
        "exit_code": None,
        "failures": 0,
        "reason": None,
        "flow": None,
    }


def test_everything_of_a_job_that_died(ctx: Context, bench: Bench) -> None:
    spec = JobSpec(
        name="s",
        command="make report",
        description="A report",
        labels={"team": "data"},
        cwd="/srv",
        env=SECRETS,
        env_file=("/etc/report.env",),
        timeout_ms="none",
        exit_codes=ExitCodes(rules=(("success", ((0, 0), (3, 5))), ("snooze", ((75, 75),)))),
        max_log_bytes=1_500_000,
        keep={"dead": Keep(count=9), "completed": Keep(for_ms=604_800_000)},
    )
    job = bench.processing(
        frozen=freeze(spec, Config()), spec="s", spec_version=2, fire_at=NOON, expires_at=NOON, now=NOON
    )
    ctx.store.attempts.record_pid(job.id, 1, worker="w1", pid=77, pid_mark="m")
    end = AttemptEnd(
        outcome=Outcome.SIGNALLED,
        signal="SIGSEGV",
        error="oops",
        output=b"\xff",
        output_bytes=70_000,
        truncated=True,
        cpu_ms=12,
        max_rss_kib=345,
    )
    died = Transition(state=JobState.DEAD, failures=4, losses=1, reason="killed by SIGSEGV, after 4 failures")
    ctx.store.jobs.finish(job, end, died, now=NOON + 1500)

    detail = shown(views.job_detail(bench.now(job), ctx.store.attempts.of_job(job.id)))

    assert detail == {
        "outputs": {},
        "progress": None,
        "summary": None,
        **shown(shapes.job_view(bench.now(job))),
        "spec_version": 2,
        "losses": 1,
        "expires_at": "2026-06-01T12:00:00Z",
        "cancel_requested_at": None,
        "description": "A report",
        "owner": None,
        "labels": {"team": "data"},
        "shell": ["/bin/sh", "-c"],
        "cwd": "/srv",
        "env": {"PLAIN": "***", "REF": {"from_env": "PGPASSWORD"}, "FILE": {"from_file": "/run/secret"}},
        "env_file": ["/etc/report.env"],
        "timeout": "none",
        "kill_after": "10s",
        "backoff": {"base": "2s", "factor": 2.0, "max": "1h", "jitter": 0.1},
        "exit_codes": {"success": [0, "3-5"], "snooze": [75], "snooze_for": "1m"},
        "max_log": 1_500_000,
        "needs": [],
        "limits": {},
        "user": None,
        "on_success": [],
        "on_failure": [],
        "on_dead": [],
        "params": {},
        "arguments": {},
        "concurrency": None,
        "rate": None,
        "keep": {"dead": 9, "completed": "7d"},
        "attempts": [
            {
                "number": 1,
                "outcome": "signalled",
                "exit_code": None,
                "signal": "SIGSEGV",
                "error": "oops",
                "started_at": "2026-06-01T12:00:00Z",
                "finished_at": "2026-06-01T12:00:01.500Z",
                "duration_ms": 1500,
                "pid": 77,
                "worker": "w1",
                "host": "here",
                "output_bytes": 70_000,
                "truncated": True,
                "cpu_ms": 12,
                "max_rss_kib": 345,
            }
        ],
    }
    assert (detail["state"], detail["worker"], detail["failures"], detail["fire_at"]) == (
        "dead",
        "w1",
        4,
        "2026-06-01T12:00:00Z",
    )
    assert "hunter2" not in json.dumps(detail)


@pytest.mark.parametrize(
    ("schedule", "view"),
    [
        (Schedule(cron=("0 2 * * *",)), "0 2 * * *"),
        (Schedule(cron=("@daily",), timezone="Europe/Berlin"), "@daily"),
        (Schedule(cron=("@daily", "0 3 * * 1")), {"cron": ["@daily", "0 3 * * 1"]}),
        (Schedule(every_ms=900_000), {"every": "15m"}),
        (
            Schedule(
                cron=("@hourly",),
                timezone="Asia/Tokyo",
                jitter_ms=60_000,
                catch_up=CatchUp.ALL,
                spacing_ms=1000,
                overlap=Overlap.QUEUE,
                start_within_ms=5000,
            ),
            {
                "cron": ["@hourly"],
                "timezone": "Asia/Tokyo",
                "jitter": "1m",
                "catch_up": "all",
                "spacing": "1s",
                "overlap": "queue",
                "start_within": "5s",
            },
        ),
    ],
)
def test_the_schedule_of_a_spec(ctx: Context, schedule: Schedule, view: object) -> None:
    spec = JobSpec(name="s", command="true", schedule=schedule)
    apply_id = ctx.store.specs.record_apply(at=0, who="a", source="s", git_commit=None, git_dirty=None)
    ctx.store.specs.write(
        spec, source="s", file="f", apply_id=apply_id, next_due_at=None, next_fire_at=None, now=0
    )

    found = shown(views.spec_view(get_spec(ctx, "s"), zone="UTC"))

    assert (found["schedule"], found["timezone"]) == (view, schedule.timezone or "UTC")


def test_a_spec_in_a_list_and_in_full(ctx: Context, tmp_path: Path) -> None:
    text = "command: 'true'\nschedule: '0 2 * * *'\ntimezone: Europe/Berlin\nretries: 1\nenv: {A: hunter2}"
    apply_files(ctx, tmp_path / "jobs", {"nightly.yaml": text})
    ctx.store.specs.pause("nightly", who="ada@mill", reason="disk is full", now=NOON)
    stored = get_spec(ctx, "nightly")

    in_list = shown(views.spec_view(stored, zone="UTC"))
    in_full = shown(views.spec_detail(stored, zone="UTC"))

    assert in_list == {
        "name": "nightly",
        "source": str(tmp_path / "jobs"),
        "file": "jobs/nightly.yaml",
        "version": 1,
        "schedule": "0 2 * * *",
        "timezone": "Europe/Berlin",
        "next_fire_at": "2026-06-02T00:00:00Z",
        "last_fire_at": None,
        "paused": True,
        "pause_reason": "disk is full",
        "command": "true",
        "description": None,
        "queue": "default",
        "priority": 0,
        "orphaned": False,
        "damaged": False,
    }
    assert in_list.items() <= in_full.items()
    assert (in_full["retries"], in_full["timeout"], in_full["run_at"]) == (1, None, None)
    assert (in_full["paused_at"], in_full["paused_by"]) == ("2026-06-01T12:00:00Z", "ada@mill")
    assert in_full["env"] == {"A": "***"}
    assert "hunter2" not in json.dumps(in_full)


def test_the_ledger_and_what_is_coming(ctx: Context, tmp_path: Path) -> None:
    apply_files(
        ctx,
        tmp_path / "d",
        {"s.yaml": "command: x\nschedule: {cron: '0 2 * * *', timezone: Europe/Berlin}"},
    )
    stretch = Fire(
        spec="s", due_at=NOON, until=NOON + 3_600_000, count=2, outcome=FireOutcome.MISSED, reason="down"
    )
    (coming,) = fires.coming(ctx)

    assert shown(views.fire_view(stretch)) == {
        "spec": "s",
        "due_at": "2026-06-01T12:00:00Z",
        "outcome": "missed",
        "job_id": None,
        "reason": "down",
        "until": "2026-06-01T13:00:00Z",
        "count": 2,
    }
    assert shown(views.coming_view(coming.spec, coming.due_at, coming.zone)) == {
        "spec": "s",
        "due_at": "2026-06-02T00:00:00Z",
        "local": "2026-06-02 02:00:00 CEST",
    }


def test_the_status(ctx: Context, bench: Bench, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", {"s.yaml": "command: x\nschedule: '@daily'"})
    ctx.store.workers.register(worker="w9", host="far", pid=5, pid_mark="m", slots=3, queues=("a",), now=NOON)
    for state in JobState:
        bench.in_state(state, spec="s", now=NOON)
    bench.in_state(JobState.COMPLETED)

    assert shown(views.status_view(status(ctx))) == {
        "jobs": {
            "total": 9,
            "blocked": 1,
            "scheduled": 1,
            "pending": 1,
            "processing": 1,
            "failed": 1,
            "completed": 2,
            "dead": 1,
            "cancelled": 1,
        },
        "success_rate": 0.6667,
        "avg_duration_ms": 0.0,
        "oldest_pending_s": 0.0,
        "workers": [
            {
                "id": "w9",
                "host": "far",
                "pid": 5,
                "condition": "running",
                "slots": 3,
                "running": 0,
                "queues": ["a"],
                "started_at": "2026-06-01T12:00:00Z",
                "beat_at": "2026-06-01T12:00:00Z",
                "paused": False,
                "stop": None,
            }
        ],
        "next_fires": [{"spec": "s", "due_at": "2026-06-02T00:00:00Z", "local": "2026-06-02 00:00:00 UTC"}],
    }


def test_a_plan(ctx: Context, tmp_path: Path) -> None:
    daily = "command: {}\nschedule: '@daily'\nenv: {{A: {}}}"
    folder = tmp_path / "jobs"
    apply_files(
        ctx,
        folder,
        {"a.yaml": daily.format("x", 1), "b.yaml": daily.format("x", 1), "c.yaml": daily.format("x", 1)},
    )
    write(
        folder,
        {
            "b.yaml": daily.format("y", 2),
            "c.yaml": daily.format("x", 1),
            "d.yaml": "command: z",
            "notes.txt": "",
        },
    )

    found = shown(views.apply_view(plan(ctx, [folder])))
    warnings, ignored = found.pop("warnings"), found.pop("ignored")

    assert isinstance(warnings, list)
    assert [Path(file).name for file in ignored] == ["notes.txt"]
    assert found == {
        "source": str(folder),
        "created": [{"name": "d", "file": "jobs/d.yaml", "next_fire_at": None, "job": "runs once now"}],
        "updated": [
            {
                "name": "b",
                "file": "jobs/b.yaml",
                "changes": [
                    {"field": "command", "old": "x", "new": "y"},
                    {"field": "env.A", "old": "***", "new": "***"},
                ],
                "next_fire_at": "2026-06-02T00:00:00Z",
                "job": None,
            }
        ],
        "unchanged": 1,
        "orphaned": ["a"],
        "pruned": [],
    }
    assert shown(views.apply_view(plan(ctx, [folder], prune=True)))["pruned"] == ["a"]


def test_workers_queues_and_settings(ctx: Context, bench: Bench) -> None:
    ctx.store.workers.register(
        worker="w", host=socket.gethostname(), pid=2**22, pid_mark="gone", slots=1, queues=(), now=NOON
    )
    ctx.store.workers.pause(None, now=NOON)
    ctx.store.workers.stop(None, mode="now")
    bench.enqueue(queue="mail")
    queues.pause(ctx, "mail", reason="the server moves")

    (worker,) = map(views.worker_view, workers.list_workers(ctx))
    (queue,) = map(views.queue_view, queues.list_queues(ctx))

    assert (worker["condition"], worker["paused"], worker["stop"]) == ("dead", True, "now")
    assert shown(queue) == {
        "name": "mail",
        "waiting": 1,
        "processing": 0,
        "paused": True,
        "paused_at": "2026-06-01T12:00:00Z",
        "paused_by": "ada@mill",
        "pause_reason": "the server moves",
        "running_limit": None,
        "rate": None,
    }
    assert shown(views.setting_view(settings.get(ctx, "lease"))) == {
        "key": "lease",
        "value": "30s",
        "origin": "default",
        "meaning": "silence after which a worker is held for dead",
    }
