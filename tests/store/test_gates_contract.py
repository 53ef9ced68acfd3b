"""Gates: slots that jobs share, and rates at which they start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest

from queuectl.model.config import Config
from queuectl.model.job import Job
from queuectl.model.spec import Concurrency, JobSpec
from queuectl.model.states import BlockedBy, JobState, OnConflict, Outcome
from queuectl.rules.making import job_of
from queuectl.store.store import Store
from tests.store.conftest import Bench

BLOCKED, SCHEDULED, PENDING, PROCESSING = (
    JobState.BLOCKED,
    JobState.SCHEDULED,
    JobState.PENDING,
    JobState.PROCESSING,
)
FAILED, COMPLETED, CANCELLED, DEAD = JobState.FAILED, JobState.COMPLETED, JobState.CANCELLED, JobState.DEAD


@pytest.fixture
def gate(store: Store) -> Gate:
    return Gate(store)


class Gate:
    """Makes jobs that share the slots of `db`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.bench = Bench(store)

    def job(
        self,
        limit: int = 1,
        how: OnConflict = OnConflict.WAIT,
        *,
        now: int = 1000,
        run_at: int = 0,
        key: str | None = "db",
        spec: str | None = "s",
        **changes: Any,
    ) -> Job:
        concurrency = key and Concurrency(key=key, limit=limit, on_conflict=how)
        frozen = JobSpec(command="true", name=spec, concurrency=concurrency or None, **changes)
        new = job_of(
            frozen,
            Config(),
            version=1 if frozen.rate_us else None,
            state=SCHEDULED if run_at > now else PENDING,
            run_at=run_at or now,
        )
        made = self.store.jobs.enqueue(new, now=now)
        assert made is not None
        return made

    def states(self) -> list[JobState]:
        return [job.state for job in reversed(self.store.jobs.list())]

    def admit(self, now: int = 1000) -> list[int]:
        return list(self.store.gates.admit(now=now))


class TestSlots:
    def test_a_new_job_stops_at_the_gate(self, gate: Gate) -> None:
        job = gate.job()
        assert (job.state, job.blocked_by, job.reason) == (
            BLOCKED,
            BlockedBy.GATE,
            "waits for a slot of 'db'",
        )
        assert gate.bench.claim() == []

    def test_no_more_go_on_than_there_are_slots(self, gate: Gate) -> None:
        jobs = [gate.job(limit=2) for _ in range(4)]
        assert gate.admit() == [jobs[0].id, jobs[1].id]
        assert gate.admit() == []
        running = gate.bench.claim(9)
        assert gate.admit() == []
        for job in running:
            gate.bench.finish(job)
        assert gate.admit() == [jobs[2].id, jobs[3].id]

    def test_by_priority_then_age(self, gate: Gate) -> None:
        gate.job()
        low, high = gate.job(priority=-1), gate.job(priority=5)
        assert gate.admit() == [high.id]
        assert low.state is BLOCKED

    def test_other_keys_have_other_slots(self, gate: Gate) -> None:
        jobs = [gate.job(key="a"), gate.job(key="b"), gate.job(key="${T}", env={"T": "a"})]
        assert gate.admit() == [jobs[0].id, jobs[1].id]

    @pytest.mark.parametrize("state", [FAILED, COMPLETED, DEAD, CANCELLED, SCHEDULED])
    def test_a_slot_is_free_when_its_attempt_is_over(self, gate: Gate, state: JobState) -> None:
        gate.job(), gate.job()
        gate.admit()
        (job,) = gate.bench.claim()
        gate.bench.finish(job, state, run_at=5000)
        assert gate.admit() == [2]

    def test_what_comes_back_stops_at_the_gate_again(self, gate: Gate) -> None:
        gate.job(), gate.job()
        gate.admit()
        (job,) = gate.bench.claim()
        gate.bench.finish(job, FAILED, run_at=5000)
        assert gate.admit() == [2]
        gate.store.jobs.promote(now=5000)
        assert gate.states() == [BLOCKED, PENDING]
        gate.bench.finish(gate.bench.claim()[0])
        assert gate.admit() == [1]

    @pytest.mark.parametrize("verb", ["retry", "hurry", "interrupted"])
    def test_every_way_back_leads_through_the_gate(self, gate: Gate, verb: str) -> None:
        gate.job()
        gate.admit()
        (job,) = gate.bench.claim()
        ends = {"retry": DEAD, "hurry": FAILED, "interrupted": PENDING}
        gate.bench.finish(job, ends[verb], run_at=9000)
        if verb == "retry":
            gate.store.jobs.retry(1, job.frozen, None, now=2000)
        elif verb == "hurry":
            gate.store.jobs.hurry(1, now=2000)
        assert gate.states() == [BLOCKED]
        assert gate.admit() == [1]

    def test_a_scheduled_job_waits_for_its_instant_first(self, gate: Gate) -> None:
        gate.job(run_at=3000)
        assert (gate.states(), gate.admit()) == ([SCHEDULED], [])
        gate.store.jobs.promote(now=3000)
        assert (gate.states(), gate.admit(3000)) == ([BLOCKED], [1])

    def test_a_dead_workers_slot_goes_to_whoever_is_next(self, gate: Gate) -> None:
        gate.job(), gate.job(priority=5)
        assert gate.admit() == [2]
        (lost,) = gate.bench.claim()
        high = gate.job(priority=9)
        assert gate.bench.finish(lost, PENDING, outcome=Outcome.LOST, losses=1)
        assert gate.states() == [BLOCKED, BLOCKED, BLOCKED]
        assert gate.admit() == [high.id]

    def test_a_spec_that_loses_its_gate_lets_its_job_go(self, gate: Gate) -> None:
        jobs = [gate.job(spec=None) for _ in range(3)]
        for job in jobs[1:]:
            later = 5000 if job is jobs[2] else None
            gate.store.jobs.refreeze(job.id, JobSpec(command="x"), None, run_at=later, now=1000)
        assert gate.states() == [BLOCKED, PENDING, SCHEDULED]
        assert gate.admit() == [1]

    def test_a_spec_that_gets_a_gate_stops_its_pending_job(self, gate: Gate) -> None:
        free = gate.job(key=None)
        assert free.state is PENDING
        gate.store.jobs.refreeze(free.id, gate.job().frozen, None, run_at=None, now=1000)
        assert gate.admit() == [free.id]

    def test_a_slot_is_free_when_its_job_is_deleted(self, gate: Gate) -> None:
        gate.job(), gate.job()
        gate.admit()
        gate.store.history.forget([1])
        assert gate.admit() == [2]

    def test_what_waited_for_one_with_a_lower_limit_goes_on_without_it(self, gate: Gate) -> None:
        gate.job(limit=2), gate.job(limit=1), gate.job(limit=2)
        assert gate.admit() == [1]
        gate.store.jobs.cancel(2, reason="no more", now=1000)
        assert gate.admit() == [3]

    def test_a_slot_is_free_when_its_job_gets_another_key(self, gate: Gate) -> None:
        gate.job(), gate.job()
        gate.admit()
        gate.store.jobs.refreeze(1, gate.job(key="other").frozen, None, run_at=None, now=1000)
        assert gate.admit() == [2, 1]

    def test_what_its_rate_holds_up_is_looked_at_again(self, gate: Gate) -> None:
        gate.job(limit=2, rate_us=20_000), gate.job(limit=2, rate_us=20_000)
        assert gate.admit(1000) == [1]
        gate.bench.claim()
        assert gate.admit(1010) == gate.admit(1019) == []
        assert gate.admit(1020) == [2]

    def test_no_others_are_looked_at_than_what_has_changed(
        self, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(20):
            gate.job(key=f"db{number}"), gate.job(key=f"db{number}")
        gate.admit()
        gate.bench.finish(gate.bench.claim(limit=20)[7])
        looked_at, run = [], gate.store.database.run

        def running(query: str, **values: Any) -> Any:
            looked_at.append(values.get("slot"))
            return run(query, **values)

        monkeypatch.setattr(gate.store.database, "run", running)
        assert gate.admit() == [16]
        assert set(looked_at) == {None, "db7"}
        looked_at.clear()
        assert gate.admit() == []
        assert set(looked_at) == {None}


class TestConflicts:
    def test_skip_is_cancelled_with_the_reason(self, gate: Gate) -> None:
        gate.job(how=OnConflict.SKIP), gate.job(how=OnConflict.SKIP)
        gate.admit()
        assert gate.states() == [PENDING, CANCELLED]
        assert gate.bench.store.jobs.list()[0].reason == "skipped: the slot 'db' is taken"

    def test_skip_does_not_jump_the_queue(self, gate: Gate) -> None:
        gate.job(), gate.job(), gate.job(how=OnConflict.SKIP)
        gate.admit()
        assert gate.states() == [PENDING, BLOCKED, CANCELLED]

    def test_replace_takes_the_place_of_what_waits_there(self, gate: Gate) -> None:
        gate.job(how=OnConflict.REPLACE)
        gate.admit()
        gate.job(how=OnConflict.REPLACE)
        assert gate.admit() == [2]
        assert gate.states() == [CANCELLED, PENDING]

    def test_replace_leaves_alone_what_there_is_room_beside(self, gate: Gate) -> None:
        for _ in range(3):
            gate.job(limit=3, how=OnConflict.REPLACE)
        assert gate.admit() == [1, 2, 3]
        gate.job(limit=3, how=OnConflict.REPLACE)
        assert gate.admit() == [4]
        assert gate.states() == [CANCELLED, PENDING, PENDING, PENDING]
        assert gate.bench.store.jobs.list()[-1].reason == "replaced by job 4"

    def test_the_latest_of_those_that_replace_stay(self, gate: Gate) -> None:
        for _ in range(5):
            gate.job(limit=2, how=OnConflict.REPLACE)
        assert gate.admit() == [4, 5]
        assert gate.states() == [CANCELLED, CANCELLED, CANCELLED, PENDING, PENDING]

    def test_what_replaces_has_the_slot_before_those_that_wait(self, gate: Gate) -> None:
        gate.job(), gate.job(priority=9)
        assert gate.admit() == [2]
        replacing = gate.job(how=OnConflict.REPLACE)
        assert gate.admit() == [replacing.id]
        assert gate.admit() == []
        assert gate.states() == [BLOCKED, CANCELLED, PENDING]

    def test_replace_waits_until_what_runs_has_stopped(self, gate: Gate) -> None:
        gate.job(how=OnConflict.REPLACE)
        gate.admit()
        (running,) = gate.bench.claim()
        for _ in range(3):
            gate.job(how=OnConflict.REPLACE)
            assert gate.admit() == []
        assert gate.states() == [PROCESSING, CANCELLED, CANCELLED, BLOCKED]
        running = gate.bench.now(running)
        assert running.cancel_requested_at == 1000
        gate.bench.finish(running, CANCELLED)
        assert gate.admit() == [4]


class TestRates:
    def test_starts_are_spread(self, gate: Gate) -> None:
        for _ in range(3):
            assert gate.job(key=None, rate_us=20_000).reason == "waits for its rate"
        assert gate.admit(1000) == [1]
        assert gate.admit(1050) == []  # one is ready
        gate.bench.claim()
        assert gate.store.next_deadline() == 1020
        assert gate.admit(1019) == []
        assert gate.admit(1020) == [2]
        gate.bench.claim()
        assert gate.admit(1045) == [3]

    @pytest.mark.parametrize("key", ["db", None])
    def test_only_one_of_a_spec_is_ready_at_a_time(self, gate: Gate, key: str | None) -> None:
        for _ in range(3):
            gate.job(limit=3, key=key, rate_us=20_000)
        assert gate.admit(1000) == [1]
        assert gate.admit(9000) == []
        gate.bench.claim(now=9000)
        assert gate.admit(9000) == [2]

    @pytest.mark.parametrize("seed", range(10))
    def test_late_starts_make_no_burst(self, gate: Gate, seed: int) -> None:
        """Whenever somebody looks, and whenever a worker has time for what is ready."""
        interval, now, starts = 100, 1000, list[int]()
        random = Random(seed)  # noqa: S311
        for _ in range(25):
            gate.job(key=None, rate_us=interval * 1000)
        while len(starts) < 25:
            now += random.choice([0, 7, 50, 99, 100, 260])
            gate.admit(now)
            if random.random() < 0.6:
                starts += [now for _ in gate.bench.claim(9, now=now)]
                gate.admit(now)
        for count in (1, 2, 5):
            spans = [after - first for first, after in pairwise_by(starts, count + 1)]
            assert min(spans) >= count * interval, f"more than {count} and one in {count} intervals"

    def test_one_that_a_slot_keeps_back_is_nothing_to_wake_up_for(self, gate: Gate) -> None:
        gate.job(rate_us=20_000), gate.job(rate_us=20_000)
        assert gate.admit(1000) == [1]
        gate.bench.claim(now=1000)
        assert gate.store.next_deadline(tried=1019) == 1020
        assert gate.store.next_deadline(tried=1020) is None
        assert gate.store.next_deadline() == 1020

    def test_a_queue_has_a_rate(self, gate: Gate) -> None:
        gate.store.gates.limit_queue("mail", running=None, interval_us=1_000_000)
        for _ in range(3):
            gate.bench.enqueue(queue="mail")
        assert [job.id for job in gate.bench.claim(9, now=1000)] == [1]
        assert gate.bench.claim(9, now=1999) == []
        assert gate.store.next_deadline() == 2000
        assert [job.id for job in gate.bench.claim(9, now=2000)] == [2]

    def test_a_queue_has_a_limit(self, gate: Gate) -> None:
        gate.store.gates.limit_queue("mail", running=2, interval_us=None)
        for _ in range(3):
            gate.bench.enqueue(queue="mail")
        other = gate.bench.enqueue()
        first, second, third = gate.bench.claim(9)
        assert [first.id, second.id, third.id] == [1, 2, other.id]
        assert gate.bench.claim(9) == []
        gate.bench.finish(first)
        assert [job.id for job in gate.bench.claim(9)] == [3]


def test_a_job_that_waits_for_its_rate_keeps_a_run_up(gate: Gate) -> None:
    gate.job(key=None, rate_us=20_000)
    assert gate.store.jobs.busy([])
    gate.job(key="db")
    gate.admit()
    gate.bench.finish(gate.bench.claim(queues=["default"])[0])
    assert gate.store.jobs.busy([])


def pairwise_by(instants: Sequence[int], step: int) -> Iterator[tuple[int, int]]:
    """Each instant with the one so many places on."""
    return zip(instants, instants[step:], strict=False)
