"""Workers: who is there, and telling them to pause, go on, or stop."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from queuectl.model.errors import UnknownError, UsageError
from queuectl.model.worker import Worker
from queuectl.rules.nearest import did_you_mean
from queuectl.service.context import Context
from queuectl.service.waiting import Sleep, WaitTimeoutError, until

Condition = Literal["running", "paused", "stopping", "silent", "dead"]
"""`dead`: its process is gone, as seen from its own host; its jobs come back with the next worker.
`silent`: no heartbeat for the lease, by wall clock: for people, what is done about it is judged by its counter."""


class SeenWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A registered worker and how it looks from here."""

    worker: Worker
    condition: Condition
    silent_ms: int
    """Since its last heartbeat."""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """What asking workers to stop came to."""

    asked: tuple[Worker, ...]
    dead: tuple[Worker, ...]
    """Of those, the ones that can't hear: their process is gone already. The next worker buries them."""


def list_workers(ctx: Context) -> list[SeenWorker]:
    """Return the registered workers, oldest first."""
    now = ctx.now()
    return [_seen(ctx, worker, now) for worker in ctx.store.workers.list()]


def find(ctx: Context, prefix: str) -> Worker:
    """Return the worker whose id begins so. UnknownError for none, UsageError for several."""
    workers = ctx.store.workers.list()
    found = [worker for worker in workers if prefix and worker.id.startswith(prefix)]
    if len(found) > 1:
        ids = ", ".join(worker.id for worker in found)
        raise UsageError(f"'{prefix}' means several workers: {ids}; write more of the id")
    if not found:
        near = did_you_mean(prefix, (worker.id[: len(prefix)] for worker in workers))
        raise UnknownError(f"there is no worker '{prefix}'{near}")
    return found[0]


def pause(ctx: Context, worker: Worker | None = None) -> int:
    """Claiming → paused, one or all: attempts that run go on. Returns how many changed."""
    return len(ctx.store.workers.pause(worker.id if worker else None, now=ctx.now()))


def resume(ctx: Context, worker: Worker | None = None) -> int:
    """Paused → claiming, one or all. Returns how many changed."""
    return len(ctx.store.workers.resume(worker.id if worker else None))


def stop(
    ctx: Context,
    worker: Worker | None = None,
    *,
    now: bool = False,
    wait: bool = False,
    timeout_ms: int | None = None,
    sleep: Sleep = time.sleep,
) -> Stop:
    """Ask one worker, or all, to stop: they let running attempts finish, or `now` terminate them.

    With `wait`, returns when they have left the register and, on this host, their processes are gone; a worker
    that is dead already is not waited for. WaitTimeoutError after `timeout_ms`; they go on stopping.
    """
    with ctx.store.transaction():
        ids = ctx.store.workers.stop(worker.id if worker else None, mode="now" if now else "graceful")
        asked = tuple(known for known in ctx.store.workers.list() if known.id in set(ids))
    dead = tuple(known for known in asked if is_gone(known))
    left: list[Worker] = []

    def all_gone() -> bool:
        left[:] = _still_there(ctx, asked)
        return not left

    if wait and not until(all_gone, timeout_ms=timeout_ms, sleep=sleep):
        raise WaitTimeoutError(_still_stopping(left, now))
    return Stop(asked=asked, dead=dead)


def is_gone(worker: Worker) -> bool:
    """Whether the worker's process is gone. Of workers on other hosts nobody here can tell: False."""
    from queuectl.engine.mark import is_alive  # noqa: PLC0415  only where there are workers

    return worker.host == os.uname().nodename and not is_alive(worker.pid, worker.pid_mark)


def _seen(ctx: Context, worker: Worker, now: int) -> SeenWorker:
    silent_ms = max(0, now - worker.beat_at)
    condition: Condition = "running"
    if is_gone(worker):
        condition = "dead"
    elif silent_ms > ctx.config.lease:
        condition = "silent"
    elif worker.stop:
        condition = "stopping"
    elif worker.paused_at is not None:
        condition = "paused"
    return SeenWorker(worker=worker, condition=condition, silent_ms=silent_ms)


def _still_there(ctx: Context, asked: Sequence[Worker]) -> list[Worker]:
    """Those that aren't dead and are registered, or have left the register and still have a process on this host."""
    registered = {worker.id: worker for worker in ctx.store.workers.list()}
    here = os.uname().nodename
    return [
        registered.get(worker.id, worker)
        for worker in asked
        if not is_gone(worker) and (worker.id in registered or worker.host == here)
    ]


def _still_stopping(left: Sequence[Worker], now: bool) -> str:
    first = left[0]
    more = f", and {len(left) - 1} more," if len(left) > 1 else ""
    running = f"{first.running} attempt{'' if first.running == 1 else 's'} running"
    way_out = "" if now else "; `worker stop --now` terminates what runs"
    return f"worker {first.id}{more} has not stopped yet: {running}{way_out}"
