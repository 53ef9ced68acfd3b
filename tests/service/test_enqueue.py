from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model.errors import ConflictError, UsageError
from queuectl.model.spec import MAX_COMMAND_BYTES, JobSpec, Schedule
from queuectl.model.states import JobState
from queuectl.service.context import Context
from queuectl.service.enqueue import Request, enqueue, enqueue_all
from tests.service.conftest import NOON


def test_a_job_is_pending_at_once_with_every_default_filled_in(ctx: Context) -> None:
    done = enqueue(ctx, JobSpec(command="make report"))
    job = ctx.store.jobs.get(done.job.id)
    assert job is not None
    assert done.created
    assert (job.state, job.run_at, job.spec, job.spec_version) == (JobState.PENDING, NOON, None, None)
    assert job.frozen.cwd == str(Path.cwd())
    assert (job.frozen.retries, job.frozen.timeout_ms) == (3, 3_600_000)


@pytest.mark.parametrize(
    ("run_at", "own", "state", "due"),
    [
        (NOON + 1, None, JobState.SCHEDULED, NOON + 1),
        (None, NOON + 5, JobState.SCHEDULED, NOON + 5),
        (NOON + 1, NOON + 5, JobState.SCHEDULED, NOON + 1),
        (NOON, None, JobState.PENDING, NOON),
        (NOON - 1000, None, JobState.PENDING, NOON),
    ],
)
def test_a_run_at_in_the_future_makes_it_scheduled(
    ctx: Context, run_at: int | None, own: int | None, state: JobState, due: int
) -> None:
    job = enqueue(ctx, JobSpec(command="true", run_at_ms=own), run_at_ms=run_at).job
    assert (job.state, job.run_at) == (state, due)


def test_a_delay_counts_from_the_enqueue_and_an_instant_is_kept_as_such(ctx: Context) -> None:
    delayed = enqueue(ctx, JobSpec(command="true", run_at_ms=NOON + 5), delay_ms=7).job
    assert (delayed.state, delayed.run_at, delayed.frozen.run_at_ms) == (JobState.SCHEDULED, NOON + 7, None)
    asked = enqueue(ctx, JobSpec(command="true"), run_at_ms=NOON + 7).job
    assert (asked.run_at, asked.frozen.run_at_ms) == (NOON + 7, NOON + 7)
    assert enqueue(ctx, JobSpec(command="true"), delay_ms=0).job.state is JobState.PENDING


def test_an_existing_key_with_the_same_command_gives_its_job_back(ctx: Context) -> None:
    first = enqueue(ctx, JobSpec(command="true"), key="once")
    again = enqueue(ctx, JobSpec(command="true", priority=5), key="once")
    assert (again.created, again.job.id, again.job.priority) == (False, first.job.id, 0)


def test_an_existing_key_with_another_command_is_refused(ctx: Context) -> None:
    first = enqueue(ctx, JobSpec(command="true"), key="once").job
    with pytest.raises(ConflictError, match=f"'once' belongs to job {first.id}, which has another command"):
        enqueue(ctx, JobSpec(command="false"), key="once")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (JobSpec(command="true", cwd="/no/such/folder"), "cwd: there is no folder /no/such/folder"),
        (JobSpec(command="true", cwd="/dev/null"), "cwd: there is no folder /dev/null"),
        (JobSpec(command=" "), "command: expected what to run"),
        (JobSpec(command=()), "command: expected a program"),
        (JobSpec(command="a\0b"), "command: a NUL"),
        (JobSpec(command=b"\xff".decode("utf-8", "surrogateescape")), "command: expected UTF-8"),
        (JobSpec(command="x" * (MAX_COMMAND_BYTES + 1)), "at most 131,071 bytes"),
        (JobSpec(command="ü" * (MAX_COMMAND_BYTES // 2 + 1)), "at most 131,071 bytes"),
        (JobSpec(command="true", env={"A=B": "1"}), "env: expected the name of a variable"),
        (JobSpec(command="true", env={"A": "x\0"}), "env A: a NUL"),
        (JobSpec(command="true", priority=2**63), "priority: expected -1000…1000"),
        (JobSpec(command="true", retries=1001), "retries: expected 0…1000"),
        (JobSpec(command="true", schedule=Schedule(every_ms=1000)), "schedule: an ad-hoc job runs once"),
    ],
)
def test_what_no_attempt_could_run_is_refused(ctx: Context, spec: JobSpec, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        enqueue(ctx, spec)
    assert ctx.store.jobs.list() == []


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "\x1b[31m", "\udcff"])
def test_a_key_that_nobody_can_type_is_refused(ctx: Context, key: str) -> None:
    with pytest.raises(UsageError, match=r"^key: "):
        enqueue(ctx, JobSpec(command="true"), key=key)


def test_the_longest_command_that_the_system_runs_is_taken(ctx: Context) -> None:
    assert enqueue(ctx, JobSpec(command="x" * MAX_COMMAND_BYTES)).created


def test_many_are_enqueued_all_or_none_in_their_order(ctx: Context) -> None:
    made = enqueue_all(ctx, (Request(spec=JobSpec(command=f"echo {n}")) for n in range(100)))
    assert [done.job.frozen.command for done in made] == [f"echo {n}" for n in range(100)]
    enqueue(ctx, JobSpec(command="true"), key="taken")
    with pytest.raises(ConflictError):
        enqueue_all(
            ctx, [Request(spec=JobSpec(command="a")), Request(spec=JobSpec(command="b"), key="taken")]
        )
    assert len(ctx.store.jobs.list(limit=1000)) == 101


def test_one_key_twice_in_a_batch_is_one_job(ctx: Context) -> None:
    same = Request(spec=JobSpec(command="true"), key="k")
    first, second = enqueue_all(ctx, [same, same])
    assert (first.created, second.created, first.job.id == second.job.id) == (True, False, True)
