"""A job: everything about it, its attempts, its output, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from queuectl.model.errors import ConflictError
from queuectl.model.job import Attempt, Job
from queuectl.model.spec import BASH, DEFAULT_SHELL
from queuectl.model.states import FINAL, WAITING, JobState
from queuectl.rules.units import format_duration, format_size
from queuectl.service import bulk, jobs, views
from queuectl.service.flows import cancel_flow, flow_of
from queuectl.service.origin import drift_of, origin_of
from queuectl.service.why import why_job
from queuectl.web.asking import Queue, site_of
from queuectl.web.charts.attempts import attempts_chart
from queuectl.web.pages.acting import Elsewhere, Sure, There, act, ask_first
from queuectl.web.pages.log import peek
from queuectl.web.pages.render import page
from queuectl.web.pages.shown import command_text, linked, plural

router = APIRouter()

MOST_ATTEMPTS = 50
MOST_OF_FLOW = 50


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know of a job: text, or an instant."""

    name: str
    text: str = ""
    at: int | None = None
    code: bool = False


@router.get("/jobs/{job_id}")
def show(
    request: Request, ctx: Queue, job_id: int, attempt: Annotated[int | None, Query(ge=1, le=2**31)] = None
) -> HTMLResponse:
    """Show everything of a job."""
    job = jobs.as_it_says(ctx, jobs.get_job(ctx, job_id))
    found = ctx.store.attempts.latest_of_job(job.id, limit=MOST_ATTEMPTS)
    flow = None if job.flow is None else flow_of(ctx, job)
    now = ctx.now()
    return page(
        request,
        "job.html",
        job=job,
        facts=list(_facts(job)),
        env=list(_env(job)),
        why=None if job.state is JobState.PROCESSING or job.state in FINAL else why_job(ctx, job),
        attempts=[_attempt(one, now) for one in found],
        chart=attempts_chart(found[::-1], job.created_at, now) if found else "",
        origin=origin_of(ctx, job),
        drift=drift_of(ctx, job),
        flow=flow,
        critical=set(flow.critical_path) if flow else (),
        most_of_flow=MOST_OF_FLOW,
        linked=linked,
        log=peek(request, ctx, job, attempt),
        may_cancel=job.state not in FINAL and job.cancel_requested_at is None,
        may_retry=job.state in {JobState.DEAD, JobState.CANCELLED, JobState.FAILED},
        may_repeat=job.state is JobState.COMPLETED,
        is_over=job.state in FINAL,
    )


@router.post("/jobs/{job_id}/cancel")
def cancel(request: Request, ctx: Queue, job_id: int, there: There = "") -> Response:
    """Stop a job, waiting or running."""

    def ask() -> str:
        job = jobs.cancel(ctx, jobs.get_job(ctx, job_id))
        return f"job {job.id} is cancelled" if job.finished_at else f"job {job.id}: its worker is stopping it"

    return act(request, there, ask)


@router.post("/jobs/{job_id}/retry")
def retry(
    request: Request, ctx: Queue, job_id: int, there: There = "", as_was: Annotated[bool, Form()] = False
) -> Response:
    """Run a job again, as it is now or as it was; a completed one as a new job, which is then shown."""

    def again() -> str | Elsewhere:
        made = jobs.retry(ctx, jobs.get_job(ctx, job_id), as_was=as_was)
        if made.id == job_id:
            return f"job {job_id} is {made.state}"
        text = f"job {made.id} runs job {job_id} again"
        return Elsewhere(text, f"{site_of(request).base_path}/jobs/{made.id}")

    return act(request, there, again)


@router.post("/jobs/{job_id}/cancel-flow")
def cancel_whole_flow(
    request: Request, ctx: Queue, job_id: int, there: There = "", sure: Sure = False
) -> Response:
    """Cancel every job of a flow that isn't over."""
    if not sure:
        question = f"Cancel all jobs of the flow of job {job_id} that are not over?"
        return ask_first(request, question, "Cancel them", next=there)

    def stop() -> str:
        cancelled = cancel_flow(ctx, jobs.get_job(ctx, job_id))
        return f"{plural(len(cancelled), 'job')} cancelled"

    return act(request, there, stop)


@router.post("/jobs/{job_id}/delete")
def delete(request: Request, ctx: Queue, job_id: int, there: There = "", sure: Sure = False) -> Response:
    """Delete a job that is over, its attempts and its output."""
    if not sure:
        return ask_first(request, f"Delete job {job_id} for good?", "Delete", next=there)

    def forget() -> Elsewhere:
        came = bulk.delete(ctx, [job_id])
        if came.refused:
            raise ConflictError(came.refused[0])
        return Elsewhere(f"job {job_id} deleted", f"{site_of(request).base_path}/jobs")

    return act(request, there, forget)


def _facts(job: Job) -> Iterator[Fact]:
    found = (*_what(job), *_how(job), *_times(job))
    return (fact for fact in found if fact.text or fact.at is not None)


def _what(job: Job) -> Iterator[Fact]:
    frozen = job.frozen
    shell = None if isinstance(frozen.command, tuple) or frozen.shell == DEFAULT_SHELL else frozen.shell
    yield Fact(name="Key", text=job.key or "")
    yield Fact(name="Description", text=frozen.description or "")
    yield Fact(name="Owner", text=frozen.owner or "")
    yield Fact(name="Labels", text=_pairs(frozen.labels))
    yield Fact(name="Command", text=command_text(frozen.command), code=True)
    yield Fact(
        name="Shell",
        text="" if shell is None else "bash" if shell == BASH else command_text(shell),
        code=True,
    )
    yield Fact(name="Folder", text=frozen.cwd or "", code=True)
    yield Fact(name="User", text=frozen.user or "")
    yield Fact(name="Params", text=_pairs(frozen.arguments), code=True)
    yield Fact(name="Env files", text="\n".join(frozen.env_file), code=True)


def _how(job: Job) -> Iterator[Fact]:
    frozen = job.frozen
    failed = f"{job.failures} of {job.max_retries + 1} tries failed"
    yield Fact(name="Queue", text=f"{job.queue}, priority {job.priority}")
    yield Fact(name="Retries", text=failed if job.failures else str(job.max_retries))
    yield Fact(name="Workers lost", text=str(job.losses or ""))
    yield Fact(name="Timeout", text=_duration(frozen.timeout_ms))
    yield Fact(name="Kill after", text=_duration(frozen.kill_after_ms))
    yield Fact(name="Needs", text=", ".join(map(str, frozen.needs)))
    yield Fact(name="Concurrency", text=_concurrency(job))
    yield Fact(name="Worker", text=job.worker or "", code=True)
    yield Fact(name="Exit code", text="" if job.exit_code is None else str(job.exit_code))


def _times(job: Job) -> Iterator[Fact]:
    waits = job.state in WAITING
    yield Fact(name="Made", at=job.created_at)
    yield Fact(name="Fire", at=job.fire_at)
    yield Fact(name="Due" if job.attempt == 0 else "Next try", at=job.run_at if waits else None)
    yield Fact(name="Too late", at=None if job.attempt else job.expires_at)
    yield Fact(name="Cancel asked for", at=job.cancel_requested_at)
    yield Fact(name="Changed", at=job.updated_at)
    yield Fact(name="Finished", at=job.finished_at)


def _env(job: Job) -> Iterator[tuple[str, str]]:
    for name, value in views.masked(job.frozen.env).items():
        yield name, _pairs(value) if isinstance(value, dict) else str(value)


def _attempt(attempt: Attempt, now: int) -> dict[str, Any]:
    end = now if attempt.finished_at is None else attempt.finished_at
    memory = attempt.max_rss_kib
    return {
        "attempt": attempt,
        "exit": attempt.signal or ("" if attempt.exit_code is None else attempt.exit_code),
        "took": max(0, end - attempt.started_at) if attempt.duration_ms is None else attempt.duration_ms,
        "memory": None if memory is None else format_size(memory * 1024),
        "output": format_size(attempt.output_bytes) if attempt.output_bytes else None,
    }


def _concurrency(job: Job) -> str:
    found = job.frozen.concurrency
    return "" if found is None else f"{found.key}, {found.limit} at once, else {found.on_conflict}"


def _duration(ms: int | str | None) -> str:
    return format_duration(ms) if isinstance(ms, int) else ms or ""


def _pairs(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values.items())
