"""Hundreds of specs that are due at once: fired some at a time, while the worker goes on with what else there is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from queuectl.engine.firing import AT_ONCE, fire_due
from queuectl.model.errors import StoreBusyError
from queuectl.model.spec import Schedule
from queuectl.model.states import CatchUp, FireOutcome, JobState, Overlap
from tests.engine.simulation import START, FakeClock, Simulation

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
MANY = 3 * AT_ONCE + 7
HOURLY = Schedule(cron=("0 * * * *",))


@pytest.fixture
def worker(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path / "q.db", slots=1)


def add_many(worker: Simulation, schedule: Schedule = HOURLY, count: int = MANY, **fields: object) -> None:
    with worker.store.transaction():
        for number in range(count):
            worker.add_spec(f"s{number:04}", schedule, queue="fired", **fields)


def fired(worker: Simulation) -> int:
    return len(worker.store.fires.list(limit=10_000))


def put_off(worker: Simulation, by: int) -> None:
    """Plan all specs for a time that is far away, as while the clock was far ahead."""
    with worker.store.transaction():
        for stored in worker.store.specs.list():
            worker.store.specs.advance(
                stored.name,
                expected_due_at=stored.next_due_at,
                next_due_at=START + by,
                next_fire_at=START + by,
                fired_at=None,
            )


def put_off_still(worker: Simulation) -> int:
    return len(worker.store.specs.far(now=START, beyond=START + DAY, after="", limit=10_000))


def test_a_tick_fires_some_and_other_jobs_run_in_between(worker: Simulation) -> None:
    worker.store.queues.pause("fired", who="t", now=START)
    add_many(worker)
    wait = worker.tick()
    assert fired(worker) == AT_ONCE
    assert 0 < wait <= 10  # others may write meanwhile

    urgent = worker.add(in_ms=0)
    worker.tick(wait)
    assert fired(worker) == 2 * AT_ONCE
    assert worker.job(urgent.id).state is JobState.PROCESSING

    worker.tick(wait)
    wait = worker.tick(wait)
    assert fired(worker) == MANY
    assert worker.store.jobs.counts()[JobState.PENDING] == MANY
    assert wait > 10


def test_each_instant_is_fired_once_with_one_job_of_its_spec(worker: Simulation) -> None:
    add_many(worker)
    for _ in range(5):
        worker.tick(5)
    fires = worker.store.fires.list(limit=10_000)
    assert {fire.outcome for fire in fires} == {FireOutcome.FIRED}
    assert {fire.spec for fire in fires} == {f"s{number:04}" for number in range(MANY)}
    for fire in (fires[0], fires[-1]):
        job = worker.job(fire.job_id or 0)
        assert (job.spec, job.fire_at, job.spec_version, job.frozen.name) == (
            fire.spec,
            fire.due_at,
            1,
            fire.spec,
        )
    stored = worker.store.specs.list()
    assert {one.next_due_at for one in stored} == {fires[0].due_at + HOUR}
    assert {one.last_fire_at for one in stored} == {fires[0].due_at}


def test_two_workers_share_the_firing_and_fire_nothing_twice(tmp_path: Path) -> None:
    one = Simulation(tmp_path / "q.db", name="one")
    two = Simulation(tmp_path / "q.db", name="two", clock=one.clock)
    add_many(one)
    counts = [0]
    for worker in (one, two) * 2:
        worker.engine.wake()
        worker.tick(1)
        counts.append(fired(one))
    assert counts == [0, AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, MANY]
    assert sum(one.store.jobs.counts().values()) == MANY


def test_fires_that_meet_unfinished_jobs_are_told_apart_within_one_batch(worker: Simulation) -> None:
    for overlap in Overlap:
        worker.add_spec(overlap.value, Schedule(cron=("0 * * * *",), overlap=overlap))
        worker.add_spec(f"{overlap}-free", Schedule(cron=("0 * * * *",), overlap=overlap))
    worker.store.queues.pause("default", who="t", now=START)
    worker.settle()
    for stored in worker.store.specs.list():
        if stored.name.endswith("-free"):
            job = worker.store.jobs.newest_of_spec(stored.name)
            assert job is not None
            worker.store.jobs.cancel(job.id, reason="t", now=worker.clock.wall())
    worker.settle(HOUR)

    latest = {fire.spec: fire for fire in worker.store.fires.list(limit=8)}
    jobs = {name: worker.job(fire.job_id) if fire.job_id else None for name, fire in latest.items()}
    states = {name: job.state.value if job else latest[name].outcome.value for name, job in jobs.items()}
    assert states == {
        "skip": "skipped",
        "queue": "blocked",
        "replace": "pending",
        "allow": "pending",
        **{f"{overlap}-free": "pending" for overlap in Overlap},
    }


def test_years_of_missed_instants_are_counted_for_a_few_specs_at_a_time(worker: Simulation) -> None:
    add_many(worker, Schedule(cron=("* * * * *",), catch_up=CatchUp.NONE), count=12)
    worker.clock.elapsed += 365 * DAY
    with worker.store.transaction():
        first = fire_due(worker.store, worker.config, now=worker.clock.wall())
    assert 1 <= len({fire.spec for fire in first}) <= 3
    for _ in range(12):
        worker.tick(1)
    assert len({fire.spec for fire in worker.store.fires.list(limit=100)}) == 12


def test_what_the_clock_had_planned_far_ahead_is_set_right_step_by_step(worker: Simulation) -> None:
    add_many(worker)
    put_off(worker, 400 * DAY)
    left = []
    for _ in range(4):
        wait = worker.tick(1)
        left.append(put_off_still(worker))
        assert wait <= 10 or not left[-1]
    assert left == [MANY - AT_ONCE, MANY - 2 * AT_ONCE, MANY - 3 * AT_ONCE, 0]
    assert {stored.next_due_at for stored in worker.store.specs.list()} == {START + HOUR}
    assert fired(worker) == 0


def test_setting_right_begins_anew_where_a_tick_failed_and_was_rolled_back(
    worker: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_many(worker)
    put_off(worker, 400 * DAY)
    worker.tick(1)
    with monkeypatch.context() as patched:
        patched.setattr(worker.store.jobs, "promote", busy)
        worker.tick(1)
    assert put_off_still(worker) == MANY - AT_ONCE
    for _ in range(4):
        worker.tick(1)
    assert put_off_still(worker) == 0


def test_what_others_fire_while_a_tick_waits_for_its_turn_is_not_taken_for_far_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    first = Simulation(tmp_path / "q.db", name="first", clock=clock)
    second = Simulation(tmp_path / "q.db", name="second", clock=clock)
    first.add_spec("s", Schedule(every_ms=1000, overlap=Overlap.ALLOW))
    first.settle()
    begin = second.store.transaction

    def begin_late() -> AbstractContextManager[None]:
        first.settle(3000)
        return begin()

    with monkeypatch.context() as patched:
        patched.setattr(second.store, "transaction", begin_late)
        second.tick(300)
    first.settle(1000)
    fires = sorted(fire.due_at - START for fire in first.store.fires.list())
    assert fires == list(range(0, clock.elapsed, 1000))


def busy(**_: object) -> int:
    raise StoreBusyError("another process has been writing")
