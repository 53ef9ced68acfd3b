"""Flows: specs that need others, from their files to the last job."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.engine.firing import fire_due
from queuectl.engine.retention import forget_some
from queuectl.model.errors import ConflictError, InvalidSpecError, UnknownError
from queuectl.model.job import Job
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState
from queuectl.service import flows, jobs
from queuectl.service.apply import validate
from queuectl.service.context import Context
from queuectl.service.enqueue import Request, enqueue, enqueue_all
from queuectl.service.specs import delete, trigger
from tests.service.applying import apply_files, finish, newest, write
from tests.service.conftest import NOON, Clock

BLOCKED, PENDING, PROCESSING = JobState.BLOCKED, JobState.PENDING, JobState.PROCESSING
COMPLETED, DEAD, CANCELLED = JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED
ETL = """
jobs:
  nightly: {command: start, schedule: "0 12 * * *"}
  left: {command: left, needs: [nightly]}
  right: {command: right, needs: [nightly]}
  load: {command: load, needs: [left, right]}
  report: {command: report, needs: [load]}
  alarm: {command: alarm, needs: [{job: load, on: dead}]}
  page: {command: page, needs: [alarm]}
  tidy: {command: tidy, needs: [{job: load, on: finished}]}
"""
OVERLAPPING = ETL.replace('"0 12 * * *"', '{cron: "0 12 * * *", overlap: HOW}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs.d"


@pytest.fixture
def etl(ctx: Context, folder: Path) -> Context:
    apply_files(ctx, folder, {"etl.yaml": ETL})
    return ctx


def states(ctx: Context, flow: int = 1) -> dict[str, JobState]:
    return {job.spec or str(job.id): job.state for job in ctx.store.jobs.of_flow(flow)}


def run(ctx: Context, *specs: str, to: JobState = COMPLETED) -> None:
    """Let a worker do what can be done, and find only these jobs."""
    found = ctx.store.jobs.claim(
        worker="w",
        host="h",
        queues=(),
        outputs=[str(number) for number in range(9)],
        idle=True,
        now=ctx.now(),
    )
    assert {job.spec for job in found} == set(specs)
    for job in found:
        finish(ctx, job, to)


class TestOneTrigger:
    def test_makes_the_whole_graph_at_once(self, etl: Context) -> None:
        trigger(etl, ["nightly"])
        assert states(etl) == {"nightly": PENDING} | dict.fromkeys(
            ("left", "right", "load", "report", "alarm", "page", "tidy"), BLOCKED
        )
        assert newest(etl, "load").reason == "waits for left and 1 more"
        assert newest(etl, "alarm").reason == "waits for load to be dead"

    def test_each_job_runs_when_all_it_needs_has_completed(self, etl: Context) -> None:
        trigger(etl, ["nightly"])
        run(etl, "nightly")
        (left, right) = (newest(etl, name) for name in ("left", "right"))
        assert (left.state, right.state, newest(etl, "load").state) == (PENDING, PENDING, BLOCKED)
        (first,) = claim(etl, 1)
        finish(etl, first, COMPLETED)
        assert newest(etl, "load").state is BLOCKED
        run(etl, "right" if first.spec == "left" else "left")
        run(etl, "load")
        assert (newest(etl, "alarm").state, newest(etl, "page").state) == (CANCELLED, CANCELLED)
        assert newest(etl, "page").reason == f"not needed: job {newest(etl, 'alarm').id} has not run"
        run(etl, "report", "tidy")
        assert set(states(etl).values()) == {COMPLETED, CANCELLED}

    def test_that_died_blocks_what_is_below_until_it_is_retried(self, etl: Context) -> None:
        trigger(etl, ["nightly"])
        run(etl, "nightly")
        run(etl, "left", "right")
        run(etl, "load", to=DEAD)
        load = newest(etl, "load")
        assert newest(etl, "report").state is BLOCKED
        assert (
            newest(etl, "report").reason
            == f"needs job {load.id}, which is dead; `queuectl retry {load.id}` lets it go on"
        )
        run(etl, "alarm", "tidy")
        jobs.retry(etl, load)
        assert newest(etl, "report").reason == f"waits for job {load.id}"
        run(etl, "page", "load")
        run(etl, "report")
        assert set(states(etl).values()) == {COMPLETED}

    def test_that_was_cancelled_blocks_what_is_below_and_starts_no_alarm(self, etl: Context) -> None:
        trigger(etl, ["nightly"])
        jobs.cancel(etl, newest(etl, "load"))
        assert {name for name, state in states(etl).items() if state is BLOCKED} == {
            "left", "right", "report", "alarm", "page",
        }  # fmt: skip
        again = jobs.retry(etl, newest(etl, "load"))
        assert (again.state, again.reason) == (BLOCKED, "waits for left and 1 more")
        run(etl, "nightly", "tidy")
        run(etl, "left", "right")
        run(etl, "load")

    def test_ends_with_cancel_flow(self, etl: Context) -> None:
        trigger(etl, ["nightly"])
        run(etl, "nightly")
        claim(etl, 1)
        cancelled = flows.cancel_flow(etl, newest(etl, "tidy"))
        assert len(cancelled) == 7
        running = [job for job in etl.store.jobs.of_flow(1) if job.state is PROCESSING]
        assert [job.cancel_requested_at for job in running] == [NOON]
        finish(etl, running[0], COMPLETED)
        with pytest.raises(ConflictError, match="all of its jobs are over"):
            flows.cancel_flow(etl, newest(etl, "tidy"))

    def test_below_the_root_makes_what_is_below_it(self, etl: Context) -> None:
        trigger(etl, ["load"])
        assert states(etl) == {"load": PENDING} | dict.fromkeys(("report", "alarm", "page", "tidy"), BLOCKED)


class TestSeveralRoots:
    FILES = """
jobs:
  a: {command: a}
  b: {command: b}
  c: {command: c, needs: [a, b]}
  d: {command: d, needs: [c]}
"""

    def test_meet_in_one_flow(self, ctx: Context, folder: Path) -> None:
        apply_files(ctx, folder, {"x.yaml": self.FILES})
        assert states(ctx) == {"a": PENDING, "b": PENDING, "c": BLOCKED, "d": BLOCKED}
        run(ctx, "a", "b")
        run(ctx, "c")
        run(ctx, "d")

    def test_are_paired_in_their_order(self, ctx: Context, folder: Path) -> None:
        apply_files(ctx, folder, {"x.yaml": self.FILES.replace("command: a}", "command: a, paused: true}")})
        assert states(ctx, 1) == {"b": PENDING, "c": BLOCKED, "d": BLOCKED}
        second = trigger(ctx, ["b"])[0]
        assert states(ctx, second.id) == {"b": PENDING, "c": BLOCKED, "d": BLOCKED}
        trigger(ctx, ["a"])
        assert set(states(ctx, 1)) == {"a", "b", "c", "d"}
        assert set(states(ctx, second.id)) == {"b", "c", "d"}

    def test_meet_below_their_own_jobs(self, ctx: Context, folder: Path) -> None:
        files = self.FILES.replace("needs: [a, b]", "needs: [under-a, under-b]")
        files += "  under-a: {command: a, needs: [a]}\n  under-b: {command: b, needs: [b]}\n"
        apply_files(ctx, folder, {"x.yaml": files})
        assert set(states(ctx)) == {"a", "b", "under-a", "under-b", "c", "d"}
        again = trigger(ctx, ["b"])[0]
        run(ctx, "a", "b")
        run(ctx, "under-a", "under-b")
        run(ctx, "c")
        run(ctx, "d")
        assert states(ctx, again.id) == {"b": COMPLETED, "under-b": COMPLETED, "c": BLOCKED, "d": BLOCKED}
        trigger(ctx, ["a"])
        run(ctx, "a")
        run(ctx, "under-a")
        run(ctx, "c")
        run(ctx, "d")
        assert set(states(ctx, again.id)) == {"a", "b", "under-a", "under-b", "c", "d"}


class TestFires:
    def fire(self, ctx: Context, clock: Clock) -> list[str]:
        clock.pass_by(24 * 3_600_000)
        with ctx.store.transaction():
            return [
                f"{fire.outcome}: {fire.reason}" for fire in fire_due(ctx.store, ctx.config, now=ctx.now())
            ]

    def test_every_job_of_a_flow_knows_its_due_instant(self, etl: Context, clock: Clock) -> None:
        self.fire(etl, clock)
        assert {job.fire_at for job in etl.store.jobs.of_flow(1)} == {newest(etl, "nightly").fire_at}

    def test_a_flow_that_goes_on_is_in_the_way_of_the_next(self, etl: Context, clock: Clock) -> None:
        self.fire(etl, clock)
        run(etl, "nightly")
        (fire,) = self.fire(etl, clock)
        assert fire.startswith("skipped: job ")
        assert fire.endswith("is still pending")

    def test_one_that_is_stuck_is_not(self, etl: Context, clock: Clock) -> None:
        self.fire(etl, clock)
        run(etl, "nightly", to=DEAD)
        assert self.fire(etl, clock) == ["fired: None"]

    def test_queued_ones_follow_when_the_whole_flow_before_is_over(
        self, ctx: Context, folder: Path, clock: Clock
    ) -> None:
        apply_files(ctx, folder, {"etl.yaml": OVERLAPPING.replace("HOW", "queue")})
        self.fire(ctx, clock)
        run(ctx, "nightly")
        self.fire(ctx, clock)
        assert newest(ctx, "nightly").state is BLOCKED
        for names in (("left", "right"), ("load",)):
            ctx.store.jobs.promote(now=ctx.now())
            run(ctx, *names)
        ctx.store.jobs.promote(now=ctx.now())
        assert newest(ctx, "nightly").state is BLOCKED
        run(ctx, "report", "tidy")
        ctx.store.jobs.promote(now=ctx.now())
        run(ctx, "nightly")

    def test_replace_ends_the_whole_flow_before(self, ctx: Context, folder: Path, clock: Clock) -> None:
        apply_files(ctx, folder, {"etl.yaml": OVERLAPPING.replace("HOW", "replace")})
        self.fire(ctx, clock)
        run(ctx, "nightly")
        self.fire(ctx, clock)
        assert set(states(ctx, 1).values()) == {COMPLETED, CANCELLED}
        run(ctx, "nightly")


class TestAdHocJobs:
    def test_need_other_jobs(self, ctx: Context) -> None:
        first = enqueue(ctx, JobSpec(command="first")).job
        (one,) = enqueue_all(ctx, [Request(spec=JobSpec(command="then"), needs=(first.id,))])
        assert (one.job.state, one.job.reason, one.job.flow) == (BLOCKED, "waits for job 1", 1)
        (claimed,) = claim(ctx)
        finish(ctx, claimed, COMPLETED)
        (then,) = claim(ctx)
        assert then.id == one.job.id

    def test_need_one_that_runs_or_is_over(self, ctx: Context) -> None:
        enqueue(ctx, JobSpec(command="first"))
        (running,) = claim(ctx)
        (one,) = enqueue_all(ctx, [Request(spec=JobSpec(command="then"), needs=(running.id,))])
        finish(ctx, running, COMPLETED)
        assert jobs.current(ctx, one.job).state is PENDING
        (other,) = enqueue_all(ctx, [Request(spec=JobSpec(command="late"), needs=(running.id,))])
        assert other.job.state is PENDING

    def test_show_up_in_the_flow(self, ctx: Context) -> None:
        first = enqueue(ctx, JobSpec(command="first")).job
        with pytest.raises(UnknownError, match="part of no flow"):
            flows.flow_of(ctx, first)
        enqueue_all(ctx, [Request(spec=JobSpec(command="then"), needs=(first.id,))])
        assert [job.id for job in flows.flow_of(ctx, jobs.current(ctx, first)).jobs] == [1, 2]


class TestFiles:
    @pytest.mark.parametrize(
        ("files", "says"),
        [
            (
                {"a.yaml": "command: x\nneeds: [b]\n", "b.yaml": "command: x\nneeds: [a]\n"},
                "in a circle: a → b → a",
            ),
            ({"a.yaml": "command: x\nneeds: [a]\n"}, "in a circle: a → a"),
            (
                {"load.yaml": "command: x\n", "b.yaml": "command: x\nneeds: [laod]\n"},
                "no job 'laod', did you mean 'load'",
            ),
            ({"a.yaml": "command: x\nneeds: [b]\nschedule: '@daily'\n"}, "leave schedule out"),
            ({"a.yaml": "command: x\nneeds: [b]\nrun_at: 2026-01-01\n"}, "leave run_at out"),
            ({"a.yaml": "command: x\nneeds: [b]\npaused: true\n"}, "leave paused out"),
            ({"a.yaml": "command: x\nneeds: [b, {job: b, on: dead}]\n"}, "'b' stands there twice"),
            ({"a.yaml": "command: x\nneeds: []\n"}, "expected a list of names"),
            (
                {"a.yaml": "command: x\nneeds: [{job: b, on: success}]\n"},
                "expected completed, dead or finished",
            ),
        ],
    )
    def test_what_can_not_be_is_refused(
        self, ctx: Context, folder: Path, files: dict[str, str], says: str
    ) -> None:
        with pytest.raises(InvalidSpecError, match=says):
            apply_files(ctx, folder, files)
        with pytest.raises(InvalidSpecError, match=says):
            validate([folder], ctx.config, now=NOON)

    def test_a_single_file_may_need_what_is_elsewhere(
        self, etl: Context, folder: Path, tmp_path: Path
    ) -> None:
        write(folder, {"etl.yaml": ETL, "more.yaml": "command: x\nneeds: [report]\n"})
        validate([folder / "more.yaml"], etl.config, now=NOON)

    def test_a_chain_of_thousands(self, ctx: Context, folder: Path) -> None:
        lines = ["jobs:", "  j0: {command: x, schedule: '@daily'}"]
        lines += [f"  j{number}: {{command: x, needs: [j{number - 1}]}}" for number in range(1, 5_000)]
        apply_files(ctx, folder, {"chain.yaml": "\n".join(lines)})
        trigger(ctx, ["j0"])
        assert len(ctx.store.jobs.of_flow(1)) == 5_000

    def test_what_others_need_is_not_taken_away(self, etl: Context, folder: Path) -> None:
        with pytest.raises(
            ConflictError, match="spec 'load' is needed by 'alarm', 'report', 'tidy'; delete that first"
        ):
            delete(etl, "load")
        without = "\n".join(line for line in ETL.splitlines() if "  load:" not in line)
        with pytest.raises(InvalidSpecError, match="there is no job 'load'"):
            apply_files(etl, folder, {"etl.yaml": without}, prune=True)

    def test_a_changed_command_reaches_the_waiting_jobs(self, etl: Context, folder: Path) -> None:
        trigger(etl, ["nightly"])
        apply_files(etl, folder, {"etl.yaml": ETL.replace("command: load", "command: load --all")})
        assert newest(etl, "load").frozen.command == "load --all"
        assert newest(etl, "load").state is BLOCKED

    def test_a_changed_root_begins_anew_after_its_flow_was_cancelled(
        self, ctx: Context, folder: Path
    ) -> None:
        text = "jobs:\n  root: {command: a}\n  leaf: {command: x, needs: [root]}\n"
        apply_files(ctx, folder, {"f.yaml": text})
        jobs.cancel(ctx, newest(ctx, "root"))
        apply_files(ctx, folder, {"f.yaml": text.replace("command: a", "command: b")})
        assert newest(ctx, "root").id == 1, "the leaf still waits for it"
        flows.cancel_flow(ctx, newest(ctx, "root"))
        apply_files(ctx, folder, {"f.yaml": text.replace("command: a", "command: c")})
        root = newest(ctx, "root")
        assert states(ctx, root.id) == {"root": JobState.PENDING, "leaf": BLOCKED}
        assert states(ctx) == {"root": JobState.CANCELLED, "leaf": JobState.CANCELLED}


@pytest.mark.parametrize("by", ["purge", "retention"])
def test_what_waits_for_a_dead_job_ends_with_it(etl: Context, tmp_path: Path, clock: Clock, by: str) -> None:
    trigger(etl, ["nightly"])
    run(etl, "nightly", to=DEAD)
    clock.pass_by(365 * 24 * 3_600_000)
    if by == "purge":
        jobs.purge(etl, {DEAD})
    else:
        forget_some(etl.store, etl.config, tmp_path, now=etl.now())
    assert newest(etl, "left").reason == "needs job 1, which was deleted"
    assert newest(etl, "load").reason == f"not needed: job {newest(etl, 'left').id} has not run"
    assert states(etl) == dict.fromkeys(("left", "right", "load", "report", "alarm", "page"), CANCELLED) | {
        "tidy": PENDING
    }
    assert jobs.retry(etl, newest(etl, "left")).state is PENDING, "it runs without what was deleted"


def test_the_critical_path(etl: Context, clock: Clock) -> None:
    trigger(etl, ["nightly"])
    run(etl, "nightly")
    slow, quick = claim(etl, 2)
    finish(etl, quick, COMPLETED)
    clock.pass_by(5_000)
    finish(etl, slow, COMPLETED)
    run(etl, "load")
    flow = flows.flow_of(etl, newest(etl, "load"))
    assert flow.critical_path == [1, slow.id, newest(etl, "load").id]
    assert flow.took_ms is None
    run(etl, "report", "tidy")
    assert flows.flow_of(etl, newest(etl, "load")).took_ms == 5_000


def claim(ctx: Context, limit: int = 9) -> list[Job]:
    outputs = [str(number) for number in range(limit)]
    return list(
        ctx.store.jobs.claim(worker="w", host="h", queues=(), outputs=outputs, idle=True, now=ctx.now())
    )
