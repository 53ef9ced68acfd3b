"""Flows: look at the jobs that belong together, and end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from queuectl.model.errors import ConflictError, UnknownError
from queuectl.model.flow import JobNeed, Times
from queuectl.model.job import Job
from queuectl.model.states import FINAL
from queuectl.rules.graph import critical_path
from queuectl.service.context import Context


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that one trigger made, and what each needs."""

    id: int
    jobs: Sequence[Job]
    """Oldest first."""
    needs: Mapping[int, Sequence[JobNeed]]
    """By job."""
    times: Mapping[int, Times]
    """Of those that have started."""

    @property
    def critical_path(self) -> Sequence[int]:
        """The chain of jobs that decided when the last of those that are over ended."""
        graph = {job: [need.needs_id for need in needs if need.needs_id] for job, needs in self.needs.items()}
        ends = {
            job.id: job.finished_at
            for job in self.jobs
            if job.finished_at is not None and job.id in self.times
        }
        return critical_path(graph, ends)

    @property
    def took_ms(self) -> int | None:
        """From the first start to the last end; None while something is open or nothing has started."""
        if not self.times or any(job.state not in FINAL for job in self.jobs):
            return None
        return max(job.finished_at or 0 for job in self.jobs) - min(
            one.started_at for one in self.times.values()
        )


def flow_of(ctx: Context, job: Job) -> Flow:
    """Return the flow that a job is part of. UnknownError where it is part of none."""
    if job.flow is None:
        raise UnknownError(f"job {job.id} is part of no flow: it needs no other job, and none needs it")
    with ctx.store.transaction():
        needs: dict[int, list[JobNeed]] = {}
        for need in ctx.store.flows.needs(job.flow):
            needs.setdefault(need.job_id, []).append(need)
        return Flow(
            id=job.flow,
            jobs=ctx.store.jobs.of_flow(job.flow),
            needs=needs,
            times=ctx.store.flows.times(job.flow),
        )


def count_needing(ctx: Context, job: Job) -> int:
    """Return how many jobs of the flow that a job began need others: none where it began none."""
    begun = ctx.store.jobs.get(job.id)
    if begun is None or begun.flow is None:
        return 0
    return len({need.job_id for need in ctx.store.flows.needs(begun.flow)})


def cancel_flow(ctx: Context, job: Job, *, reason: str | None = None) -> Sequence[Job]:
    """Cancel every job of a flow that isn't over, running ones too. Returns them.

    UnknownError for a job that is part of none; ConflictError when all are over.
    """
    if job.flow is None:
        raise UnknownError(f"job {job.id} is part of no flow; cancel it without --flow")
    why = reason or f"flow {job.flow} cancelled by {ctx.who}"
    with ctx.store.transaction():
        now = ctx.now()
        found = [
            ctx.store.jobs.cancel(one, reason=why, now=now) for one in ctx.store.flows.open_jobs(job.flow)
        ]
    cancelled = [one for one in found if one is not None]
    if not cancelled:
        raise ConflictError(f"flow {job.flow}: all of its jobs are over, so there is nothing to cancel")
    return cancelled
