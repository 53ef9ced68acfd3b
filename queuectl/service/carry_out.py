"""Carrying a plan out: specs are written, schedules settled, waiting jobs brought up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queuectl.engine.flows import grow
from queuectl.model.errors import ConflictError
from queuectl.model.job import Job, NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import WAITING, BlockedBy, JobState
from queuectl.rules.freeze import freeze
from queuectl.rules.identity import digest
from queuectl.rules.making import job_of
from queuectl.rules.once import Step
from queuectl.rules.params import with_arguments_of
from queuectl.rules.plan import Plan, PlannedSpec
from queuectl.service.context import Context
from queuectl.service.specs import prune, settle
from queuectl.store.specs import WrittenSpec

_MAKING = frozenset({Step.NEW, Step.FOLLOW})


def carry_out(ctx: Context, found: Plan, apply_id: int, now: int) -> dict[str, int]:
    """Do what was planned from what the queue holds now, inside the caller's transaction.

    Returns the versions of what was written, by name. Orphans are marked apart from this: that they aren't in the
    files changes nothing that runs.
    """
    specs = ctx.store.specs
    for planned in found.updated:
        if planned.is_moved_only:
            specs.move(planned.name, source=found.source, file=planned.file)
    changed = [_settled(ctx, planned, now) for planned in found.updated if not planned.is_moved_only]
    written = [*found.created, *changed]
    versions = specs.write_all(
        [_row(one) for one in written], source=found.source, apply_id=apply_id, now=now
    )
    _bring_up_to_date(ctx, changed, versions, now)
    _make(ctx, [one for one in written if one.job.step in _MAKING], versions, now)
    for planned in written:
        if planned.job.step not in _MAKING:
            _change(ctx, planned, versions[planned.name], now)
    for name in found.pruned:
        if stored := specs.get(name):
            prune(ctx, stored, now=now)
    return versions


def _row(planned: PlannedSpec) -> WrittenSpec:
    return WrittenSpec(
        spec=planned.spec,
        file=planned.file,
        next_due_at=planned.next_due_at,
        next_fire_at=planned.next_fire_at,
    )


def _settled(ctx: Context, planned: PlannedSpec, now: int) -> PlannedSpec:
    """Fire what has come due for a spec as it was, before it fires at other times or not at all."""
    held = planned.held
    if held is None or not (planned.is_retimed or held.spec.paused != planned.spec.paused):
        return planned
    settle(ctx, held, now=now)
    return _after_settling(ctx, planned)


def _after_settling(ctx: Context, planned: PlannedSpec) -> PlannedSpec:
    """Take over how far the schedule has moved, unless its instants are others from now on."""
    settled = ctx.store.specs.get(planned.name)
    return planned if settled is None or planned.is_retimed else planned.with_next_due(settled.next_due_at)


def _bring_up_to_date(
    ctx: Context, changed: Sequence[PlannedSpec], versions: Mapping[str, int], now: int
) -> None:
    """Let the waiting jobs of changed specs do what these say now."""
    busy = ctx.store.specs.with_open_jobs([planned.name for planned in changed])
    for planned in changed:
        if planned.spec.schedule is None:
            ctx.store.specs.resume(planned.name)  # what was paused by hand was a schedule
        if planned.name in busy:
            _refreeze_waiting(ctx, planned, versions[planned.name], now)


def _refreeze_waiting(ctx: Context, planned: PlannedSpec, version: int, now: int) -> None:
    """Bring the waiting jobs of a spec up to date; one that waits for its `run_at` has none any more."""
    for job in ctx.store.jobs.open_of_spec(planned.name):
        if job.state not in WAITING:
            continue
        if planned.spec.schedule and job.state is JobState.SCHEDULED and job.frozen.run_at_ms is not None:
            ctx.store.jobs.cancel(job.id, reason="its spec has a schedule now", now=now)
        elif frozen := _refrozen(ctx, planned.spec, job):
            ctx.store.jobs.refreeze(job.id, frozen, version, run_at=None, now=now)


def _refrozen(ctx: Context, spec: JobSpec, job: Job) -> JobSpec | None:
    """What a waiting job runs from now on; None where the spec wants parameters that it was not given."""
    try:
        return freeze(with_arguments_of(spec, job.frozen), ctx.config)
    except ValueError:
        return None


def _make(ctx: Context, planned: Sequence[PlannedSpec], versions: Mapping[str, int], now: int) -> None:
    """Make the jobs of specs without a schedule, and remember what they are for."""
    news = [_new_job(ctx, one, versions[one.name], now) for one in planned]
    ids = ctx.store.specs.make_jobs(news, now=now)
    grow(ctx.store, ctx.config, [(spec, job_id) for (spec, _), job_id in ids.items()], now=now)
    ctx.store.specs.mark_all_done([(one.name, digest(one.spec), ids[one.name, None]) for one in planned])


def _new_job(ctx: Context, planned: PlannedSpec, version: int, now: int) -> NewJob:
    step = planned.job
    ready = JobState.SCHEDULED if step.waits else JobState.PENDING
    follows = step.step is Step.FOLLOW
    return job_of(
        planned.spec,
        ctx.config,
        version=version,
        state=JobState.BLOCKED if follows else ready,
        run_at=step.run_at or now,
        reason=f"waits for job {step.job_id} of the same spec" if follows else None,
        blocked_by=BlockedBy.SPEC if follows else None,
    )


def _change(ctx: Context, planned: PlannedSpec, version: int, now: int) -> None:
    """Let the last job of a spec without a schedule do what this says now, and remember it."""
    step, jobs = planned.job, ctx.store.jobs
    if step.job_id is None:
        return
    frozen = freeze(planned.spec, ctx.config)
    if step.step is Step.RETRY:
        jobs.retry(step.job_id, frozen, version, now=now)
    if jobs.refreeze(step.job_id, frozen, version, run_at=step.run_at, now=now) is None:
        raise ConflictError(f"spec '{planned.name}': its job was changed meanwhile; run the command again")
    ctx.store.specs.mark_done(planned.name, digest=digest(planned.spec), job_id=step.job_id)
