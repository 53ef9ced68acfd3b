"""Many jobs at once: what can be done is done, and of the rest it is said why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from queuectl.model.errors import ConflictError, QueuectlError, UnknownError, UsageError
from queuectl.model.job import Job
from queuectl.model.states import FINAL
from queuectl.service import jobs
from queuectl.service.context import Context


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    done: int
    refused: Sequence[str]
    """Of each of the others, why."""


def cancel(ctx: Context, ids: Sequence[int]) -> Done:
    """Cancel each job that isn't over."""
    return _each(ctx, ids, lambda job: jobs.cancel(ctx, job))


def retry(ctx: Context, ids: Sequence[int]) -> Done:
    """Run each job again that is over or waits for a retry, with its spec as it is now."""
    return _each(ctx, ids, lambda job: jobs.retry(ctx, job))


def delete(ctx: Context, ids: Sequence[int]) -> Done:
    """Forget each job that is over, its attempts and its output."""
    done, refused = 0, list[str]()
    for batch in _batches(ids):
        with ctx.store.transaction():
            found = [ctx.store.jobs.get(job_id) for job_id in batch]
            over = [job for job in found if job is not None and job.state in FINAL]
            refused += [
                f"job {job.id} is {job.state}; cancel it first"
                for job in found
                if job and job.state not in FINAL
            ]
        try:
            done += jobs.forget(ctx, over)
        except (ConflictError, UnknownError) as error:  # one of them has just been retried, or purged
            refused.append(str(error))
    return Done(done=done, refused=refused)


def _each(ctx: Context, ids: Sequence[int], act: Callable[[Job], object]) -> Done:
    done, refused = 0, list[str]()
    for batch in _batches(ids):
        with ctx.store.transaction():
            for job_id in batch:
                try:
                    act(jobs.get_job(ctx, job_id))
                    done += 1
                except (ConflictError, UnknownError, UsageError) as error:
                    refused.append(_first_line(error))
    return Done(done=done, refused=refused)


def _batches(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[at : at + jobs.BATCH] for at in range(0, len(ids), jobs.BATCH))


def _first_line(error: QueuectlError) -> str:
    return str(error).partition("\n")[0]
