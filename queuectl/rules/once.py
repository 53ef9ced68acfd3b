"""When a spec without a schedule runs: once for what it does, and again when that changes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from queuectl.model.job import Job
from queuectl.model.spec import JobSpec
from queuectl.model.states import WAITING, JobState
from queuectl.rules.identity import digest
from queuectl.rules.instants import format_instant
from queuectl.rules.params import has_to_be_set


class Step(StrEnum):
    """What an apply does about a spec's job."""

    NONE = "none"
    NEW = "new"
    """Nothing → pending, or scheduled where `run_at` is in the future."""
    FOLLOW = "follow"
    """Nothing → blocked, until the job that runs is over."""
    UPDATE = "update"
    """Waiting: the last job does from now on what the spec says."""
    RETRY = "retry"
    """Dead or cancelled → pending, to do what the spec says now."""


class JobStep(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a spec's job."""

    step: Step
    job_id: int | None = None
    """The last job of the spec, which it is updated in, follows, or goes back to."""
    run_at: int | None = None
    """The due time that is set; None leaves the one that the job has."""
    waits: bool = False
    """`run_at` is in the future."""

    def __str__(self) -> str:
        """Say it for people; empty where nothing is done."""
        when = f" at {format_instant(self.run_at)}" if self.waits and self.run_at else ""
        match self.step:
            case Step.NEW:
                return f"runs once{when or ' now'}"
            case Step.FOLLOW:
                return f"runs once{when}, after job {self.job_id} which runs now"
            case Step.UPDATE:
                return f"job {self.job_id}, which waits, is updated"
            case Step.RETRY:
                return f"job {self.job_id} goes back to {'scheduled' if when else 'pending'}{when}"
        return ""


NO_STEP = JobStep(step=Step.NONE)


def step_of(spec: JobSpec, *, done: str | None, last: Job | None, now: int) -> JobStep:
    """Decide what an apply of `spec` does about its job.

    `done` is the digest of what its last job was made for; `last` is that job, None when there is none or when it
    was purged. A paused spec makes no job, but one that waits already is kept up to date.
    """
    if spec.schedule is not None or spec.needs or has_to_be_set(spec) or done == digest(spec):
        return NO_STEP
    run_at, waits = max(now, spec.run_at_ms or now), (spec.run_at_ms or 0) > now
    if last is not None and last.state in WAITING:
        moved = last.frozen.run_at_ms != spec.run_at_ms
        return JobStep(step=Step.UPDATE, job_id=last.id, run_at=run_at if moved else None, waits=waits)
    if spec.paused:
        return NO_STEP
    if last is None or last.state is JobState.COMPLETED:
        return JobStep(step=Step.NEW, run_at=run_at, waits=waits)
    step = Step.FOLLOW if last.state is JobState.PROCESSING else Step.RETRY
    return JobStep(step=step, job_id=last.id, run_at=run_at, waits=waits)
