"""A worker that never polls: whatever reaches it was brought by a wake-up, or by a due time that it knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from queuectl.queue import Queue
from queuectl.service import dead_letters, queues, specs, workers
from tests.command import Queuectl

NEVER = {"QUEUECTL_POLL_INTERVAL": "12h", "QUEUECTL_HEARTBEAT": "12h", "QUEUECTL_LEASE": "48h"}


@pytest.fixture
def queue(queuectl: Queuectl) -> Iterator[Queue]:
    """The queue as this process has it; its workers are others, and never poll."""
    queuectl.env.update(NEVER)
    with Queue(queuectl.db) as queue:
        yield queue


def test_all_that_gives_a_worker_something_to_do_wakes_it(queuectl: Queuectl, queue: Queue) -> None:
    folder, ctx = queuectl.folder, queue.context
    worker = queuectl.start("run")

    def becomes(job_id: int, state: str) -> None:
        queuectl.wait_until(lambda: queue.get(job_id).state == state, f"job {job_id} becomes {state}")

    def completes(job_id: int) -> None:
        becomes(job_id, "completed")

    completes(queue.enqueue("true").id)
    queuectl("enqueue", "true")
    completes(2)
    completes(queue.enqueue("true", delay=0.2).id)

    mend = queue.enqueue("test -e mended", retries=0, cwd=folder).id
    becomes(mend, "dead")
    (folder / "mended").touch()
    dead_letters.retry(ctx, [queue.get(mend)])
    completes(mend)

    long = queue.enqueue("sleep 60").id
    becomes(long, "processing")
    queue.cancel(long)
    becomes(long, "cancelled")

    queue.apply(queuectl.spec("hourly", "command: 'true'\nschedule: {every: 1h}\n"))
    completes(queue.trigger("hourly").id)
    queue.apply(queuectl.spec("often", "command: 'true'\nschedule: {every: 1s}\n"))
    queuectl.wait_until(lambda: queue.list(spec="often"), "the new schedule fires")
    specs.pause(ctx, "often")

    queues.pause(ctx, "default")
    waiting = queue.enqueue("true").id
    queues.resume(ctx, "default")
    completes(waiting)

    workers.pause(ctx)
    waiting = queue.enqueue("true").id
    workers.resume(ctx)
    completes(waiting)

    workers.stop(ctx)
    assert worker.wait(20) == 0
    assert not (folder / "q.wake").exists()


def test_workers_wake_each_other_for_what_they_leave(queuectl: Queuectl, queue: Queue) -> None:
    first, second = (queuectl.start("run", "--slots", "1") for _ in range(2))
    queuectl.wait_until(lambda: len(workers.list_workers(queue.context)) == 2, "both are there")
    queue.enqueue("sleep 60")
    queue.enqueue("sleep 60")
    queuectl.wait_until(lambda: set(queuectl.states().values()) == {"processing"}, "both run a job")
    job = queue.get(1)
    holder = next(seen.worker for seen in workers.list_workers(queue.context) if seen.worker.id == job.worker)
    other = first if holder.pid == second.pid else second
    queue.cancel(2)
    queuectl.wait_until(lambda: queue.get(2).state == "cancelled", "one of them is idle")
    workers.stop(queue.context, holder, now=True)
    queuectl.wait_until(lambda: queue.get(1).worker != holder.id, "the job that was interrupted moves")
    queue.cancel(1)
    queuectl.wait_until(lambda: queue.get(1).state == "cancelled", "nothing runs")

    other.kill()
    other.wait()
    queue.enqueue("true")
    assert list((queuectl.folder / "q.wake").iterdir()) == [], "what the killed one left is swept up"
