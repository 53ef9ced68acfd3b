"""The loop when things go wrong around it: stalled workers, clocks, damaged rows, a queue that moves away."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from queuectl.engine.loop import LAST_TRIES_MS
from queuectl.model.config import Config
from queuectl.model.errors import StoreBusyError
from queuectl.model.spec import Schedule
from queuectl.model.states import JobState, Outcome, Overlap
from queuectl.store.store import Store
from tests.engine.simulation import START, FakeClock, Simulation

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


class TestStalledWorkers:
    def test_what_one_claimed_while_it_was_held_for_dead_is_not_stuck(self, path: Path) -> None:
        """It stood still in the middle of a tick, after its heartbeat: it claims before it knows."""
        clock = FakeClock()
        stalled = Simulation(path, name="stalled", clock=clock, slots=1)
        stalled.add()
        stalled.add()
        stalled.settle()
        stalled.store.workers.leave("stalled")  # as when another declares it dead
        stalled.spawner.end((1, 1))
        stalled.tick(after_ms=1)
        assert stalled.job(2).state is JobState.PROCESSING
        stalled.settle(after_ms=stalled.config.poll_interval)
        assert stalled.spawner.running() == [(2, 2)], "the first attempt was taken back, and made up for"
        stalled.spawner.end((2, 2))
        stalled.settle(after_ms=stalled.config.poll_interval)
        assert stalled.states() == {1: "completed", 2: "completed"}
        assert stalled.outcomes(2) == ["lost", "succeeded"]

    def test_one_that_starts_afresh_has_a_new_name(self, path: Path) -> None:
        """Whoever still buries the old one must not take its new jobs away."""
        worker = Simulation(path, name="w1")
        worker.settle()
        worker.store.workers.leave("w1")
        worker.settle(after_ms=worker.config.poll_interval)
        (registered,) = worker.store.workers.list()
        assert registered.id != "w1"

    def test_after_everybody_slept_nobody_is_held_for_dead(self, path: Path) -> None:
        """All were stopped for long and go on together: who looks first must give the others time to beat."""
        clock = FakeClock()
        sleeper = Simulation(path, name="sleeper", clock=clock)
        sleeper.add()
        sleeper.settle()
        early = Simulation(path, name="early", clock=clock)
        early.settle()
        early.settle(after_ms=10 * 60 * SECOND)
        sleeper.settle()
        early.settle(after_ms=early.config.poll_interval)
        assert sleeper.outcomes(1) == [None]

    def test_a_rare_poll_still_finds_the_silent(self, path: Path) -> None:
        clock = FakeClock()
        silent = Simulation(path, name="silent", clock=clock)
        silent.add()
        silent.settle()
        config = Config(poll_interval=60 * SECOND, lease=30 * SECOND)
        worker = Simulation(path, name="w2", clock=clock, config=config)
        for _ in range(4):
            worker.settle(after_ms=60 * SECOND)
        assert worker.outcomes(1)[0] == "lost"

    def test_while_the_store_is_locked_nobody_kills_what_others_run(self, path: Path) -> None:
        """None of them can show that it lives, for longer than the lease."""
        clock = FakeClock()
        config = Config(lease=2 * SECOND, heartbeat=SECOND // 2, poll_interval=SECOND // 10)
        workers = [Simulation(path, name=f"w{n}", clock=clock, config=config, slots=1) for n in range(2)]
        for worker in workers:
            worker.add()
            worker.settle()
            worker.store.database.wait_for_lock(1)
        blocker = Store.open(path)
        assert blocker is not None
        with blocker.transaction():
            for _ in range(20):
                clock.elapsed += SECOND // 2
                for worker in workers:
                    worker.tick()
        for _ in range(2):
            clock.elapsed += SECOND // 2
            for worker in workers:
                worker.settle()
        assert [worker.killed for worker in workers] == [[], []]
        assert [workers[0].outcomes(number) for number in (1, 2)] == [[None], [None]]


class TestTheQueue:
    @pytest.mark.parametrize("replaced", [False, True])
    def test_that_moves_away_stops_its_worker(self, path: Path, replaced: bool) -> None:
        worker = Simulation(path, slots=1)
        worker.add()
        worker.add()
        worker.settle()
        path.rename(path.with_name("old.db"))
        if replaced:
            path.write_bytes(b"something else")
        worker.settle(after_ms=worker.config.poll_interval)
        worker.spawner.end((1, 1))
        worker.settle()
        assert worker.engine.displaced
        assert worker.engine.done
        assert worker.states() == {1: "completed", 2: "pending"}

    def test_with_a_damaged_job_runs_the_others(self, path: Path) -> None:
        worker = Simulation(path, slots=4)
        for _ in range(3):
            worker.add()
        connection = apsw.Connection(str(path))
        connection.execute("UPDATE jobs SET frozen = '{' WHERE id = 2")
        worker.settle()
        assert worker.spawner.running() == [(1, 1), (3, 1)]
        ((state, reason),) = connection.execute("SELECT state, reason FROM jobs WHERE id = 2")
        connection.close()
        assert state == "dead"
        assert "damaged" in reason


class TestClocks:
    @pytest.mark.parametrize("restarted", [False, True])
    def test_a_clock_that_was_years_ahead_stops_no_schedule(self, path: Path, restarted: bool) -> None:
        clock = FakeClock(jump=70 * 365 * DAY)
        worker = Simulation(path, clock=clock)
        worker.add_spec("hourly", Schedule(cron=("0 * * * *",), overlap=Overlap.ALLOW))
        worker.settle()
        clock.jump = 0
        if restarted:
            worker = Simulation(path, name="w2", clock=clock)
        worker.settle(after_ms=SECOND)
        worker.settle(after_ms=2 * HOUR)
        due = [fire.due_at for fire in worker.store.fires.list()]
        assert any(at < START + 3 * HOUR for at in due), due

    def test_a_clock_that_was_years_ahead_holds_back_no_retry(self, path: Path) -> None:
        clock = FakeClock(jump=70 * 365 * DAY)
        worker = Simulation(path, clock=clock)
        worker.add()
        worker.settle()
        worker.spawner.end((1, 1), Outcome.FAILED)
        worker.settle()
        clock.jump = 0
        worker.settle(after_ms=worker.config.poll_interval)
        assert not worker.spawner.alive
        worker.settle(after_ms=2 * SECOND)
        assert worker.spawner.running() == [(1, 2)]


class TestABlockedStore:
    def test_keeps_a_forced_stop_waiting_only_so_long(self, path: Path) -> None:
        worker = Simulation(path, slots=1)
        worker.add()
        worker.settle()
        worker.store.database.wait_for_lock(1)
        blocker = Store.open(path)
        assert blocker is not None
        with blocker.transaction():
            worker.engine.stop("now")
            worker.spawner.end((1, 1), Outcome.INTERRUPTED)
            for _ in range(LAST_TRIES_MS // SECOND):
                assert 0 < worker.tick(after_ms=SECOND) <= SECOND
            with pytest.raises(StoreBusyError):
                worker.tick(after_ms=SECOND)

    def test_keeps_a_graceful_stop_waiting_until_all_is_written(self, path: Path) -> None:
        worker = Simulation(path, slots=1)
        worker.add()
        worker.settle()
        worker.store.database.wait_for_lock(1)
        blocker = Store.open(path)
        assert blocker is not None
        with blocker.transaction():
            worker.engine.stop("graceful")
            worker.spawner.end((1, 1))
            for _ in range(60):
                worker.tick(after_ms=SECOND)
        assert not worker.engine.done
        worker.settle(after_ms=SECOND)
        assert worker.engine.done
        assert worker.states() == {1: "completed"}
