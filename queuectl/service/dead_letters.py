"""The dead letter queue: the jobs that failed for good, until somebody retries or clears them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from queuectl.model.errors import ConflictError
from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.service import jobs
from queuectl.service.context import Context
from queuectl.store.listing import JobFilter

DEAD = frozenset({JobState.DEAD})


def list_dead(
    ctx: Context,
    *,
    spec: str | None = None,
    queue: str | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Job]:
    """Return the dead jobs, newest first; with `before_id` only older ones than that."""
    wanted = JobFilter(states=DEAD, spec=spec, queue=queue, before_id=before_id)
    return ctx.store.jobs.list(wanted, limit=limit)


def find(ctx: Context, text: str) -> Job:
    """Return the dead job that `text` names, as `jobs.find` does. ConflictError when it is there but not dead."""
    return _dead(jobs.find(ctx, text))


def retry(ctx: Context, dead: Iterable[Job], *, as_was: bool = False) -> list[Job]:
    """Dead → pending with failures at 0, all or none. ConflictError when one isn't dead (any more)."""
    with ctx.store.transaction():
        return [jobs.retry(ctx, _dead(jobs.current(ctx, job)), as_was=as_was) for job in dead]


def retry_all(
    ctx: Context, *, spec: str | None = None, queue: str | None = None, as_was: bool = False
) -> int:
    """Dead → pending, all that are dead now, in batches. Returns how many."""
    wanted, retried = JobFilter(states=DEAD, spec=spec, queue=queue), 0
    while True:
        with ctx.store.transaction():
            batch = ctx.store.jobs.list(wanted, limit=jobs.BATCH)
            retry(ctx, batch, as_was=as_was)
        retried += len(batch)
        if len(batch) < jobs.BATCH:
            return retried
        wanted = replace(wanted, before_id=batch[-1].id)  # what died again meanwhile isn't chased


def clear(ctx: Context, *, older_than_ms: int = 0, queue: str | None = None) -> int:
    """Forget the dead jobs that died so long ago, with their attempts and outputs. Returns how many."""
    return jobs.purge(ctx, DEAD, older_than_ms=older_than_ms, queue=queue)


def forget(ctx: Context, dead: Iterable[Job]) -> int:
    """Forget dead jobs as `jobs.forget` does. Returns how many. ConflictError when one isn't dead (any more)."""
    return jobs.forget(ctx, dead, states=DEAD)


def _dead(job: Job) -> Job:
    if job.state is not JobState.DEAD:
        raise ConflictError(f"job {job.id} is {job.state}, not in the dead letter queue")
    return job
