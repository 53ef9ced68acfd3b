"""Jobs: list, look at, enqueue, cancel, retry and forget them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Header, Query, Request
from starlette.responses import Response

from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.rules.shapes import job_view
from queuectl.service import flows, jobs, views
from queuectl.service.context import Context
from queuectl.service.enqueue_from_afar import enqueue_object
from queuectl.service.filters import check_spec
from queuectl.service.why import why_job
from queuectl.store.listing import JobFilter
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json, job_address, page, paged
from queuectl.web.api.reading import (
    IdCursor,
    JobName,
    JsonObject,
    Labels,
    Limit,
    OfQueue,
    OfSpec,
    Since,
    duration_of,
    labels_of,
    since_of,
)
from queuectl.web.asking import Queue

router = APIRouter(prefix="/jobs", tags=["jobs"])

States = Annotated[
    list[JobState] | None,
    Query(
        alias="state",
        description="Only jobs in this state; may be given again.",
        examples=[["dead", "failed"]],
    ),
]
_LOCATION = {"description": "Where the job is.", "schema": {"type": "string"}}
_MADE = {"description": "A new job.", "model": schemas.Job, "headers": {"Location": _LOCATION}}
_THERE = {"description": "The job that holds this key already.", "headers": {"Location": _LOCATION}}


@router.get("", response_model=list[schemas.Job], responses=paged("Jobs, newest first."))
def list_jobs(
    *,
    request: Request,
    ctx: Queue,
    states: States = None,
    spec: OfSpec = None,
    queue: OfQueue = None,
    labels: Labels = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: IdCursor = None,
) -> Response:
    """List jobs, newest first. A page may be shorter than its limit: go on as long as there is a next one."""
    check_spec(ctx, spec)
    wanted = JobFilter(
        states=states or None, spec=spec, queue=queue, since=since_of(ctx, since), before_id=cursor
    )
    found = jobs.list_page(ctx, wanted, labels=labels_of(labels), limit=limit)
    return page(request, map(job_view, found.jobs), found.before_id)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=schemas.Job,
    responses={200: {**_THERE, "model": schemas.Job}, 201: _MADE},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewJob"}}},
        }
    },
)
def enqueue(
    *,
    request: Request,
    ctx: Queue,
    fields: JsonObject,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="The job's key: however often this is sent, there is one job.",
        ),
    ] = None,
    delay: Annotated[str | None, Query(description="Run so much later.", examples=["15m"])] = None,
    needs: Annotated[
        list[str] | None,
        Query(description="Run when this job has completed; may be given again.", examples=[["12"]]),
    ] = None,
) -> Response:
    """Put an ad-hoc job in the queue.

    The fields are those of a spec file, as with `queuectl enqueue '{…}'`. Over HTTP there is no current folder: `cwd`,
    where it is left out, is the home folder of the user that the dashboard runs as (as with cron), and relative paths
    are below that one. A key that exists already returns its job (200); with another command it is a conflict (409).
    """
    made = enqueue_object(
        ctx, fields, key=key, delay_ms=duration_of("delay", delay), needs=tuple(needs or ())
    )
    return Json(
        job_view(made.job),
        HTTPStatus.CREATED if made.created else HTTPStatus.OK,
        headers={"location": job_address(request, made.job.id)},
    )


@router.get("/{job}", response_model=schemas.JobDetail)
def get_job(ctx: Queue, name: JobName) -> Response:
    """Return everything of a job but the output of its attempts."""
    return shown(ctx, jobs.find(ctx, name))


@router.get("/{job}/why", response_model=schemas.Why)
def why(ctx: Queue, name: JobName) -> Response:
    """Say why a job does not run just now, and what would change it."""
    return Json(msgspec.to_builtins(why_job(ctx, jobs.find(ctx, name))))


@router.get("/{job}/flow", response_model=schemas.Flow)
def flow(ctx: Queue, name: JobName) -> Response:
    """Return the flow that a job is part of: each of its jobs, with what it needs."""
    return Json(views.flow_view(flows.flow_of(ctx, jobs.find(ctx, name))))


@router.post("/{job}/cancel", response_model=schemas.Job)
def cancel(ctx: Queue, name: JobName, asked: Annotated[schemas.Cancel | None, Body()] = None) -> Response:
    """Stop a job: a waiting one is cancelled, a running one is stopped by its worker."""
    job = jobs.cancel(ctx, jobs.find(ctx, name), reason=asked.reason if asked else None)
    return Json(job_view(job))


@router.post("/{job}/retry", response_model=schemas.Job)
def retry(
    request: Request, ctx: Queue, name: JobName, asked: Annotated[schemas.Retry | None, Body()] = None
) -> Response:
    """Run a job again.

    A dead or cancelled one goes back to pending, with its spec as it is now; a failed one stops waiting for its
    backoff; of a completed one a new job is made, which is returned.
    """
    again = jobs.retry(ctx, jobs.find(ctx, name), as_was=asked.as_was if asked else False)
    return Json(job_view(again), headers={"location": job_address(request, again.id)})


@router.delete("/{job}", status_code=HTTPStatus.NO_CONTENT)
def delete(ctx: Queue, name: JobName) -> None:
    """Forget a job that is completed, dead or cancelled, with its attempts and their output."""
    jobs.forget(ctx, [jobs.find(ctx, name)])


def shown(ctx: Context, job: Job) -> Response:
    """Show everything of a job, as `queuectl get` does."""
    job = jobs.as_it_says(ctx, job)
    why_it_is_so = msgspec.to_builtins(why_job(ctx, job))
    return Json({**views.job_detail(job, jobs.attempts(ctx, job)), "why": why_it_is_so})
