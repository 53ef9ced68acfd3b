"""The overview: how the queue stands."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from queuectl.service.status import status
from queuectl.web.asking import Queue
from queuectl.web.pages.render import page

router = APIRouter()


@router.get("/")
def overview(request: Request, ctx: Queue) -> HTMLResponse:
    """Show the queue at a glance."""
    return page(request, "overview.html", status=status(ctx), now=ctx.now())
