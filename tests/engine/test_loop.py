"""The loop, tick by tick: a real store, a clock moved by hand, and no processes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from queuectl.engine.held import RECORD_AFTER_MS
from queuectl.model.config import Config
from queuectl.model.job import AttemptEnd
from queuectl.model.spec import ExitCodes, Keep, Schedule
from queuectl.model.states import CatchUp, FireOutcome, JobState, Outcome, Overlap
from queuectl.store.store import Store
from tests.engine.simulation import FakeClock, Simulation

SECOND, HOUR = 1_000, 3_600_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


def test_claims_no_more_than_its_slots_best_first(path: Path) -> None:
    worker = Simulation(path, slots=2)
    for priority in (0, 5, 9):
        worker.add(priority=priority)
    worker.settle()
    assert worker.spawner.running() == [(3, 1), (2, 1)]
    worker.spawner.end((3, 1))
    worker.settle()
    assert worker.states() == {1: "processing", 2: "processing", 3: "completed"}


def test_records_pid_and_end(path: Path) -> None:
    worker = Simulation(path)
    worker.add()
    assert worker.settle() == RECORD_AFTER_MS
    assert worker.settle(after_ms=RECORD_AFTER_MS) > RECORD_AFTER_MS
    attempt = worker.store.attempts.of_job(1)[0]
    assert (attempt.pid, attempt.pid_mark, attempt.outcome) == (1001, "m", None)
    worker.spawner.end((1, 1))
    worker.settle(after_ms=200)
    attempt = worker.store.attempts.of_job(1)[0]
    assert (attempt.outcome, attempt.duration_ms) == (Outcome.SUCCEEDED, 250)


def test_the_process_of_a_short_attempt_is_recorded_with_its_end(path: Path) -> None:
    worker = Simulation(path)
    worker.add()
    worker.settle()
    worker.spawner.end((1, 1))
    assert worker.settle(after_ms=1) > RECORD_AFTER_MS
    attempt = worker.store.attempts.of_job(1)[0]
    assert (attempt.pid, attempt.outcome) == (1001, Outcome.SUCCEEDED)


def test_no_attempt_writes_to_a_file_that_another_still_needs(path: Path) -> None:
    worker = Simulation(path, slots=2)
    for _ in range(6):
        worker.add()
    worker.settle()
    while worker.spawner.alive:
        running = {launch.output for launch in worker.spawner.alive.values()}
        assert running == {worker.store.attempts.get(*key).output_file for key in worker.spawner.alive}
        key = worker.spawner.running()[0]
        output = worker.spawner.alive[key].output
        worker.spawner.end(key)
        worker.settle(after_ms=1)
        now = [launch.output for launch in worker.spawner.alive.values()]
        assert len(set(now)) == len(now)
        assert output not in now, "its end was not stored yet when the next job was claimed"


def test_retries_after_the_backoff_then_dies(path: Path) -> None:
    worker = Simulation(path)
    worker.add(retries=2)
    starts = []
    wait = worker.settle()
    for _ in range(3):
        while not worker.spawner.alive:
            wait = worker.settle(after_ms=max(1, wait))
        starts.append(worker.clock.elapsed)
        worker.spawner.end(worker.spawner.running()[0], Outcome.FAILED)
        wait = worker.settle()
    assert [later - earlier for earlier, later in pairwise(starts)] == [
        2 * SECOND,
        4 * SECOND,
    ]
    assert worker.states() == {1: "dead"}
    assert worker.outcomes(1) == ["failed"] * 3
    assert worker.engine.tally.dead == 1


def test_a_scheduled_job_starts_when_it_is_due_and_not_before(path: Path) -> None:
    worker = Simulation(path, config=Config(poll_interval=HOUR, heartbeat=HOUR, lease=2 * HOUR))
    worker.add(state=JobState.SCHEDULED, in_ms=90 * SECOND)
    assert worker.settle() == 90 * SECOND
    worker.settle(after_ms=90 * SECOND - 1)
    assert not worker.spawner.alive
    worker.settle(after_ms=1)
    assert worker.spawner.running() == [(1, 1)]


def test_idle_sleeps_until_the_next_poll(path: Path) -> None:
    worker = Simulation(path)
    assert worker.settle() == worker.config.poll_interval


def test_exit_codes_are_judged(path: Path) -> None:
    worker = Simulation(path, slots=3)
    codes = ExitCodes(rules=(("dead", ((9, 9),)), ("snooze", ((75, 75),))), snooze_for_ms=5 * SECOND)
    for _ in range(2):
        worker.add(exit_codes=codes)
    worker.settle()
    worker.spawner.end((1, 1), Outcome.FAILED, 9)
    worker.spawner.end((2, 1), Outcome.FAILED, 75)
    worker.settle()
    assert worker.states() == {1: "dead", 2: "scheduled"}
    worker.settle(after_ms=5 * SECOND)
    assert (worker.job(2).state, worker.job(2).failures) == (JobState.PROCESSING, 0)


def test_without_resources_a_job_waits_and_loses_nothing(path: Path) -> None:
    worker = Simulation(path)
    worker.add(retries=0)
    worker.spawner.refuse = AttemptEnd(outcome=Outcome.SPAWN_FAILED, out_of_resources=True, error="EAGAIN")
    worker.settle()
    assert (worker.job(1).state, worker.job(1).failures) == (JobState.FAILED, 0)
    worker.spawner.refuse = None
    worker.settle(after_ms=5 * SECOND)
    assert worker.spawner.running() == [(1, 2)]


def test_without_resources_no_more_run_at_once_than_could_be_started(path: Path) -> None:
    """Else each of thousands of jobs that wait would be tried in vain, one after the other."""
    worker = Simulation(path, slots=3)
    worker.add()
    worker.settle()
    worker.spawner.refuse = AttemptEnd(outcome=Outcome.SPAWN_FAILED, out_of_resources=True, error="EAGAIN")
    for _ in range(20):
        worker.add()
    worker.settle()
    assert list(worker.states().values()).count("failed") == 2
    worker.settle(after_ms=4 * SECOND)
    assert list(worker.states().values()).count("failed") == 2
    worker.spawner.refuse = None
    worker.spawner.end((1, 1))
    worker.settle()
    assert len(worker.spawner.alive) == 1, "in the place of the one that ended"
    worker.settle(after_ms=SECOND)
    assert len(worker.spawner.alive) == 3
    assert worker.store.jobs.get(2).failures == 0


class TestStopping:
    def test_graceful_claims_no_more_and_lets_running_ones_finish(self, path: Path) -> None:
        worker = Simulation(path, slots=1)
        worker.add()
        worker.add()
        worker.settle()
        worker.engine.stop("graceful")
        worker.settle(after_ms=1)
        assert not worker.engine.done
        worker.spawner.end((1, 1))
        worker.settle()
        assert worker.engine.done
        assert worker.states() == {1: "completed", 2: "pending"}

    def test_now_gives_jobs_back_without_counting_a_failure(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add(retries=0)
        worker.settle()
        worker.engine.stop("graceful")
        worker.engine.stop("now")
        assert worker.spawner.stopped == {(1, 1): Outcome.INTERRUPTED}
        worker.spawner.end((1, 1), Outcome.INTERRUPTED)
        worker.settle()
        assert worker.engine.done
        assert (worker.job(1).state, worker.job(1).failures) == (JobState.PENDING, 0)

    def test_stop_grace_bounds_the_wait(self, path: Path) -> None:
        worker = Simulation(path, config=Config(stop_grace=3 * SECOND, poll_interval=HOUR))
        worker.add()
        worker.settle()
        worker.settle(after_ms=RECORD_AFTER_MS)
        worker.engine.stop("graceful")
        assert worker.settle() == 3 * SECOND
        worker.settle(after_ms=3 * SECOND)
        assert worker.spawner.stopped == {(1, 1): Outcome.INTERRUPTED}

    def test_orders_from_another_process(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add()
        worker.store.workers.pause(None, now=1)
        worker.settle()
        assert not worker.spawner.alive
        worker.store.workers.resume(None)
        worker.settle(after_ms=worker.config.poll_interval)
        assert worker.spawner.running() == [(1, 1)]
        worker.store.workers.stop(None, mode="now")
        worker.tick(after_ms=worker.config.poll_interval)
        assert worker.spawner.stopped == {(1, 1): Outcome.INTERRUPTED}

    def test_until_idle_waits_for_retries_but_not_for_the_future(self, path: Path) -> None:
        worker = Simulation(path, until_idle=True)
        worker.add(retries=1)
        worker.add(state=JobState.SCHEDULED, in_ms=HOUR)
        worker.add_spec("later", Schedule(cron=("0 0 1 1 *",)))
        worker.settle()
        worker.spawner.end((1, 1), Outcome.FAILED)
        worker.settle()
        assert not worker.engine.done
        worker.settle(after_ms=2 * SECOND)
        worker.spawner.end((1, 2))
        worker.settle()
        assert worker.engine.done

    def test_until_idle_ignores_what_nobody_serves(self, path: Path) -> None:
        worker = Simulation(path, until_idle=True, queues=("mine", "paused"))
        worker.add(queue="other")
        worker.add(queue="paused")
        worker.store.queues.pause("paused", who="t", now=1)
        worker.settle()
        assert worker.engine.done


class TestCancelling:
    def test_a_running_job_is_stopped_by_its_worker(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add()
        worker.settle()
        worker.store.jobs.cancel(1, reason="not needed", now=worker.clock.wall())
        worker.settle(after_ms=worker.config.poll_interval)
        assert worker.spawner.stopped == {(1, 1): Outcome.CANCELLED}
        worker.spawner.end((1, 1), Outcome.CANCELLED)
        worker.settle()
        assert (worker.job(1).state, worker.job(1).reason) == (JobState.CANCELLED, "not needed")

    def test_one_that_fails_before_the_cancel_arrives_is_not_retried(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add()
        worker.settle()
        worker.store.jobs.cancel(1, reason="no", now=worker.clock.wall())
        worker.spawner.end((1, 1), Outcome.FAILED)
        worker.settle()
        assert worker.states() == {1: "cancelled"}


class TestRescue:
    def test_a_worker_whose_process_is_gone_is_buried_at_once(self, path: Path) -> None:
        clock = FakeClock()
        dead = Simulation(path, name="dead", clock=clock)
        dead.add()
        dead.settle()
        worker = Simulation(path, name="w2", clock=clock)
        worker.gone = {104: "dead"}
        worker.settle()
        assert worker.killed == ["dead"]
        assert worker.outcomes(1) == ["lost", None]
        assert worker.spawner.running() == [(1, 2)]
        assert [one.id for one in worker.store.workers.list()] == ["w2"]

    def test_a_silent_worker_is_dead_after_the_lease_and_no_sooner(self, path: Path) -> None:
        clock = FakeClock()
        silent = Simulation(path, name="silent", clock=clock)
        silent.add()
        silent.settle()
        worker = Simulation(path, name="w2", clock=clock)
        worker.settle()
        for _ in range(worker.config.lease // worker.config.poll_interval):
            worker.settle(after_ms=worker.config.poll_interval)
        assert worker.outcomes(1) == [None]
        worker.settle(after_ms=worker.config.poll_interval)
        assert worker.outcomes(1) == ["lost", None]

    def test_a_beating_worker_is_never_dead_whatever_the_wall_clock_does(self, path: Path) -> None:
        clock = FakeClock()
        other = Simulation(path, name="other", clock=clock)
        other.add()
        other.settle()
        worker = Simulation(path, name="w2", clock=clock)
        for _ in range(20):
            clock.jump += 3 * 24 * HOUR
            other.settle(after_ms=5 * SECOND)
            worker.settle()
        assert worker.outcomes(1) == [None]

    def test_a_late_finisher_loses(self, path: Path) -> None:
        clock = FakeClock()
        stalled = Simulation(path, name="stalled", clock=clock)
        stalled.add()
        stalled.settle()
        worker = Simulation(path, name="w2", clock=clock)
        worker.gone = {107: "stalled"}
        worker.settle()
        worker.gone = {}
        stalled.spawner.end((1, 1))
        stalled.tick(after_ms=1)
        assert worker.outcomes(1) == ["lost", None]
        worker.spawner.end((1, 2))
        worker.settle()
        assert worker.outcomes(1) == ["lost", "succeeded"]

    def test_a_worker_held_for_dead_kills_what_it_runs_and_starts_afresh(self, path: Path) -> None:
        clock = FakeClock()
        stalled = Simulation(path, name="stalled", clock=clock, slots=1)
        stalled.add()
        stalled.settle()
        worker = Simulation(path, name="w2", clock=clock, slots=1)
        worker.gone = {107: "stalled"}
        worker.settle()
        stalled.settle(after_ms=stalled.config.poll_interval)
        assert stalled.spawner.running() == []
        stalled.add()
        stalled.settle()
        assert stalled.spawner.running() == [(2, 1)]
        assert stalled.outcomes(1) == ["lost", None]

    def test_a_job_that_kills_its_workers_ends_dead_and_takes_nobody_along(self, path: Path) -> None:
        clock = FakeClock()
        Simulation(path, clock=clock).add(retries=2)
        ran_beside: list[list[int]] = []
        for number in range(3):
            victim = Simulation(path, name=f"victim{number}", clock=clock, slots=4)
            victim.gone = {1: f"victim{number - 1}", 2: "w1"}
            victim.settle()
            if number < 2:
                victim.add()
                victim.settle()
            ran_beside.append([job_id for job_id, _ in victim.spawner.running() if job_id != 1])
        last = Simulation(path, name="last", clock=clock)
        last.gone = {1: "victim2", 2: "w1"}
        last.settle()
        assert last.job(1).state is JobState.DEAD
        assert last.outcomes(1) == ["lost"] * 3
        assert ran_beside[2] == [], "after two losses it runs alone"

    def test_others_wait_while_a_quarantined_job_runs(self, path: Path) -> None:
        worker = Simulation(path, slots=4)
        worker.add()
        with worker.store.transaction():
            worker.store.database.run("promote", now=0, limit=1)
        _set_losses(path, 2)
        worker.add()
        worker.settle()
        assert worker.spawner.running() == [(1, 1)]
        worker.spawner.end((1, 1))
        worker.settle()
        assert worker.spawner.running() == [(2, 1)]


def _set_losses(path: Path, losses: int) -> None:
    import apsw

    connection = apsw.Connection(str(path))
    connection.execute("UPDATE jobs SET losses = ?", (losses,))
    connection.close()


class TestFiring:
    def test_one_job_and_one_row_per_instant_whoever_schedules(self, path: Path) -> None:
        clock = FakeClock()
        workers = [Simulation(path, name=f"w{n}", clock=clock) for n in range(2)]
        workers[0].add_spec("tick", Schedule(every_ms=SECOND, overlap=Overlap.ALLOW))
        for _ in range(10):
            for worker in workers:
                worker.settle()
                for key in worker.spawner.running():
                    worker.spawner.end(key)
            clock.elapsed += SECOND
        for worker in workers:
            worker.settle()
        fires = workers[0].store.fires.list()
        assert len(fires) == 11
        assert len({fire.due_at for fire in fires}) == 11
        assert len(workers[0].store.jobs.list()) == 11

    @pytest.mark.parametrize(
        ("overlap", "states"),
        [
            (Overlap.SKIP, {1: "processing"}),
            (Overlap.ALLOW, {1: "processing", 2: "processing"}),
            (Overlap.QUEUE, {1: "processing", 2: "blocked"}),
            (Overlap.REPLACE, {1: "processing", 2: "blocked"}),
        ],
    )
    def test_overlap(self, path: Path, overlap: Overlap, states: dict[int, str]) -> None:
        worker = Simulation(path, slots=4, config=Config(poll_interval=100))
        worker.add_spec("tick", Schedule(every_ms=SECOND, overlap=overlap))
        worker.settle()
        worker.settle(after_ms=SECOND)
        assert worker.states() == states
        newest = worker.store.fires.list()[0]
        if overlap is Overlap.SKIP:
            assert (newest.outcome, newest.job_id) == (FireOutcome.SKIPPED, None)
            assert "job 1" in (newest.reason or "")
        if overlap is Overlap.REPLACE:
            worker.settle(after_ms=100)
            assert worker.spawner.stopped == {(1, 1): Outcome.CANCELLED}
        if overlap in {Overlap.QUEUE, Overlap.REPLACE}:
            worker.spawner.end((1, 1), Outcome.CANCELLED if overlap is Overlap.REPLACE else Outcome.SUCCEEDED)
            worker.settle()
            assert worker.spawner.running() == [(2, 1)]

    def test_missed_fires_are_made_up_for_once(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add_spec("hourly", Schedule(cron=("0 * * * *",)))
        worker.settle(after_ms=50 * HOUR + 60 * SECOND)
        fires = worker.store.fires.list()
        assert [(fire.outcome, fire.count) for fire in fires] == [
            (FireOutcome.CAUGHT_UP, 1),
            (FireOutcome.MISSED, 50),
        ]
        assert len(worker.spawner.running()) == 1

    def test_caught_up_jobs_queue_up(self, path: Path) -> None:
        worker = Simulation(path, slots=4)
        schedule = Schedule(cron=("0 * * * *",), catch_up=CatchUp.ALL)
        worker.add_spec("hourly", schedule)
        worker.settle(after_ms=3 * HOUR)
        assert worker.states() == {1: "processing", 2: "blocked", 3: "blocked"}
        for job_id in (1, 2, 3):
            assert worker.spawner.running() == [(job_id, 1)]
            worker.spawner.end((job_id, 1))
            worker.settle()
        assert set(worker.states().values()) == {"completed"}

    def test_a_fire_that_cannot_start_in_time_expires(self, path: Path) -> None:
        worker = Simulation(path, slots=1)
        worker.add()
        worker.settle()
        worker.add_spec("tick", Schedule(every_ms=HOUR, start_within_ms=30 * SECOND))
        worker.settle()
        assert worker.states()[2] == "pending"
        worker.settle(after_ms=30 * SECOND + 1)
        assert worker.states()[2] == "cancelled"
        assert worker.store.fires.list()[0].outcome is FireOutcome.EXPIRED

    def test_a_paused_spec_fires_nothing_and_its_ledger_stays_short(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add_spec("tick", Schedule(every_ms=SECOND), paused=True)
        for _ in range(5):
            worker.settle(after_ms=SECOND)
        assert not worker.spawner.alive
        assert [(fire.outcome, fire.count) for fire in worker.store.fires.list()] == [(FireOutcome.PAUSED, 6)]

    def test_the_clock_set_back_repeats_no_instant(self, path: Path) -> None:
        worker = Simulation(path)
        worker.add_spec("hourly", Schedule(cron=("0 * * * *",), overlap=Overlap.ALLOW))
        worker.settle(after_ms=2 * HOUR)
        before = len(worker.store.jobs.list())
        worker.clock.jump = -HOUR
        worker.settle(after_ms=HOUR // 2)
        assert len(worker.store.jobs.list()) == before


class TestStoreTrouble:
    def test_a_busy_store_loses_no_result(self, path: Path) -> None:
        worker = Simulation(path, config=Config(poll_interval=10))
        worker.add()
        worker.settle()
        worker.store.database.wait_for_lock(1)
        blocker = Store.open(path)
        assert blocker is not None
        with blocker.transaction():
            worker.spawner.end((1, 1))
            assert worker.tick(after_ms=5) > 0, "it waits instead of spinning"
            assert worker.job(1).state is JobState.PROCESSING
        worker.settle(after_ms=500)
        assert worker.states() == {1: "completed"}


class TestRetention:
    def test_history_past_its_keep_goes(self, path: Path) -> None:
        config = Config(keep_completed=Keep(count=2), keep_fires=Keep(for_ms=HOUR))
        worker = Simulation(path, config=config, slots=8)
        for _ in range(5):
            worker.add()
        worker.add(keep={"completed": Keep(for_ms=1000 * HOUR)})
        worker.settle()
        for key in worker.spawner.running():
            worker.spawner.end(key)
        worker.settle(after_ms=1)
        worker.settle(after_ms=61 * SECOND)
        assert sorted(worker.states()) == [4, 5, 6]
        worker.settle(after_ms=1001 * HOUR)
        worker.settle(after_ms=61 * SECOND)
        assert 6 not in worker.states()
        assert worker.store.attempts.of_job(1) == []
