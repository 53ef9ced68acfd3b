"""Enqueue: ad-hoc jobs, one or many."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from queuectl.model.errors import ConflictError, UsageError
from queuectl.model.flow import JobNeed
from queuectl.model.job import Job, NewJob
from queuectl.model.spec import JobSpec
from queuectl.model.states import BlockedBy, JobState
from queuectl.rules.limits import check_job, check_key
from queuectl.rules.making import job_of
from queuectl.service.context import Context
from queuectl.store.flows import waits_for
from queuectl.store.jobs import as_made


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to enqueue."""

    spec: JobSpec
    """Without a schedule. A `cwd` of None is the current folder."""
    key: str | None = None
    run_at_ms: int | None = None
    """Beats the spec's own; None is at once."""
    needs: tuple[int, ...] = ()
    """Jobs that must complete first."""
    delay_ms: int | None = None
    """From when it is enqueued, instead of an instant."""
    place: str | None = None
    """Where it was asked for, for errors: `line 3`."""


class Enqueued(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job that is in the queue now."""

    job: Job
    created: bool
    """False: its key was there already, with the same command."""


def enqueue(
    ctx: Context,
    spec: JobSpec,
    *,
    key: str | None = None,
    run_at_ms: int | None = None,
    delay_ms: int | None = None,
    needs: tuple[int, ...] = (),
) -> Enqueued:
    """Nothing → pending, or scheduled where `run_at_ms` (else the spec's own) is in the future, or with a delay.

    Or blocked, until the jobs have completed that it `needs`.

    A key that exists gives its job back. ConflictError when that one has another command; UsageError for a
    folder that isn't there or a command that can't be run.
    """
    request = Request(spec=spec, key=key, run_at_ms=run_at_ms, delay_ms=delay_ms, needs=needs)
    if needs:
        return enqueue_all(ctx, [request])[0]
    checked = _checked(request, set())
    now = ctx.now()
    if job := ctx.store.jobs.enqueue(_new(ctx, request, checked, now), now=now):
        return Enqueued(job=job, created=True)
    return Enqueued(job=_held(ctx, request), created=False)


def enqueue_all(ctx: Context, requests: Iterable[Request]) -> list[Enqueued]:
    """Enqueue many jobs, all or none, in their order. All are read and checked before the queue is locked."""
    seen: set[str] = set()
    wanted = [(request, _checked(request, seen)) for request in requests]
    now = ctx.now()
    news = [_new(ctx, request, spec, now) for request, spec in wanted]
    with ctx.store.transaction():
        if needing := [at for at, (request, _) in enumerate(wanted) if request.needs]:
            flow_of = {at: _flow(ctx, wanted[at][0]) for at in needing}
            news = [
                _blocked(ctx, new, wanted[at][0], flow_of[at]) if at in flow_of else new
                for at, new in enumerate(news)
            ]
        ids = ctx.store.jobs.enqueue_many(news, now=now)
        needs = [
            need
            for at in needing
            if (job_id := ids[at]) is not None
            for need in _needs(ctx, wanted[at][0], job_id)
        ]
        ctx.store.jobs.need(needs, now=now)
        return [
            Enqueued(job=_held(ctx, request), created=False)
            if job_id is None
            else Enqueued(job=as_made(new, job_id, now), created=True)
            for (request, _), new, job_id in zip(wanted, news, ids, strict=True)
        ]


def _checked(request: Request, seen: set[str]) -> JobSpec:
    """Return the request's spec, its folder filled in, if an attempt could run it. Folders are looked at once."""
    spec = request.spec
    if spec.schedule is not None:
        advice = "an ad-hoc job runs once; put a schedule into a spec file and apply it"
        _refuse(request, UsageError(f"schedule: {advice}"))
    try:
        check_job(spec)
        if request.key is not None:
            check_key(request.key)
        folder = spec.cwd or os.getcwd()  # noqa: PTH109  Path takes five times as long
        if folder not in seen:
            if not os.path.isdir(folder):  # noqa: PTH112  as above
                _refuse(request, UsageError(f"cwd: there is no folder {folder}"))
            seen.add(folder)
    except FileNotFoundError:
        _refuse(request, UsageError("the current folder is gone; name another with --cwd"))
    except ValueError as error:
        _refuse(request, UsageError(str(error)))
    return spec if spec.cwd == folder else replace(spec, cwd=folder)


def _new(ctx: Context, request: Request, spec: JobSpec, now: int) -> NewJob:
    asked = request.run_at_ms or spec.run_at_ms if request.delay_ms is None else None
    run_at = max(now, asked or now) + (request.delay_ms or 0)
    return job_of(
        spec if spec.run_at_ms == asked else replace(spec, run_at_ms=asked),
        ctx.config,
        version=None,
        state=JobState.SCHEDULED if run_at > now else JobState.PENDING,
        run_at=run_at,
        key=request.key,
    )


def _flow(ctx: Context, request: Request) -> int:
    """Return the flow that a job belongs to which needs others: that of the first of them that is in one."""
    needed = [job for one in request.needs if (job := ctx.store.jobs.get(one))]
    if len(needed) < len(request.needs):
        _refuse(request, ConflictError("needs: a job that is needed was deleted meanwhile"))
    flow = next((job.flow for job in needed if job.flow is not None), needed[0].id)
    ctx.store.flows.add([job.id for job in needed], flow)
    return flow


def _needs(ctx: Context, request: Request, job_id: int) -> list[JobNeed]:
    needed = (ctx.store.jobs.get(one) for one in request.needs)
    return [
        JobNeed(job_id=job_id, needs_id=job.id, met=job.state is JobState.COMPLETED)
        for job in needed
        if job is not None
    ]


def _blocked(ctx: Context, new: NewJob, request: Request, flow: int) -> NewJob:
    unmet = [need for need in _needs(ctx, request, 0) if not need.met]
    if not unmet:
        return replace(new, flow=flow)
    return replace(
        new, flow=flow, state=JobState.BLOCKED, blocked_by=BlockedBy.NEEDS, reason=waits_for(unmet)
    )


def _held(ctx: Context, request: Request) -> Job:
    """Return the job that holds the request's key already. ConflictError when it is to run something else."""
    held = ctx.store.jobs.by_key(request.key or "")
    if held is None or held.frozen.command != request.spec.command:
        which = f"job {held.id}, which has another command" if held else "another job"
        _refuse(request, ConflictError(f"the key '{request.key}' belongs to {which}; choose another key"))
    return held


def _refuse(request: Request, error: UsageError | ConflictError) -> NoReturn:
    """Say what is wrong with a request, with its place at the head."""
    raise type(error)(f"{request.place}: {error}" if request.place else str(error)) from None
