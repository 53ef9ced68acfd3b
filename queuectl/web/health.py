"""Health: for whoever starts and stops the dashboard, or sends requests to it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from queuectl.web.asking import Queue

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"], include_in_schema=False)
async def healthz() -> Response:
    """Say that this process answers, whatever becomes of the queue."""
    return PlainTextResponse("ok\n")


@router.api_route("/readyz", methods=["GET", "HEAD"], include_in_schema=False)
def readyz(ctx: Queue) -> Response:
    """Say that the queue can be read; 503 says why it can't."""
    ctx.store.jobs.any_pending()
    return PlainTextResponse("ready\n")
