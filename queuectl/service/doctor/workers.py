"""The workers: whether somebody runs the jobs, and none are lost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from queuectl.model.states import JobState
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, counted, ok, warning
from queuectl.service.workers import SeenWorker, is_gone, list_workers

GRACE_MS = 10_000
"""A worker that lives looks that soon at what is due."""
START_ONE = "start one: queuectl run, or queuectl worker start --detach"


def check(ctx: Context) -> Iterator[Finding]:
    """Look at the workers, and at what waits for one."""
    seen = list_workers(ctx)
    alive = [one for one in seen if one.condition not in {"dead", "silent"} and not _is_stopped(one)]
    found = [*(finding for one in seen for finding in _of_worker(one, alive)), *_lost(ctx, alive)]
    found += _nobody(ctx, seen, alive)
    found += _held_back(ctx, alive)
    yield from found or [ok("workers", _doing(alive) if alive else "none, and nothing waits for one")]


def _of_worker(one: SeenWorker, alive: Sequence[SeenWorker]) -> Iterator[Finding]:
    worker = one.worker
    name = f"worker {worker.id[:8]} (pid {worker.pid} on {worker.host})"
    holding = f"; it holds {counted(worker.running, 'job')}" if worker.running else ""
    back = (
        f"{'another' if alive else 'the next'} worker takes its jobs back{'' if alive else f'; {START_ONE}'}"
    )
    if one.condition == "dead":
        yield warning("workers", f"{name} is dead{holding}", back)
    elif _is_stopped(one):
        text = f"{name} is stopped by a signal (SIGSTOP, Ctrl-Z){holding}"
        advice = f"let it go on: kill -CONT {worker.pid}; or end it: kill -9 {worker.pid}"
        yield warning("workers", text, advice)
    elif one.condition == "silent":
        text = f"{name} has not been heard of for {one.silent_ms / 1000:,.0f} s, its lease is over{holding}"
        yield warning("workers", text, f"look at it on {worker.host}; once it is gone, {back}")


def _lost(ctx: Context, alive: Sequence[SeenWorker]) -> Iterator[Finding]:
    lost = [
        job
        for worker in ctx.store.workers.abandoned()
        for job in ctx.store.attempts.running_of_worker(worker)
    ]
    if lost:
        text = f"{counted(len(lost), 'job')} of workers that are gone wait to be taken back"
        yield warning("workers", text, "a worker does so within seconds" if alive else START_ONE)


def _nobody(ctx: Context, seen: Sequence[SeenWorker], alive: Sequence[SeenWorker]) -> Iterator[Finding]:
    """Nobody works, and somebody should."""
    if any(one.condition == "running" for one in alive):
        return
    pending = ctx.store.jobs.counts()[JobState.PENDING]
    due = ctx.store.next_deadline()
    what = "none of the workers takes jobs" if alive else "no worker runs"
    advice = (
        "let them go on: queuectl worker resume"
        if any(one.condition == "paused" for one in alive)
        else START_ONE
    )
    if pending:
        yield warning("workers", f"{counted(pending, 'job')} pending, and {what}", advice)
    elif due is not None and due < ctx.now() - GRACE_MS:
        yield warning(
            "workers", f"something has been due for {(ctx.now() - due) / 1000:,.0f} s, and {what}", advice
        )
    elif due is not None and not seen:
        yield warning("workers", f"jobs are to run later, and {what}", advice)


def _held_back(ctx: Context, alive: Sequence[SeenWorker]) -> Iterator[Finding]:
    """Queues in which jobs wait in vain."""
    served = {queue for one in alive for queue in one.worker.queues}
    everything = not alive or any(not one.worker.queues for one in alive)
    for queue in ctx.store.queues.list():
        if not queue.waiting:
            continue
        if queue.paused_at is not None:
            text = f"queue {queue.name} is paused by {queue.paused_by}, and {counted(queue.waiting, 'job')} wait in it"
            yield warning("workers", text, f"when it is time: queuectl queue resume {queue.name}")
        elif not everything and queue.name not in served:
            text = f"no worker serves queue {queue.name}, in which {counted(queue.waiting, 'job')} wait"
            yield warning("workers", text, f"start one: queuectl run --queue {queue.name}")


def _is_stopped(one: SeenWorker) -> bool:
    if one.worker.host != os.uname().nodename or is_gone(one.worker):
        return False
    import psutil  # noqa: PLC0415  only doctor asks

    try:
        return psutil.Process(one.worker.pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _doing(alive: Sequence[SeenWorker]) -> str:
    busy, slots = sum(one.worker.running for one in alive), sum(one.worker.slots for one in alive)
    return f"{counted(len(alive), 'worker')}, {busy} of {counted(slots, 'slot')} busy"
