"""What every database must forget, and what it must keep."""

from __future__ import annotations

from typing import Any

import pytest

from queuectl.model.fire import Fire
from queuectl.model.job import Job
from queuectl.model.spec import JobSpec, Keep
from queuectl.model.states import FINAL, FireOutcome, JobState
from tests.store.conftest import Bench

COMPLETED, DEAD, CANCELLED = JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED


def ended(bench: Bench, state: JobState, at: int, **changes: Any) -> int:
    """A job that was over at an instant."""
    job: Job = bench.in_state(state, now=at, **changes)
    assert job.finished_at == at
    return job.id


# Purge by hand


def test_finished_goes_by_state_age_and_queue(bench: Bench) -> None:
    late = ended(bench, COMPLETED, 300)
    early = ended(bench, COMPLETED, 100)
    mail = ended(bench, COMPLETED, 200, queue="mail")
    dead = ended(bench, DEAD, 200)
    for state in JobState:
        if state not in FINAL:
            bench.in_state(state, spec="s")

    def finished(*states: JobState, before: int, **wanted: Any) -> set[int]:
        return set(bench.store.history.finished(states, before=before, **wanted))

    assert finished(COMPLETED, before=300) == {early, mail, late}
    assert finished(COMPLETED, before=299) == {early, mail}
    assert len(finished(COMPLETED, before=300, limit=2)) == 2
    assert finished(COMPLETED, before=300, queue="mail") == {mail}
    assert finished(COMPLETED, DEAD, before=200) == {early, mail, dead}
    assert finished(*(set(JobState) - FINAL), before=10**9) == set()
    assert finished(before=10**9) == set()


def test_forget_takes_attempts_along_and_names_output_files(bench: Bench) -> None:
    bench.enqueue()
    for number, file in ((1, "1-1.log"), (2, None), (3, "1-3.log")):
        (job,) = bench.claim()
        state = JobState.PENDING if number < 3 else COMPLETED
        bench.finish(job, state, output=b"x", output_file=file)
    other = ended(bench, COMPLETED, 10)

    count, files = bench.store.history.forget([job.id, 999])

    assert count == 1
    assert sorted(files) == ["1-1.log", "1-3.log"]
    assert bench.store.attempts.of_job(job.id) == []
    assert len(bench.store.attempts.of_job(other)) == 1
    assert bench.store.history.forget([]) == (0, [])


def test_forget_leaves_the_attempts_of_what_runs(bench: Bench) -> None:
    bench.enqueue()
    (job,) = bench.claim()
    bench.finish(job, JobState.PENDING, output_file="1-1.log")
    bench.claim()

    assert bench.store.history.forget([job.id]) == (0, [])
    assert [attempt.number for attempt in bench.store.attempts.of_job(job.id)] == [1, 2]


# What the configuration keeps


@pytest.mark.parametrize("state", sorted(FINAL))
def test_beyond_an_age(bench: Bench, state: JobState) -> None:
    old, older, young = (ended(bench, state, at) for at in (200, 100, 500))
    ended(bench, next(iter(FINAL - {state})), 100)
    beyond = bench.store.history.beyond

    assert beyond(state, Keep(for_ms=700), now=1000, limit=9) == [older, old]
    assert beyond(state, Keep(for_ms=700), now=1000, limit=1) == [older]
    assert beyond(state, Keep(for_ms=500), now=1000, limit=9) == [older, old], "500 ms ago is not older"
    assert beyond(state, Keep(for_ms=0), now=1000, limit=9) == [older, old, young]


@pytest.mark.parametrize("state", sorted(FINAL))
def test_beyond_a_count(bench: Bench, state: JobState) -> None:
    old, older, _ = (ended(bench, state, at) for at in (200, 100, 500))
    ended(bench, next(iter(FINAL - {state})), 100)
    beyond = bench.store.history.beyond

    assert beyond(state, Keep(count=1), now=1000, limit=9) == [older, old]
    assert beyond(state, Keep(count=1), now=1000, limit=1) == [older]
    assert beyond(state, Keep(count=3), now=1000, limit=9) == []
    assert len(beyond(state, Keep(count=0), now=1000, limit=9)) == 3


# What a spec keeps


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_a_spec_keeps_beats_the_configuration(bench: Bench, state: JobState) -> None:
    """Also for a job that is cancelled while it waits, which no attempt ends."""
    own = ended(bench, state, 100, spec="s", keep={state.value: Keep(for_ms=50)})
    counted = [ended(bench, state, 100, spec="t", keep={state.value: Keep(count=1)}) for _ in range(3)]
    other_state = next(iter(FINAL - {state}))
    plain = ended(bench, state, 100, keep={other_state.value: Keep(for_ms=50)})
    history = bench.store.history

    assert history.beyond(state, Keep(count=0), now=1000, limit=9) == [plain]
    assert history.beyond(state, Keep(for_ms=1), now=1000, limit=9) == [plain]
    assert history.overdue(now=149, limit=9) == []
    assert history.overdue(now=150, limit=9) == [own]
    surplus = history.beyond_count_of_spec("t", state, count=1, limit=9)
    assert sorted(surplus) == counted[:2]


def test_what_expired_is_kept_as_its_spec_says(bench: Bench) -> None:
    job = bench.enqueue(spec="s", expires_at=50, keep={"cancelled": Keep(for_ms=500)})
    bench.store.jobs.expire(now=100)

    assert bench.store.history.beyond(CANCELLED, Keep(count=0), now=1000, limit=9) == []
    assert bench.store.history.overdue(now=600, limit=9) == [job.id]


def test_a_retried_job_is_not_overdue(bench: Bench) -> None:
    job_id = ended(bench, DEAD, 100, keep={"dead": Keep(for_ms=50)})
    job = bench.store.jobs.get(job_id)
    bench.store.jobs.retry(job_id, job.frozen, None, now=120)

    assert bench.store.history.overdue(now=1000, limit=9) == []
    assert bench.store.history.finished(FINAL, before=1000) == []


def test_specs_that_keep_a_number_are_told_by_and_by(bench: Bench) -> None:
    apply_id = bench.store.specs.record_apply(at=1, who="me", source="x", git_commit=None, git_dirty=None)
    by_number, by_age = {"completed": Keep(count=2), "dead": Keep(count=0)}, {"dead": Keep(for_ms=1)}
    for name, keep in (("a", by_number), ("b", {}), ("c", by_age), ("d", {"dead": Keep(count=7)})):
        bench.store.specs.write(
            JobSpec(name=name, command="true", keep=keep),
            source="x", file="f", apply_id=apply_id, next_due_at=None, next_fire_at=None, now=1,
        )  # fmt: skip
    bench.store.specs.prune("d", now=2)
    of_a, of_d = [("a", COMPLETED, 2), ("a", DEAD, 0)], [("d", DEAD, 7)]
    counted = bench.store.history.counted

    assert counted(limit=9) == ([*of_a, *of_d], False)
    rounds = [counted(limit=1) for _ in range(6)]
    assert rounds == [(of_a, True), (of_d, True), ([], False)] * 2


# The ledger


def test_forget_fires_by_age_and_by_count(bench: Bench) -> None:
    for due_at in (100, 200, 300, 400):
        bench.store.fires.record(Fire(spec="s", due_at=due_at, outcome=FireOutcome.FIRED))

    assert bench.store.history.forget_fires(Keep(for_ms=700), now=1000, limit=1) == 1
    assert bench.store.history.forget_fires(Keep(for_ms=700), now=1000, limit=9) == 1
    assert [fire.due_at for fire in bench.store.fires.list()] == [400, 300]
    assert bench.store.history.forget_fires(Keep(count=1), now=1000, limit=9) == 1
    assert [fire.due_at for fire in bench.store.fires.list()] == [400]


def test_the_rest_of_a_long_stretch_is_kept(bench: Bench) -> None:
    """It began long ago, but it is not over."""
    stretch = Fire(spec="s", due_at=100, until=900, count=9, outcome=FireOutcome.PAUSED)
    bench.store.fires.extend(stretch)

    assert bench.store.history.forget_fires(Keep(for_ms=500), now=1000, limit=9) == 0
    assert bench.store.fires.list() == [stretch]
