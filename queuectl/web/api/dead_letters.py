"""Dead letters: the jobs that failed for good."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from queuectl.rules.shapes import job_view
from queuectl.service import dead_letters
from queuectl.service.filters import check_spec
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json, page, paged
from queuectl.web.api.jobs import shown
from queuectl.web.api.reading import IdCursor, JobName, Limit, OfQueue, OfSpec, duration_of
from queuectl.web.asking import Queue

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])


@router.get("", response_model=list[schemas.Job], responses=paged("Dead jobs, newest first."))
def list_dead(
    *,
    request: Request,
    ctx: Queue,
    spec: OfSpec = None,
    queue: OfQueue = None,
    limit: Limit = 50,
    cursor: IdCursor = None,
) -> Response:
    """List the dead jobs, newest first."""
    check_spec(ctx, spec)
    found = dead_letters.list_dead(ctx, spec=spec, queue=queue, before_id=cursor, limit=limit + 1)
    return page(request, map(job_view, found[:limit]), found[limit - 1].id if len(found) > limit else None)


@router.post("/retry", response_model=schemas.Retried)
def retry_all(ctx: Queue, asked: Annotated[schemas.RetryAll | None, Body()] = None) -> Response:
    """Send all dead jobs, or those of a spec or queue, back to pending, with their specs as they are now."""
    asked = asked or schemas.RetryAll()
    check_spec(ctx, asked.spec)
    count = dead_letters.retry_all(ctx, spec=asked.spec, queue=asked.queue, as_was=asked.as_was)
    return Json({"retried": count})


@router.delete("", response_model=schemas.Deleted)
def clear(
    ctx: Queue,
    queue: OfQueue = None,
    older_than: Annotated[
        str | None, Query(description="Died at least so long ago.", examples=["90d"])
    ] = None,
) -> Response:
    """Forget all dead jobs, or those of a queue or an age, with their attempts and output. For good."""
    age = duration_of("older_than", older_than)
    return Json({"deleted": dead_letters.clear(ctx, queue=queue, older_than_ms=age or 0)})


@router.get("/{job}", response_model=schemas.JobDetail)
def get_dead(ctx: Queue, name: JobName) -> Response:
    """Return everything of a dead job but the output of its attempts."""
    return shown(ctx, dead_letters.find(ctx, name))


@router.post("/{job}/retry", response_model=schemas.Job)
def retry(ctx: Queue, name: JobName, asked: Annotated[schemas.Retry | None, Body()] = None) -> Response:
    """Send a dead job back to pending with no failures counted, with its spec as it is now."""
    dead = dead_letters.find(ctx, name)
    (again,) = dead_letters.retry(ctx, [dead], as_was=asked.as_was if asked else False)
    return Json(job_view(again))


@router.delete("/{job}", status_code=HTTPStatus.NO_CONTENT)
def delete(ctx: Queue, name: JobName) -> None:
    """Forget a dead job, with its attempts and their output."""
    dead_letters.forget(ctx, [dead_letters.find(ctx, name)])
