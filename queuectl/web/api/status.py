"""Status: the queue at a glance."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from queuectl.service import views
from queuectl.service.status import status as status_of
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json
from queuectl.web.asking import Queue

router = APIRouter(prefix="/status", tags=["status"])


@router.get("", response_model=schemas.Status)
def status(ctx: Queue) -> Response:
    """Return how the queue stands."""
    return Json(views.status_view(status_of(ctx)))
