"""Why a job or a spec does not run: a test for each reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from queuectl.engine.mark import process_mark
from queuectl.model.spec import Concurrency, JobSpec
from queuectl.model.states import JobState
from queuectl.service import jobs, queues, specs
from queuectl.service.context import Context
from queuectl.service.enqueue import Request, enqueue, enqueue_all
from queuectl.service.why import why
from tests.service.applying import apply_files, newest, run_to
from tests.service.conftest import NOON

SPEC = "command: x\nschedule: '@daily'\n"


def worker(ctx: Context, name: str = "w", *, slots: int = 2, serves: tuple[str, ...] = ()) -> None:
    pid = os.getpid()
    ctx.store.workers.register(
        worker=name, host=socket.gethostname(), pid=pid, pid_mark=process_mark(pid) or "", slots=slots, queues=serves,
        now=ctx.now(),
    )  # fmt: skip


def says(ctx: Context, name: str) -> tuple[str, str]:
    found = why(ctx, name)
    return found.reason, found.advice


class TestPending:
    @pytest.fixture(autouse=True)
    def job(self, ctx: Context) -> None:
        enqueue(ctx, JobSpec(command="x", queue="mail"))

    def test_no_worker(self, ctx: Context) -> None:
        assert says(ctx, "1") == ("there is no worker", "start one: queuectl run")

    def test_the_store_is_read_only(self, ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
        assert says(ctx, "1") == (
            f"the store is read-only: {ctx.path} or its folder can't be written",
            "make them writable, then: queuectl run",
        )
        worker(ctx, serves=("video",))
        assert says(ctx, "1")[0] == "no worker serves queue mail", "somebody else can write"

    def test_no_worker_of_its_queue(self, ctx: Context) -> None:
        worker(ctx, serves=("video",))
        assert says(ctx, "1") == ("no worker serves queue mail", "start one: queuectl run --queue mail")

    def test_its_queue_is_paused(self, ctx: Context) -> None:
        queues.pause(ctx, "mail")
        assert says(ctx, "1") == ("queue mail was paused by ada@mill", "queuectl queue resume mail")
        queues.pause(ctx, "mail", reason="the server moves")
        assert says(ctx, "1")[0] == "queue mail was paused by ada@mill: the server moves"

    def test_its_queue_is_limited(self, ctx: Context) -> None:
        worker(ctx)
        enqueue(ctx, JobSpec(command="x", queue="mail", priority=5))
        ctx.store.jobs.claim(worker="w", host="h", queues=(), outputs=("a",), idle=True, now=NOON)
        queues.limit(ctx, "mail", running=1, interval_us=None)
        assert says(ctx, "1")[0] == "queue mail runs 1 at once, and so many run"
        queues.limit(ctx, "mail", running=None, interval_us=60_000_000)
        ctx.store.jobs.claim(worker="w", host="h", queues=(), outputs=("b",), idle=True, now=NOON)
        enqueue(ctx, JobSpec(command="x", queue="mail"))
        assert says(ctx, "3")[0] == "queue mail starts 1/m; the next at 2026-06-01T12:01:00Z"

    def test_its_workers_are_paused_or_stopping(self, ctx: Context) -> None:
        worker(ctx)
        ctx.store.workers.pause(None, now=NOON)
        assert says(ctx, "1") == ("every worker that serves queue mail is paused", "queuectl worker resume")
        ctx.store.workers.resume(None)
        ctx.store.workers.stop(None, mode="graceful")
        assert says(ctx, "1")[0] == "every worker that serves queue mail is stopping"

    def test_all_slots_are_busy(self, ctx: Context) -> None:
        worker(ctx, slots=1)
        enqueue(ctx, JobSpec(command="x", priority=5))
        ctx.store.jobs.claim(worker="w", host="h", queues=(), outputs=("a",), idle=True, now=NOON)
        assert says(ctx, "1") == (
            "the one slot of the worker is busy",
            "wait, or start another worker: queuectl run",
        )

    def test_it_is_about_to_start(self, ctx: Context) -> None:
        worker(ctx)
        assert says(ctx, "1")[0] == "it is about to start"


class TestBlocked:
    def test_by_a_slot(self, ctx: Context) -> None:
        for _ in range(2):
            enqueue(ctx, JobSpec(command="x", concurrency=Concurrency(key="db")))
        assert says(ctx, "1")[0] == "a slot is free"
        ctx.store.gates.admit(now=NOON)
        assert says(ctx, "2") == ("the slot is taken by job 1", "wait, or end one: queuectl cancel 1")

    def test_by_its_rate(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"s.yaml": SPEC + "rate: 1/m\n"})
        specs.trigger(ctx, ["s"])
        ctx.store.gates.admit(now=NOON)
        specs.trigger(ctx, ["s"])
        assert says(ctx, "2")[0] == "its spec starts at most 1/m; the next starts at 2026-06-01T12:01:00Z"

    def test_by_needs(self, ctx: Context) -> None:
        enqueue(ctx, JobSpec(command="x"))
        enqueue_all(ctx, [Request(spec=JobSpec(command="y"), needs=(1,))])
        assert says(ctx, "2") == ("it needs job 1", "see why that one takes: queuectl why 1")
        jobs.cancel(ctx, jobs.find(ctx, "1"))
        assert says(ctx, "2") == ("it needs job 1, which is cancelled", "run that again: queuectl retry 1")
        ctx.store.history.forget([1])
        assert says(ctx, "2") == (
            "it needs job 1, which was deleted",
            "it can't go on, so give it up: queuectl cancel 2",
        )

    def test_by_what_a_long_chain_waits_for(self, ctx: Context, tmp_path: Path) -> None:
        files = {"a.yaml": "command: x\n", "b.yaml": "command: x\nneeds: [a]\n"}
        files |= {"c.yaml": "command: x\nneeds: [b]\n", "d.yaml": "command: x\nneeds: [c]\n"}
        apply_files(ctx, tmp_path / "d", files)
        d, c = newest(ctx, "d").id, newest(ctx, "c").id
        begins = f"it needs job {c} (c), and that in the end job 1 (a)"
        assert says(ctx, "d") == (begins, "see why that one takes: queuectl why 1")
        run_to(ctx, JobState.DEAD, "a")
        assert says(ctx, "d") == (f"{begins}, which is dead", "run that again: queuectl retry 1")
        jobs.cancel(ctx, jobs.find(ctx, "c"))
        assert says(ctx, str(d))[0] == f"it needs job {c} (c), which is cancelled"

    def test_by_what_nothing_has_started(self, ctx: Context, tmp_path: Path) -> None:
        files = {"a.yaml": SPEC, "b.yaml": SPEC, "c.yaml": "command: x\nneeds: [a, b]\n"}
        apply_files(ctx, tmp_path / "d", files)
        specs.trigger(ctx, ["a"])
        run_to(ctx, JobState.COMPLETED, "a")
        assert says(ctx, "c") == ("it needs b, which nothing has started", "start that: queuectl trigger b")

    def test_by_the_job_before(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: x\n"})
        run_to(ctx, JobState.PROCESSING, "once")
        apply_files(ctx, tmp_path / "d", {"once.yaml": "command: y\n"})
        assert says(ctx, str(newest(ctx, "once").id))[0] == "it waits for job 1, which is processing"


class TestOtherStates:
    def test_scheduled(self, ctx: Context) -> None:
        enqueue(ctx, JobSpec(command="x"), run_at_ms=NOON + 60_000)
        assert says(ctx, "1")[0] == "it is due at 2026-06-01T12:01:00Z"

    @pytest.mark.parametrize(
        ("state", "reason", "advice"),
        [
            (
                JobState.FAILED,
                "exit code 1; the next try is at 2026-06-01T12:00:02Z",
                "try at once: queuectl retry 1",
            ),
            (JobState.COMPLETED, "it has completed", "run it again: queuectl retry 1"),
            (JobState.DEAD, "it is dead: exit code 1", "run it again: queuectl retry 1"),
            (JobState.CANCELLED, "it is cancelled: by hand", "run it again: queuectl retry 1"),
        ],
    )
    def test_over_or_waiting(
        self, ctx: Context, tmp_path: Path, state: JobState, reason: str, advice: str
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"s.yaml": "command: x\n"})
        run_to(ctx, state, "s")
        assert says(ctx, "1") == (reason, advice)

    def test_running(self, ctx: Context) -> None:
        enqueue(ctx, JobSpec(command="x"))
        ctx.store.jobs.claim(worker="w", host="h", queues=(), outputs=("a",), idle=True, now=NOON)
        assert says(ctx, "1")[0] == "its worker died during attempt 1"
        worker(ctx)
        assert says(ctx, "1") == ("it runs: attempt 1", "watch it: queuectl logs 1 -f")
        jobs.cancel(ctx, jobs.find(ctx, "1"))
        assert says(ctx, "1")[0] == "it runs, and its worker is stopping it"


class TestSpecs:
    @pytest.mark.parametrize(
        ("fields", "reason", "advice"),
        [
            (SPEC, "it fires next at 2026-06-02T00:00:00Z", "run it now: queuectl trigger s"),
            (SPEC + "paused: true\n", "its file pauses it: d/s.yaml", "take `paused: true` out"),
            (
                "command: x\nparams: {DAY: {}}\n",
                "it has parameters that have to be set",
                "queuectl trigger s --set",
            ),
        ],
    )
    def test_what_its_file_says(
        self, ctx: Context, tmp_path: Path, fields: str, reason: str, advice: str
    ) -> None:
        apply_files(ctx, tmp_path / "d", {"s.yaml": fields})
        found = why(ctx, "s")
        assert (found.what, found.reason) == ("spec s", reason)
        assert found.advice.startswith(advice)

    def test_paused_by_hand_and_pruned(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"s.yaml": SPEC})
        specs.pause(ctx, "s")
        assert says(ctx, "s") == (
            "it was paused by ada@mill at 2026-06-01T12:00:00Z",
            "queuectl spec resume s",
        )
        specs.pause(ctx, "s", reason="disk is full")
        assert says(ctx, "s")[0].endswith("12:00:00Z: disk is full")
        specs.delete(ctx, "s")
        assert says(ctx, "s")[0] == "it was pruned at 2026-06-01T12:00:00Z"

    def test_that_needs_others(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"a.yaml": SPEC, "s.yaml": "command: x\nneeds: [a]\n"})
        assert says(ctx, "s")[0] == "it runs after a"

    def test_that_has_run(self, ctx: Context, tmp_path: Path) -> None:
        apply_files(ctx, tmp_path / "d", {"s.yaml": "command: x\n"})
        run_to(ctx, JobState.COMPLETED, "s")
        assert says(ctx, "s") == ("it runs once, and job 1 is completed", "run it again: queuectl trigger s")
        specs.trigger(ctx, ["s"])
        run_to(ctx, JobState.DEAD, "s")
        reason, advice = says(ctx, "s")
        assert (reason.split(":")[0], advice) == (
            "its last job 2 is dead",
            "run that again: queuectl retry 2",
        )
