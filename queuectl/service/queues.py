"""Queues: what is in them, pause and resume them, cancel what waits in them."""

from __future__ import annotations

import msgspec

from queuectl.model.errors import UnknownError, UsageError
from queuectl.model.worker import QueueInfo
from queuectl.rules.limits import check_queue, check_reason
from queuectl.rules.nearest import did_you_mean
from queuectl.service.context import Context

_BATCH = 1000


class QueueChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a pause or resume did."""

    name: str
    changed: bool
    """False: it was so already."""
    known: bool
    """False: no job has named this queue yet; a typo?"""


def list_queues(ctx: Context) -> list[QueueInfo]:
    """Return the queues that a job ever named or that somebody paused, by name."""
    return ctx.store.queues.list()


def pause(ctx: Context, name: str, *, reason: str | None = None) -> QueueChange:
    """Open → paused: its jobs wait, those that run go on. A queue that no job has named yet may be paused too.

    `reason` is for people; it may be given anew. UsageError for what can't be a queue's name, and a reason that is
    too long.
    """
    _check(name, reason)
    with ctx.store.transaction():
        known = name in _names(ctx)
        changed = ctx.store.queues.pause(name, who=ctx.who, reason=reason or None, now=ctx.now())
        return QueueChange(name=name, known=known, changed=changed)


def resume(ctx: Context, name: str) -> QueueChange:
    """Paused → open. UnknownError for a queue that isn't there."""
    with ctx.store.transaction():
        _check_known(ctx, name)
        return QueueChange(name=name, known=True, changed=ctx.store.queues.resume(name))


def limit(ctx: Context, name: str, *, running: int | None, interval_us: int | None) -> bool:
    """Let at most `running` jobs of a queue run at once, one start per `interval_us`; None: no such limit.

    Returns whether a job has named the queue yet. UsageError for what can't be a queue's name.
    """
    _check(name)
    with ctx.store.transaction():
        known = name in _names(ctx)
        ctx.store.gates.limit_queue(name, running=running, interval_us=interval_us)
        return known


def clear(ctx: Context, name: str) -> int:
    """Blocked, scheduled, pending or failed → cancelled, all that wait in the queue. Returns how many.

    Those that run go on. UnknownError for a queue that isn't there.
    """
    _check_known(ctx, name)
    cancelled = 0
    while True:
        with ctx.store.transaction():
            waiting = ctx.store.queues.waiting(name, limit=_BATCH)
            for job_id in waiting:
                ctx.store.jobs.cancel(job_id, reason=f"queue {name} cleared by {ctx.who}", now=ctx.now())
        cancelled += len(waiting)
        if len(waiting) < _BATCH:
            return cancelled


def _names(ctx: Context) -> list[str]:
    return [queue.name for queue in ctx.store.queues.list()]


def _check(name: str, reason: str | None = None) -> None:
    try:
        check_queue(name)
        check_reason(reason)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _check_known(ctx: Context, name: str) -> None:
    if name not in (names := _names(ctx)):
        raise UnknownError(f"there is no queue '{name}'{did_you_mean(name, names)}")
