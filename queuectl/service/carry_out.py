"""Carrying a plan out: specs are written, schedules settled, waiting jobs brought up to date."""

from __future__ import annotations

from queuectl.model.errors import ConflictError
from queuectl.model.job import Job
from queuectl.model.states import WAITING, JobState
from queuectl.rules.freeze import freeze
from queuectl.rules.identity import digest
from queuectl.rules.making import job_of
from queuectl.rules.once import Step
from queuectl.rules.plan import Plan, PlannedSpec
from queuectl.service.context import Context
from queuectl.service.specs import prune, settle


def carry_out(ctx: Context, found: Plan, apply_id: int, now: int) -> None:
    """Do what was planned from what the queue holds now, inside the caller's transaction.

    Orphans are marked apart from this: that they aren't in the files changes nothing that runs.
    """
    specs = ctx.store.specs
    for planned in found.created:
        version = _write(ctx, planned, found.source, apply_id, now)
        _step(ctx, planned, version, now)
    for planned in found.updated:
        if planned.is_moved_only:
            specs.move(planned.name, source=found.source, file=planned.file)
        else:
            _update(ctx, planned, found.source, apply_id, now)
    for name in found.pruned:
        if stored := specs.get(name):
            prune(ctx, stored, now=now)


def _update(ctx: Context, planned: PlannedSpec, source: str, apply_id: int, now: int) -> None:
    held = planned.held
    if held is not None and (planned.is_retimed or held.spec.paused != planned.spec.paused):
        settle(ctx, held, now=now)
        planned = _after_settling(ctx, planned)
    version = _write(ctx, planned, source, apply_id, now)
    if planned.spec.schedule is None:
        ctx.store.specs.resume(planned.name)  # what was paused by hand was a schedule
    _refreeze_waiting(ctx, planned, version, now)
    _step(ctx, planned, version, now)


def _after_settling(ctx: Context, planned: PlannedSpec) -> PlannedSpec:
    """Take over how far the schedule has moved, unless its instants are others from now on."""
    settled = ctx.store.specs.get(planned.name)
    return planned if settled is None or planned.is_retimed else planned.with_next_due(settled.next_due_at)


def _write(ctx: Context, planned: PlannedSpec, source: str, apply_id: int, now: int) -> int:
    """Store a spec as it is now. Returns its version."""
    return ctx.store.specs.write(
        planned.spec,
        source=source,
        file=planned.file,
        apply_id=apply_id,
        next_due_at=planned.next_due_at,
        next_fire_at=planned.next_fire_at,
        now=now,
    )


def _refreeze_waiting(ctx: Context, planned: PlannedSpec, version: int, now: int) -> None:
    """Let the waiting jobs of a spec do what it says now; one that waits for its `run_at` has none any more."""
    frozen = freeze(planned.spec, ctx.config)
    for job in ctx.store.jobs.open_of_spec(planned.name):
        if job.state not in WAITING:
            continue
        if planned.spec.schedule and job.state is JobState.SCHEDULED and job.frozen.run_at_ms is not None:
            ctx.store.jobs.cancel(job.id, reason="its spec has a schedule now", now=now)
        else:
            ctx.store.jobs.refreeze(job.id, frozen, version, run_at=None, now=now)


def _step(ctx: Context, planned: PlannedSpec, version: int, now: int) -> None:
    """Do about the job of a spec without a schedule what was planned, and remember what it was for."""
    if planned.job.step is Step.NONE:
        return
    job = _made(ctx, planned, version, now) or _changed(ctx, planned, version, now)
    if job is None:
        raise ConflictError(f"spec '{planned.name}': its job was changed meanwhile; run the command again")
    ctx.store.specs.mark_done(planned.name, digest=digest(planned.spec), job_id=job.id)


def _made(ctx: Context, planned: PlannedSpec, version: int, now: int) -> Job | None:
    step = planned.job
    if step.step not in {Step.NEW, Step.FOLLOW}:
        return None
    ready = JobState.SCHEDULED if step.waits else JobState.PENDING
    follows = step.step is Step.FOLLOW
    new = job_of(
        planned.spec,
        ctx.config,
        version=version,
        state=JobState.BLOCKED if follows else ready,
        run_at=step.run_at or now,
        reason=f"waits for job {step.job_id} of the same spec" if follows else None,
    )
    return ctx.store.jobs.enqueue(new, now=now)


def _changed(ctx: Context, planned: PlannedSpec, version: int, now: int) -> Job | None:
    step, jobs = planned.job, ctx.store.jobs
    if step.job_id is None:
        return None
    frozen = freeze(planned.spec, ctx.config)
    if step.step is Step.RETRY:
        jobs.retry(step.job_id, frozen, version, now=now)
    return jobs.refreeze(step.job_id, frozen, version, run_at=step.run_at, now=now)
