"""Which ticks of a worker wake the others."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from queuectl.engine.signals import Signals
from queuectl.model.config import Config
from queuectl.model.spec import Schedule
from queuectl.model.states import JobState, Outcome, Overlap
from queuectl.store.store import Store
from tests.engine.simulation import Simulation

SECOND, HOUR = 1_000, 3_600_000
Start = Callable[..., Simulation]
Heard = Callable[[], bool]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Starts workers."""
    with ExitStack() as stack:

        def start(**fields: Any) -> Simulation:
            worker = Simulation(path, **fields)
            stack.callback(worker.store.close)
            return worker

        yield start


@pytest.fixture
def heard(path: Path) -> Iterator[Heard]:
    """Whether another worker was woken since the last call."""
    other = Store.open(path)
    assert other is not None
    ear = other.database.listen()

    def heard() -> bool:
        came = bool(select.select([ear], [], [], 0)[0])
        ear.drain()
        return came

    yield heard
    other.close()


def test_work_that_goes_on_wakes_nobody(start: Start, heard: Heard) -> None:
    worker = start(slots=3, config=Config(backoff_jitter=0.0))
    long = worker.add(priority=1)
    for number in range(20):
        worker.add(retries=1 if number % 2 else 0)
    assert heard()
    worker.settle()
    for _ in range(40):
        for key in worker.spawner.running():
            if key[0] != long.id:
                worker.spawner.end(key, Outcome.FAILED if key[1] == 1 else Outcome.SUCCEEDED)
        worker.settle(after_ms=SECOND)
    assert set(worker.states().values()) == {"processing", "completed", "dead"}
    assert not heard(), "retries neither: whoever waits for them knows when they are due"
    worker.spawner.end((long.id, 1))
    worker.settle()
    assert heard(), "who waits until all is over hears of the last one"


def test_a_job_whose_forerunner_was_cancelled_while_no_slot_was_free(start: Start, heard: Heard) -> None:
    worker = start(slots=1)
    worker.add()
    worker.settle()
    worker.add_spec("tick", Schedule(every_ms=SECOND, overlap=Overlap.QUEUE))
    worker.settle(after_ms=SECOND)
    assert worker.states() == {1: "processing", 2: "pending", 3: "blocked"}
    worker.store.jobs.cancel(2, reason="no", now=worker.clock.wall())
    worker.engine.wake()
    worker.settle()
    worker.spawner.end((1, 1))
    worker.settle()
    assert worker.states()[3] == "processing"


def test_a_job_that_another_may_take_wakes_it_though_this_one_took_another(
    start: Start, heard: Heard
) -> None:
    worker = start(slots=1)
    worker.add(state=JobState.SCHEDULED, in_ms=SECOND)
    worker.add(priority=5)
    worker.add(priority=9)
    worker.settle()
    heard()
    worker.spawner.end((3, 1))
    worker.settle(after_ms=SECOND)
    assert worker.states() == {1: "pending", 2: "processing", 3: "completed"}
    assert heard()


def test_due_jobs_that_find_no_free_slot_here_wake_others(start: Start, heard: Heard) -> None:
    worker = start(slots=1)
    worker.add()
    worker.settle()
    worker.add(state=JobState.SCHEDULED, in_ms=SECOND)
    worker.engine.wake()
    worker.settle()
    assert heard()
    worker.settle(after_ms=SECOND)
    assert worker.states() == {1: "processing", 2: "pending"}
    assert heard()
    worker.settle(after_ms=SECOND)
    assert not heard(), "once"


def test_fires_wake_others(start: Start, heard: Heard) -> None:
    worker = start(slots=1)
    worker.add_spec("hourly", Schedule(every_ms=HOUR))
    heard()
    worker.settle(after_ms=HOUR)
    assert worker.states() == {1: "processing"}
    assert heard()


def test_a_worker_that_stops_wakes_those_that_go_on(start: Start, heard: Heard) -> None:
    worker = start(slots=2)
    worker.add()
    worker.settle()
    heard()
    worker.engine.stop("now")
    worker.spawner.end((1, 1), Outcome.INTERRUPTED)
    worker.settle()
    assert worker.states() == {1: "pending"}
    assert heard()


def test_a_full_worker_that_is_woken_keeps_nobody_from_writing(path: Path, start: Start) -> None:
    worker = start(slots=1)
    worker.add()
    worker.settle(after_ms=SECOND)
    worker.settle(after_ms=SECOND)
    worker.add()
    other = Store.open(path)
    assert other is not None
    with other.transaction():
        worker.engine.wake()
        assert worker.engine.tick() == worker.config.poll_interval, "else it would try again sooner"
    other.close()


def test_a_worker_without_a_free_slot_hears_a_storm_only_now_and_then(path: Path, start: Start) -> None:
    worker = start(slots=1)
    assert worker.engine.wake() == 0
    worker.add()
    worker.settle()
    assert worker.engine.wake() > 0

    teller = Store.open(path)
    assert teller is not None
    times: list[float] = []

    def on_wake() -> int:
        times.append(time.monotonic())
        return 100

    with Signals() as signals:
        signals.hear(worker.store.database.listen(), on_wake)
        while len(times) < 2:
            teller.database.announce()
            signals.wait(30_000)
    teller.close()
    assert times[1] - times[0] > 0.09
