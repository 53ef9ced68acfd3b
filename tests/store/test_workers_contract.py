"""What every database must do with workers, queues and settings."""

from __future__ import annotations

from typing import Any

import pytest

from queuectl.model.states import JobState, Outcome
from queuectl.model.worker import QueueInfo
from queuectl.store.store import Store
from queuectl.store.workers import Orders
from tests.store.conftest import Bench

GO_ON = Orders(paused=False, stop=None)


def register(store: Store, worker: str = "w1", *, now: int = 10, **changes: Any) -> None:
    fields = {"host": "here", "pid": 42, "pid_mark": "boot:7", "slots": 3, "queues": ("a", "b"), **changes}
    store.workers.register(worker=worker, now=now, **fields)


# Workers


def test_a_worker_comes_and_goes(bench: Bench) -> None:
    register(bench.store)
    bench.in_state(JobState.PROCESSING)

    (worker,) = bench.store.workers.list()
    assert (worker.id, worker.host, worker.pid, worker.pid_mark) == ("w1", "here", 42, "boot:7")
    assert (worker.slots, worker.queues, worker.running) == (3, ("a", "b"), 1)
    assert (worker.started_at, worker.beat, worker.beat_at) == (10, 0, 10)
    assert (worker.paused_at, worker.stop) == (None, None)

    bench.store.workers.leave("w1")
    assert bench.store.workers.list() == []
    bench.store.workers.leave("w1")


def test_workers_are_listed_oldest_first(store: Store) -> None:
    for worker, now in (("b", 20), ("a", 20), ("c", 10)):
        register(store, worker, now=now)

    assert [worker.id for worker in store.workers.list()] == ["c", "a", "b"]


def test_a_beat_raises_the_counter_and_brings_orders(store: Store) -> None:
    register(store)

    assert store.workers.beat("w1", now=50) == GO_ON
    assert store.workers.beat("w1", now=60) == GO_ON
    (worker,) = store.workers.list()
    assert (worker.beat, worker.beat_at) == (2, 60)
    assert store.workers.orders("w1") == GO_ON
    assert store.workers.list()[0].beat == 2


def test_a_worker_that_was_declared_dead_hears_so(store: Store) -> None:
    register(store)
    store.workers.beat("w1", now=20)

    assert not store.workers.declare_dead("w1", beat=0), "it has moved since"
    assert store.workers.declare_dead("w1", beat=1)
    assert not store.workers.declare_dead("w1", beat=1), "somebody was quicker"

    assert store.workers.beat("w1", now=30) is None
    assert store.workers.orders("w1") is None
    assert store.workers.list() == []


def test_pause_and_resume_one_or_all(store: Store) -> None:
    for worker in ("w1", "w2"):
        register(store, worker)

    assert store.workers.pause("w1", now=30) == ["w1"]
    assert store.workers.orders("w1") == Orders(paused=True, stop=None)
    assert store.workers.orders("w2") == GO_ON
    assert store.workers.pause(None, now=40) == ["w2"]
    assert [worker.paused_at for worker in store.workers.list()] == [30, 40]
    assert store.workers.resume("w2") == ["w2"]
    assert store.workers.resume(None) == ["w1"]
    assert store.workers.resume(None) == []
    assert store.workers.pause("nobody", now=50) == []


def test_stop_one_or_all_and_at_once_is_not_taken_back(store: Store) -> None:
    for worker in ("w1", "w2"):
        register(store, worker)

    assert store.workers.stop("w1", mode="now") == ["w1"]
    assert sorted(store.workers.stop(None, mode="graceful")) == ["w1", "w2"]
    assert store.workers.orders("w1") == Orders(paused=False, stop="now")
    assert store.workers.orders("w2") == Orders(paused=False, stop="graceful")
    assert store.workers.stop("nobody", mode="now") == []


def test_abandoned_are_those_that_hold_jobs_but_are_not_there(bench: Bench) -> None:
    register(bench.store, "w1")
    for worker in ("w1", "w2", "w2", "w3"):
        bench.enqueue()
        (job,) = bench.claim(worker=worker)
    bench.finish(job, JobState.PENDING, outcome=Outcome.INTERRUPTED)

    assert bench.store.workers.abandoned() == ["w2"]
    bench.store.workers.leave("w1")
    assert sorted(bench.store.workers.abandoned()) == ["w1", "w2"]


def test_the_process_of_an_attempt_is_recorded_by_its_worker_only(bench: Bench) -> None:
    job = bench.in_state(JobState.PROCESSING)
    record = bench.store.attempts.record_pid

    record(job.id, 1, worker="w2", pid=666, pid_mark="not mine")
    record(job.id, 1, worker="w1", pid=123, pid_mark="boot:9")

    (attempt,) = bench.store.attempts.running_of_worker("w1")
    assert (attempt.pid, attempt.pid_mark) == (123, "boot:9")


# Queues


def test_queues_are_known_by_their_jobs_or_by_a_pause(bench: Bench) -> None:
    for state in JobState:
        bench.in_state(state, queue="mail")
    bench.store.queues.pause("new", who="ada", now=7)

    assert bench.store.queues.list() == [
        QueueInfo(name="mail", paused_at=None, paused_by=None, waiting=4, processing=1),
        QueueInfo(name="new", paused_at=7, paused_by="ada", waiting=0, processing=0),
    ]


def test_a_queue_is_paused_once_and_resumed_once(store: Store) -> None:
    assert store.queues.pause("q", who="ada", now=7)
    assert not store.queues.pause("q", who="bob", now=8)
    (queue,) = store.queues.list()
    assert (queue.paused_at, queue.paused_by) == (7, "ada")
    assert store.queues.resume("q")
    assert not store.queues.resume("q")
    assert not store.queues.resume("unknown")
    (queue,) = store.queues.list()
    assert (queue.paused_at, queue.paused_by) == (None, None)


def test_waiting_are_those_of_one_queue_oldest_first(bench: Bench) -> None:
    jobs = {state: bench.in_state(state, queue="mail") for state in JobState}
    bench.enqueue(queue="other")
    waiting = [
        jobs[state].id for state in (JobState.BLOCKED, JobState.SCHEDULED, JobState.PENDING, JobState.FAILED)
    ]

    assert bench.store.queues.waiting("mail") == sorted(waiting)
    assert bench.store.queues.waiting("mail", limit=2) == sorted(waiting)[:2]
    assert bench.store.queues.waiting("unknown") == []


# Settings


def test_settings_are_set_replaced_unset_and_reset(store: Store) -> None:
    assert store.settings.all() == {}
    store.settings.set("lease", "30s")
    store.settings.set("lease", "40s")
    store.settings.set("timezone", "Europe/Zürich")
    assert store.settings.all() == {"lease": "40s", "timezone": "Europe/Zürich"}

    assert store.settings.unset("lease")
    assert not store.settings.unset("lease")
    assert store.settings.reset() == 1
    assert store.settings.all() == {}


@pytest.mark.parametrize("fails", [True, False])
def test_a_transaction_holds_all_parts_together(bench: Bench, fails: bool) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def change_everything() -> None:
        with bench.store.transaction():
            register(bench.store)
            bench.enqueue()
            bench.store.settings.set("lease", "9s")
            if fails:
                raise Stop

    if fails:
        with pytest.raises(Stop):
            change_everything()
    else:
        change_everything()

    there = (bench.store.workers.list(), bench.store.jobs.list(), bench.store.settings.all())
    assert [bool(part) for part in there] == [not fails] * 3
