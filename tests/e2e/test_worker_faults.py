"""Real workers when things go wrong around them."""

from __future__ import annotations

import signal
import time

from tests.command import Queuectl


def test_a_queue_that_is_moved_away_stops_its_worker(queuectl: Queuectl) -> None:
    queuectl("enqueue", "true")
    worker = queuectl.start("run")
    queuectl.wait_until(lambda: queuectl.states() == {1: "completed"}, "the worker runs")
    queuectl.db.rename(queuectl.folder / "old.db")
    assert worker.wait(10) == 4
    assert not queuectl.db.exists()


def test_workers_that_were_stopped_past_the_lease_take_nothing_from_each_other(queuectl: Queuectl) -> None:
    for _ in range(2):
        queuectl("enqueue", "sleep 2.5", "--max-retries", "0")
    fast = {"QUEUECTL_LEASE": "800ms", "QUEUECTL_HEARTBEAT": "200ms"}
    workers = [queuectl.start("run", "--slots", "1", **fast) for _ in range(2)]
    queuectl.wait_until(lambda: set(queuectl.states().values()) == {"processing"}, "both run")
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    signal.sigtimedwait([], 1.2)
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    queuectl.wait_until(lambda: set(queuectl.states().values()) == {"completed"}, "both complete")


def test_a_sigterm_after_the_last_word_changes_nothing(queuectl: Queuectl) -> None:
    for attempt in range(3):
        worker = queuectl.start("run", "--until-idle")
        log = queuectl.folder / f"run{attempt}.log"
        while "worker stopped" not in log.read_text() and worker.poll() is None:
            time.sleep(0.001)  # what is looked for is over in milliseconds
        worker.terminate()
        assert worker.wait(10) == 0
