"""The overview: how the queue stands, what it did, and what comes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from queuectl.model.states import JobState
from queuectl.service.activity import Span, activity
from queuectl.service.ahead import ahead
from queuectl.service.jobs import list_jobs
from queuectl.service.status import status
from queuectl.store.listing import JobFilter
from queuectl.web.asking import Queue
from queuectl.web.charts.activity import durations, throughput
from queuectl.web.charts.timeline import timeline
from queuectl.web.pages.render import page

router = APIRouter()

_FAILED = frozenset({JobState.FAILED, JobState.DEAD})
_FAILED_SHOWN = 8


@router.get("/")
def overview(request: Request, ctx: Queue, span: Span = "hour") -> HTMLResponse:
    """Show the queue at a glance."""
    base = request.app.state.site.base_path
    now = ctx.now()
    lanes, done = ahead(ctx), activity(ctx, span)
    return page(
        request,
        "overview.html",
        status=status(ctx),
        activity=done,
        throughput=throughput(done),
        durations=durations(done),
        lanes=lanes,
        timeline=timeline(lanes, now, base),
        failed=list_jobs(ctx, JobFilter(states=_FAILED), limit=_FAILED_SHOWN),
    )
