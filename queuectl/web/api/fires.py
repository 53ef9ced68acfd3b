"""Fires: the ledger of due instants, and those that are coming."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from queuectl.model.errors import UsageError
from queuectl.service import fires, views
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json, page, paged
from queuectl.web.api.reading import IdCursor, Limit, OfSpec, Since, instant_of, since_of
from queuectl.web.asking import Queue

router = APIRouter(prefix="/fires", tags=["fires"])


@router.get("", response_model=list[schemas.Fire], responses=paged("Due instants, newest first."))
def ledger(
    *,
    request: Request,
    ctx: Queue,
    spec: OfSpec = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: IdCursor = None,
) -> Response:
    """Return the ledger, newest first: every due instant of every schedule, and what became of it.

    That of one spec has a next page; many specs may be due at one instant, so that of all has not.
    """
    found = fires.ledger(ctx, spec, since=since_of(ctx, since), before=cursor, limit=limit + 1)
    following = found[limit - 1].due_at if spec and len(found) > limit else None
    return page(request, map(views.fire_view, found[:limit]), following)


@router.get("/coming", response_model=list[schemas.ComingFire])
def coming(
    ctx: Queue,
    specs: Annotated[
        list[str] | None, Query(alias="spec", description="Only of this spec; may be given again.")
    ] = None,
    count: Annotated[int, Query(ge=1, le=100, description="So many of each spec.")] = 1,
    start: Annotated[
        str | None,
        Query(alias="from", description="From then on; else from now.", examples=["2026-05-01T00:00:00Z"]),
    ] = None,
    limit: Limit = 50,
) -> Response:
    """Return the due instants that come next, soonest first. `from` goes with `spec`."""
    if specs:
        found = fires.coming(ctx, count=count, from_ms=instant_of(ctx, "from", start), specs=specs)[:limit]
    elif start is None:
        found = fires.soonest(ctx, count=count, limit=limit)
    else:
        raise UsageError("from: name the spec as well")
    return Json([views.coming_view(fire.spec, fire.due_at, fire.zone) for fire in found])
