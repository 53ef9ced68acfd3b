from __future__ import annotations

import pytest

from queuectl.model.errors import ConflictError, UnknownError
from queuectl.model.states import JobState
from queuectl.service import dead_letters, jobs
from queuectl.service.context import Context
from tests.service.conftest import NOON, Clock
from tests.store.conftest import Bench

DEAD = JobState.DEAD


@pytest.fixture
def bench(ctx: Context) -> Bench:
    return Bench(ctx.store)


def test_the_dead_newest_first_and_only_they(ctx: Context, bench: Bench) -> None:
    for state in JobState:
        bench.in_state(state, spec="s")
    mail = bench.in_state(DEAD, queue="mail", spec="t")
    newest = bench.in_state(DEAD, spec="s")

    listed = [job.id for job in dead_letters.list_dead(ctx)]

    assert listed[:2] == [newest.id, mail.id]
    assert len(listed) == 3
    assert [job.id for job in dead_letters.list_dead(ctx, limit=1)] == [newest.id]
    assert [job.id for job in dead_letters.list_dead(ctx, queue="mail")] == [mail.id]
    assert [job.id for job in dead_letters.list_dead(ctx, spec="t")] == [mail.id]


def test_find_wants_it_dead(ctx: Context, bench: Bench) -> None:
    dead = bench.in_state(DEAD, key="k")
    done = bench.in_state(JobState.COMPLETED)

    assert dead_letters.find(ctx, "k") == dead
    with pytest.raises(ConflictError, match=f"^job {done.id} is completed, not in the dead letter queue$"):
        dead_letters.find(ctx, str(done.id))
    with pytest.raises(UnknownError):
        dead_letters.find(ctx, "99")


def test_retry_is_all_or_none(ctx: Context, bench: Bench) -> None:
    one, two = bench.in_state(DEAD), bench.in_state(DEAD)
    done = bench.in_state(JobState.COMPLETED)

    with pytest.raises(ConflictError, match="not in the dead letter queue"):
        dead_letters.retry(ctx, [one, two, done])
    assert bench.now(one).state is DEAD

    assert [job.state for job in dead_letters.retry(ctx, [one, two])] == [JobState.PENDING] * 2
    with pytest.raises(ConflictError, match="is pending"):
        dead_letters.retry(ctx, [one])


def test_retry_all_in_batches(ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    for _ in range(5):
        bench.in_state(DEAD)
    bench.in_state(DEAD, queue="mail")

    assert dead_letters.retry_all(ctx, queue="mail") == 1
    assert dead_letters.retry_all(ctx) == 5
    assert dead_letters.retry_all(ctx) == 0
    assert bench.store.jobs.counts()[JobState.PENDING] == 6


def test_retry_all_does_not_chase_what_dies_again(
    ctx: Context, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    for _ in range(4):
        bench.in_state(DEAD)
    retry, rounds = jobs.retry, []

    def retry_and_die(*arguments: object, **options: object) -> object:
        """As if a worker were very quick."""
        job = retry(*arguments, **options)  # type: ignore[arg-type]
        rounds.append(job.id)
        assert len(rounds) <= 4, "retried for ever"
        (claimed,) = bench.claim()
        bench.finish(claimed, DEAD)
        return job

    monkeypatch.setattr(jobs, "retry", retry_and_die)

    assert dead_letters.retry_all(ctx) == 4


def test_clear_forgets_the_dead_by_age_and_queue(ctx: Context, bench: Bench, clock: Clock) -> None:
    bench.in_state(DEAD, now=NOON)
    bench.in_state(DEAD, now=NOON, queue="mail")
    bench.in_state(JobState.COMPLETED, now=NOON)
    clock.pass_by(5_000)

    assert dead_letters.clear(ctx, older_than_ms=6_000) == 0
    assert dead_letters.clear(ctx, queue="mail") == 1
    assert dead_letters.clear(ctx, older_than_ms=5_000) == 1
    assert [job.state for job in jobs.list_jobs(ctx)] == [JobState.COMPLETED]
