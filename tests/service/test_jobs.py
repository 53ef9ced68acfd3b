from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from queuectl.model.errors import ConflictError, UnknownError, UsageError
from queuectl.model.job import Job
from queuectl.model.states import FINAL, JobState
from queuectl.service import jobs
from queuectl.service.context import Context
from queuectl.service.waiting import WaitTimeoutError
from tests.service.applying import apply_files
from tests.service.conftest import NOON, Clock
from tests.store.conftest import Bench

BLOCKED, SCHEDULED, PENDING, PROCESSING, FAILED, COMPLETED, DEAD, CANCELLED = JobState


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


# Find


def test_find_goes_by_number_then_key_then_newest_of_spec(ctx: Context, bench: Bench) -> None:
    one = bench.enqueue(key="2")
    two = bench.enqueue(key="nightly")
    old = bench.enqueue(spec="nightly")
    new = bench.enqueue(spec="dump")
    newer = bench.enqueue(spec="dump")

    found = {text: jobs.find(ctx, text).id for text in ("1", "2", "nightly", "dump", "3", "0004")}

    assert found == {
        "1": one.id,
        "2": two.id,
        "nightly": two.id,
        "dump": newer.id,
        "3": old.id,
        "0004": new.id,
    }


def test_find_takes_a_number_as_key_where_no_job_has_it(ctx: Context, bench: Bench) -> None:
    job = bench.enqueue(key="20260601")

    assert jobs.find(ctx, "20260601") == job


@pytest.mark.parametrize("text", ["", "0", "99", "-1", "٣", "9" * 18, "9" * 19, "9" * 5000, "1.0", "x y"])
def test_find_of_what_is_not_there(ctx: Context, bench: Bench, text: str) -> None:
    bench.enqueue()
    with pytest.raises(UnknownError, match=r"^there is no job '"):
        jobs.find(ctx, text)


def test_find_names_the_nearest(ctx: Context, bench: Bench, tmp_path: Path) -> None:
    bench.enqueue(key="invoice-17")
    apply_files(ctx, tmp_path / "d", {"nightly.yaml": "command: 'true'\nschedule: '@daily'"})

    with pytest.raises(UnknownError, match=r"^there is no job 'invoice_71', did you mean 'invoice-17'\?$"):
        jobs.find(ctx, "invoice_71")
    with pytest.raises(UnknownError, match=r"^there is no job 'nihgtly', did you mean 'nightly'\?$"):
        jobs.find(ctx, "nihgtly")
    with pytest.raises(
        UnknownError, match=r"^spec 'nightly' has made no job yet; `queuectl trigger nightly`"
    ):
        jobs.find(ctx, "nightly")


# Cancel


@pytest.mark.parametrize("state", JobState)
def test_cancel(ctx: Context, bench: Bench, state: JobState) -> None:
    job = bench.in_state(state, spec="s")
    if state in FINAL:
        with pytest.raises(ConflictError, match=f"^job {job.id} is {state} already"):
            jobs.cancel(ctx, job)
        assert bench.now(job) == job
        return

    changed = jobs.cancel(ctx, job)

    assert changed == bench.now(job)
    assert changed.reason == "cancelled by ada@mill"
    assert changed.state is (PROCESSING if state is PROCESSING else CANCELLED)
    assert changed.cancel_requested_at == (NOON if state is PROCESSING else None)


def test_cancel_with_a_reason_of_a_job_that_was_purged_meanwhile(ctx: Context, bench: Bench) -> None:
    assert jobs.cancel(ctx, bench.enqueue(), reason="not needed").reason == "not needed"
    job = bench.in_state(DEAD)
    ctx.store.history.forget([job.id])

    with pytest.raises(UnknownError, match="purged meanwhile"):
        jobs.cancel(ctx, job)


# Retry


@pytest.mark.parametrize("state", [DEAD, CANCELLED])
def test_retry_brings_the_job_itself_back(ctx: Context, bench: Bench, state: JobState) -> None:
    job = bench.in_state(state, key="k")

    again = jobs.retry(ctx, job)

    assert again == bench.now(job)
    assert (again.state, again.failures, again.run_at, again.frozen) == (PENDING, 0, NOON, job.frozen)


def test_retry_of_a_completed_job_makes_a_new_one(ctx: Context, bench: Bench) -> None:
    job = bench.in_state(COMPLETED, key="k", fire_at=5)

    again = jobs.retry(ctx, job)

    assert again.id != job.id
    assert (again.state, again.key, again.fire_at) == (PENDING, None, None)
    assert (again.frozen, again.reason) == (job.frozen, f"retry of job {job.id}")
    assert bench.now(job) == job


def test_retry_of_a_failed_job_takes_its_backoff_away(ctx: Context, bench: Bench) -> None:
    job = bench.in_state(FAILED, now=NOON)
    assert job.run_at > NOON

    again = jobs.retry(ctx, job)

    assert (again.id, again.state, again.run_at, again.failures) == (job.id, PENDING, NOON, job.failures)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (PROCESSING, "is running now"),
        (PENDING, "is pending and runs without a retry"),
        (SCHEDULED, "is scheduled and runs"),
        (BLOCKED, "is blocked and runs"),
    ],
)
def test_retry_of_what_runs_anyway_is_refused(ctx: Context, bench: Bench, state: JobState, says: str) -> None:
    job = bench.in_state(state, spec="s")

    with pytest.raises(ConflictError, match=f"^job {job.id} {says}"):
        jobs.retry(ctx, job)
    assert bench.now(job) == job


def test_two_retries_at_once_are_one(ctx: Context, bench: Bench) -> None:
    dead = bench.in_state(DEAD)

    jobs.retry(ctx, dead)
    with pytest.raises(ConflictError, match="is pending"):
        jobs.retry(ctx, dead)


@pytest.mark.parametrize("state", [DEAD, CANCELLED, COMPLETED])
@pytest.mark.parametrize("as_was", [False, True])
def test_retry_runs_the_spec_as_it_is_now_or_as_it_was(
    ctx: Context, bench: Bench, tmp_path: Path, state: JobState, as_was: bool
) -> None:
    scheduled = "command: {}\nschedule: '@daily'\nqueue: {}"
    apply_files(ctx, tmp_path / "d", {"s.yaml": scheduled.format("wrong", "old")})
    stored = ctx.store.specs.get("s")
    assert stored
    job = bench.in_state(state, frozen=stored.spec, spec="s", spec_version=1)
    apply_files(ctx, tmp_path / "d", {"s.yaml": scheduled.format("right", "new")})

    again = jobs.retry(ctx, job, as_was=as_was)

    assert (again.spec, again.spec_version) == ("s", 1 if as_was else 2)
    assert (again.frozen.command, again.queue) == (("wrong", "old") if as_was else ("right", "new"))
    assert as_was or again.frozen.retries == 3, "defaults are filled in"


def test_retry_of_a_pruned_spec_runs_what_the_job_was(ctx: Context, bench: Bench, tmp_path: Path) -> None:
    apply_files(ctx, tmp_path / "d", {"s.yaml": "command: 'true'", "t.yaml": "command: 'true'"})
    job = bench.in_state(DEAD, spec="s", command="as it was")
    apply_files(ctx, tmp_path / "d", {"t.yaml": "command: 'true'"}, prune=True)

    assert jobs.retry(ctx, job).frozen.command == "as it was"


def test_a_retried_job_of_a_spec_that_runs_once_is_its_latest_and_runs_no_third_time(
    ctx: Context, bench: Bench, tmp_path: Path
) -> None:
    apply_files(ctx, tmp_path / "d", {"s.yaml": "command: 'true'"})
    (job,) = bench.claim()
    bench.finish(job)

    again = jobs.retry(ctx, job)

    stored = ctx.store.specs.get("s")
    assert stored
    assert stored.last_job_id == again.id
    apply_files(ctx, tmp_path / "d", {"s.yaml": "command: 'true'\ndescription: other words"})
    assert [found.id for found in ctx.store.jobs.list()] == [again.id, job.id]


# Wait


def test_wait_returns_when_all_are_final_in_the_given_order(ctx: Context, bench: Bench) -> None:
    waiting = [bench.enqueue() for _ in range(2)]
    done = bench.in_state(DEAD)
    told: list[list[JobState]] = []

    def work(_: float) -> None:
        if claimed := bench.claim():
            bench.finish(claimed[0])

    ended = jobs.wait(
        ctx,
        [*waiting, done],
        sleep=work,
        progress=lambda seen: told.append([job.state for job in seen]),
    )

    assert [(job.id, job.state) for job in ended] == [
        (waiting[0].id, COMPLETED),
        (waiting[1].id, COMPLETED),
        (done.id, DEAD),
    ]
    assert told == [[PENDING, PENDING, DEAD], [COMPLETED, PENDING, DEAD], [COMPLETED, COMPLETED, DEAD]]


def test_wait_sleeps_longer_and_longer_but_never_long(ctx: Context, bench: Bench) -> None:
    job = bench.enqueue()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 12:
            ctx.store.jobs.cancel(job.id, reason="no", now=NOON)

    jobs.wait(ctx, [job], sleep=sleep)

    assert slept == sorted(slept)
    assert slept[0] == pytest.approx(0.01)
    assert slept[-1] == pytest.approx(0.2)


def test_wait_gives_up_in_time(ctx: Context, bench: Bench) -> None:
    first, _ = open_jobs = [bench.enqueue(), bench.enqueue()]

    with pytest.raises(WaitTimeoutError, match=rf"^job {first.id} is still pending \(and 1 more\)$") as late:
        jobs.wait(ctx, [bench.in_state(DEAD), *open_jobs], timeout_ms=30)
    assert late.value.exit_code == 1


def test_wait_for_nothing_and_for_what_is_deleted(ctx: Context, bench: Bench) -> None:
    assert jobs.wait(ctx, []) == []
    job = bench.enqueue()

    with pytest.raises(UnknownError, match="purged meanwhile"):
        jobs.wait(ctx, [job], sleep=lambda _: ctx.store.history.forget([job.id]))


# Purge


def ids(found: Sequence[Job]) -> list[int]:
    return sorted(job.id for job in found)


def test_purge_leaves_the_dead_unless_they_are_named(ctx: Context, bench: Bench) -> None:
    all_states = {state: bench.in_state(state, spec="s") for state in JobState}

    assert jobs.purge(ctx) == 2
    left = [job for state, job in all_states.items() if state not in {COMPLETED, CANCELLED}]
    assert ids(jobs.list_jobs(ctx)) == ids(left)
    assert jobs.purge(ctx, [DEAD]) == 1
    assert jobs.purge(ctx, FINAL) == 0


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL))
def test_purge_refuses_what_is_not_over(ctx: Context, bench: Bench, state: JobState) -> None:
    bench.in_state(COMPLETED)
    with pytest.raises(UsageError, match=f"^{state} jobs are not over"):
        jobs.purge(ctx, [COMPLETED, state])
    assert len(jobs.list_jobs(ctx)) == 1


def test_purge_by_age_and_queue(ctx: Context, bench: Bench, clock: Clock) -> None:
    old = bench.in_state(COMPLETED, now=NOON)
    mail = bench.in_state(COMPLETED, now=NOON, queue="mail")
    clock.pass_by(10_000)
    young = bench.in_state(COMPLETED, now=NOON + 1)

    assert jobs.purge(ctx, older_than_ms=10_000, queue="mail") == 1
    assert ids(jobs.list_jobs(ctx)) == ids([old, young])
    assert jobs.purge(ctx, older_than_ms=10_000) == 1
    assert ids(jobs.list_jobs(ctx)) == ids([young])
    assert mail.id != old.id


def test_purge_goes_in_batches_and_tells(ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    for _ in range(5):
        bench.in_state(COMPLETED)
    told: list[int] = []

    assert jobs.purge(ctx, progress=told.append) == 5
    assert told == [2, 4, 5]


def test_purge_takes_outputs_along(ctx: Context, bench: Bench) -> None:
    ctx.log_dir.mkdir()
    for name in ("1-1.log", "9-1.log"):
        (ctx.log_dir / name).write_text("x")
    bench.finish(bench.processing(), output_file="1-1.log")
    bench.finish(bench.processing(), output_file="gone.log")

    assert jobs.purge(ctx) == 2
    assert [file.name for file in ctx.log_dir.iterdir()] == ["9-1.log"]


@pytest.mark.parametrize(
    "name",
    [
        "../precious",
        "{folder}/precious",
        "..",
        ".",
        "",
        "a\0b",
        "sub/precious",
    ],
)
def test_purge_never_leaves_the_log_folder(ctx: Context, bench: Bench, name: str) -> None:
    (ctx.log_dir / "sub").mkdir(parents=True)
    precious = [ctx.path.parent / "precious", ctx.log_dir / "sub" / "precious"]
    for file in precious:
        file.write_text("x")
    bench.finish(bench.processing(), output_file=name.format(folder=ctx.path.parent))

    assert jobs.purge(ctx) == 1
    assert all(file.exists() for file in precious)
