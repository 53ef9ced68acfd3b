"""Enqueue: ad-hoc jobs, one or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from queuectl.model.errors import ConflictError, UsageError
from queuectl.model.job import Job
from queuectl.model.spec import JobSpec
from queuectl.model.states import JobState
from queuectl.rules.limits import check_job, check_key
from queuectl.rules.making import job_of
from queuectl.service.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to enqueue."""

    spec: JobSpec
    """Without a schedule. A `cwd` of None is the current folder."""
    key: str | None = None
    run_at_ms: int | None = None
    """Beats the spec's own; None is at once."""
    place: str | None = None
    """Where it was asked for, for errors: `line 3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """A job that is in the queue now."""

    job: Job
    created: bool
    """False: its key was there already, with the same command."""


def enqueue(ctx: Context, spec: JobSpec, *, key: str | None = None, run_at_ms: int | None = None) -> Enqueued:
    """Nothing → pending, or scheduled where `run_at_ms` (else the spec's own) is in the future.

    A key that exists gives its job back. ConflictError when that one has another command; UsageError for a
    folder that isn't there or a command that can't be run.
    """
    return enqueue_all(ctx, [Request(spec=spec, key=key, run_at_ms=run_at_ms)])[0]


def enqueue_all(ctx: Context, requests: Iterable[Request]) -> list[Enqueued]:
    """Enqueue many jobs, all or none. All requests are read before the queue is locked."""
    folders: set[str] = set()
    checked: list[Request] = []
    for request in requests:
        with _placed(request):
            checked.append(_checked(request, folders))
    now = ctx.now()
    made: list[Enqueued] = []
    with ctx.store.transaction():
        for request in checked:
            with _placed(request):
                made.append(_enqueue(ctx, request, now))
    return made


@contextmanager
def _placed(request: Request) -> Iterator[None]:
    """Begin what is wrong with a request with its place."""
    try:
        yield
    except (UsageError, ConflictError) as error:
        raise type(error)(f"{request.place}: {error}" if request.place else str(error)) from None


def _checked(request: Request, folders: set[str]) -> Request:
    spec = request.spec
    if spec.schedule is not None:
        raise UsageError("schedule: an ad-hoc job runs once; put a schedule into a spec file and apply it")
    try:
        check_job(spec)
        if request.key is not None:
            check_key(request.key)
        cwd = spec.cwd or str(Path.cwd())
    except FileNotFoundError:
        raise UsageError("the current folder is gone; name another with --cwd") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if cwd not in folders and not Path(cwd).is_dir():
        raise UsageError(f"cwd: there is no folder {cwd}")
    folders.add(cwd)
    return Request(
        spec=replace(spec, cwd=cwd), key=request.key, run_at_ms=request.run_at_ms, place=request.place
    )


def _enqueue(ctx: Context, request: Request, now: int) -> Enqueued:
    run_at = max(now, request.run_at_ms or request.spec.run_at_ms or now)
    new = job_of(
        request.spec,
        ctx.config,
        version=None,
        state=JobState.SCHEDULED if run_at > now else JobState.PENDING,
        run_at=run_at,
        key=request.key,
    )
    if job := ctx.store.jobs.enqueue(new, now=now):
        return Enqueued(job=job, created=True)
    held = ctx.store.jobs.by_key(request.key or "")
    if held is None or held.frozen.command != request.spec.command:
        which = f"job {held.id}, which has another command" if held else "another job"
        raise ConflictError(f"the key '{request.key}' belongs to {which}; choose another key")
    return Enqueued(job=held, created=False)
