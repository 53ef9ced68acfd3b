"""Workers: who is there."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from queuectl.service import views
from queuectl.service.workers import list_workers
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json
from queuectl.web.asking import Queue

router = APIRouter(prefix="/workers", tags=["workers"])


@router.get("", response_model=list[schemas.Worker])
def workers(ctx: Queue) -> Response:
    """List the registered workers, oldest first."""
    return Json([views.worker_view(seen) for seen in list_workers(ctx)])
