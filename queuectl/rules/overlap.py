"""What a fire does while an earlier job of its spec is not finished."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queuectl.model.job import Job
from queuectl.model.states import BlockedBy, JobState, Overlap


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """How a fire goes on: with a job in `state`, or, when `state` is None, without one."""

    state: JobState | None
    reason: str | None = None
    blocked_by: BlockedBy | None = None
    cancel: tuple[int, ...] = ()
    """Ids of the jobs that it replaces."""


def meet(overlap: Overlap, unfinished: Sequence[Job], *, caught_up: bool, due: bool) -> Meeting:
    """Return how a fire goes on that finds these unfinished jobs of its spec.

    Caught-up jobs queue up instead of skipping each other. `due` is False for one that is to start later.
    """
    ready = JobState.PENDING if due else JobState.SCHEDULED
    if not unfinished or overlap is Overlap.ALLOW:
        return Meeting(state=ready)
    newest = unfinished[-1]
    if overlap is Overlap.REPLACE:
        blocking = any(job.state is JobState.PROCESSING for job in unfinished)
        return Meeting(
            state=JobState.BLOCKED if blocking else ready,
            reason=f"waits until job {newest.id} has stopped" if blocking else None,
            blocked_by=BlockedBy.SPEC if blocking else None,
            cancel=tuple(job.id for job in unfinished),
        )
    if overlap is Overlap.QUEUE or (caught_up and all(job.fire_at is not None for job in unfinished)):
        what = "of the same spec" if newest.spec == unfinished[0].spec else f"of its flow ({newest.spec})"
        return Meeting(
            state=JobState.BLOCKED,
            reason=f"waits for job {newest.id} {what}",
            blocked_by=BlockedBy.SPEC,
        )
    return Meeting(state=None, reason=f"job {newest.id} is still {newest.state}")
