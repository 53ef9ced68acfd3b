from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from queuectl.engine.mark import process_mark
from queuectl.model.errors import UnknownError, UsageError
from queuectl.service import workers
from queuectl.service.context import Context
from queuectl.service.waiting import WaitTimeoutError
from queuectl.store.workers import Orders
from tests.service.conftest import NOON, Clock
from tests.store.conftest import Bench

Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def start(ctx: Context) -> Iterator[Start]:
    """Registers workers whose processes are real, but only sleep."""
    with ExitStack() as stack:

        def started(worker: str, *, host: str | None = None) -> Process:
            process = subprocess.Popen(["sleep", "60"])
            stack.callback(end, process)
            ctx.store.workers.register(
                worker=worker,
                host=host or socket.gethostname(),
                pid=process.pid,
                pid_mark=process_mark(process.pid) or "",
                slots=2,
                queues=(),
                now=NOON,
            )
            return process

        yield started


def end(process: Process) -> None:
    process.kill()
    process.wait()


def test_a_list_of_workers_and_how_they_are(ctx: Context, start: Start, clock: Clock) -> None:
    end(start("a-dead"))
    for name in ("b-paused", "c-running", "d-silent", "e-stopping"):
        start(name)
    start("f-elsewhere", host="another.host")
    ctx.store.workers.pause("b-paused", now=NOON)
    ctx.store.workers.stop("e-stopping", mode="graceful")
    clock.pass_by(ctx.config.lease + 1)
    for seen in workers.list_workers(ctx):
        if seen.worker.id not in {"a-dead", "d-silent"}:
            ctx.store.workers.beat(seen.worker.id, now=clock.now - 500)

    listed = {seen.worker.id: (seen.condition, seen.silent_ms) for seen in workers.list_workers(ctx)}

    assert listed == {
        "a-dead": ("dead", 30_001),
        "b-paused": ("paused", 500),
        "c-running": ("running", 500),
        "d-silent": ("silent", 30_001),
        "e-stopping": ("stopping", 500),
        "f-elsewhere": ("running", 500),
    }


def test_a_process_that_was_given_the_pid_of_a_dead_worker_is_not_taken_for_it(
    ctx: Context, start: Start
) -> None:
    process = start("w1")
    ctx.store.workers.leave("w1")
    ctx.store.workers.register(
        worker="w2",
        host=socket.gethostname(),
        pid=process.pid,
        pid_mark="started last year",
        slots=1,
        queues=(),
        now=NOON,
    )

    assert [seen.condition for seen in workers.list_workers(ctx)] == ["dead"]


def test_find_by_the_beginning_of_the_id(ctx: Context, start: Start) -> None:
    for name in ("abc-1", "abd-2", "xyz-3"):
        start(name)

    assert workers.find(ctx, "x").id == "xyz-3"
    assert workers.find(ctx, "abc-1").id == "abc-1"
    with pytest.raises(UsageError, match=r"^'ab' means several workers: abc-1, abd-2; write more of the id$"):
        workers.find(ctx, "ab")
    with pytest.raises(UnknownError, match=r"^there is no worker 'xzy', did you mean 'xyz'\?$"):
        workers.find(ctx, "xzy")
    with pytest.raises(UnknownError, match=r"^there is no worker ''$"):
        workers.find(ctx, "")


def test_pause_and_resume_one_or_all(ctx: Context, start: Start) -> None:
    for name in ("w1", "w2"):
        start(name)

    assert workers.pause(ctx, workers.find(ctx, "w1")) == 1
    assert workers.pause(ctx) == 1
    assert workers.resume(ctx, workers.find(ctx, "w2")) == 1
    assert [seen.condition for seen in workers.list_workers(ctx)] == ["paused", "running"]
    assert workers.resume(ctx) == 1


def test_stop_asks_and_does_not_wait(ctx: Context, start: Start) -> None:
    for name in ("w1", "w2"):
        start(name)

    done = workers.stop(ctx, workers.find(ctx, "w1"), now=True)

    assert [worker.id for worker in done.asked] == ["w1"]
    assert done.dead == ()
    assert ctx.store.workers.orders("w1") == Orders(paused=False, stop="now")
    assert ctx.store.workers.orders("w2") == Orders(paused=False, stop=None)


def test_stop_waits_for_the_row_and_for_the_process(ctx: Context, start: Start) -> None:
    process = start("w1")
    start("w2", host="another.host")
    steps = iter(
        [
            lambda: ctx.store.workers.leave("w2"),
            lambda: ctx.store.workers.leave("w1"),
            lambda: None,
            lambda: end(process),
        ]
    )

    done = workers.stop(ctx, wait=True, timeout_ms=60_000, sleep=lambda _: next(steps)())

    assert [worker.id for worker in done.asked] == ["w1", "w2"]
    assert next(steps, None) is None, "it went on waiting until the last of these"


def test_stop_does_not_wait_for_the_dead_and_leaves_their_rows_to_be_rescued(
    ctx: Context, start: Start
) -> None:
    end(start("w1"))
    process = start("w2")

    done = workers.stop(ctx, wait=True, sleep=lambda _: (ctx.store.workers.leave("w2"), end(process)))

    assert [worker.id for worker in done.dead] == ["w1"]
    assert [worker.id for worker in ctx.store.workers.list()] == ["w1"]


def test_stop_waits_no_longer_than_it_is_told(ctx: Context, start: Start) -> None:
    start("w1")
    Bench(ctx.store).processing(worker="w1")

    with pytest.raises(
        WaitTimeoutError, match=r"^worker w1 has not stopped yet: 1 attempt running; `worker stop --now`"
    ):
        workers.stop(ctx, wait=True, timeout_ms=20)
    assert ctx.store.workers.orders("w1") == Orders(paused=False, stop="graceful")


def test_stop_where_there_is_no_worker(ctx: Context) -> None:
    done = workers.stop(ctx, wait=True)
    assert (done.asked, done.dead) == ((), ())
