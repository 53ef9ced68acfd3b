"""Specs: list and look at them, run one now, pause and resume their schedules."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from queuectl.rules.shapes import job_view
from queuectl.service import specs, views
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json, job_address, page, paged
from queuectl.web.api.reading import Labels, Limit, SpecName, instant_of, labels_of
from queuectl.web.asking import Queue

router = APIRouter(prefix="/specs", tags=["specs"])

_LOCATION = {"description": "Where the job is.", "schema": {"type": "string"}}


@router.get("", response_model=list[schemas.Spec], responses=paged("Specs by name."))
def list_specs(
    *,
    request: Request,
    ctx: Queue,
    source: Annotated[
        str | None, Query(description="Only of this source.", examples=["infra/jobs.d"])
    ] = None,
    labels: Labels = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None,
        Query(description="Where the page begins: what the Link header of the page before says."),
    ] = None,
) -> Response:
    """List specs by name. A page may be shorter than its limit: go on as long as there is a next one."""
    found = specs.list_page(ctx, source=source, labels=labels_of(labels), after=cursor or "", limit=limit)
    zone = ctx.config.timezone
    return page(request, (views.spec_view(stored, zone=zone) for stored in found.specs), found.after)


@router.get("/{spec}", response_model=schemas.SpecDetail)
def get_spec(ctx: Queue, name: SpecName) -> Response:
    """Return everything of a spec."""
    return Json(views.spec_detail(specs.get_spec(ctx, name), zone=ctx.config.timezone))


@router.post(
    "/{spec}/trigger",
    status_code=HTTPStatus.CREATED,
    response_model=schemas.Job,
    responses={201: {"description": "A new job.", "headers": {"Location": _LOCATION}}},
)
def trigger(
    request: Request, ctx: Queue, name: SpecName, asked: Annotated[schemas.Trigger | None, Body()] = None
) -> Response:
    """Make a job of a spec now, whatever its schedule says, and also when it is paused."""
    asked = asked or schemas.Trigger()
    (job,) = specs.trigger(ctx, [name], arguments=asked.params, at=instant_of(ctx, "at", asked.at))
    return Json(job_view(job), HTTPStatus.CREATED, headers={"location": job_address(request, job.id)})


@router.post("/{spec}/pause", response_model=schemas.SpecDetail)
def pause(ctx: Queue, name: SpecName, asked: Annotated[schemas.Pause | None, Body()] = None) -> Response:
    """Let a schedule make no jobs until it is resumed; what it would have made meanwhile is not caught up."""
    stored = specs.pause(ctx, name, reason=asked.reason if asked else None)
    return Json(views.spec_detail(stored, zone=ctx.config.timezone))


@router.post("/{spec}/resume", response_model=schemas.SpecDetail)
def resume(ctx: Queue, name: SpecName) -> Response:
    """Let a schedule make jobs again."""
    return Json(views.spec_detail(specs.resume(ctx, name), zone=ctx.config.timezone))
