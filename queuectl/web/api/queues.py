"""Queues: what is in them; pause and resume them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path
from starlette.responses import Response

from queuectl.service import queues, views
from queuectl.service.context import Context
from queuectl.web.api import schemas
from queuectl.web.api.answering import Json
from queuectl.web.asking import Queue

router = APIRouter(prefix="/queues", tags=["queues"])

QueueName = Annotated[
    str, Path(alias="queue", title="Queue", description="Name of a queue.", examples=["default"])
]


@router.get("", response_model=list[schemas.Queue])
def list_queues(ctx: Queue) -> Response:
    """List the queues by name."""
    return Json([views.queue_view(queue) for queue in queues.list_queues(ctx)])


@router.post("/{queue}/pause", response_model=schemas.Queue)
def pause(ctx: Queue, name: QueueName, asked: Annotated[schemas.Pause | None, Body()] = None) -> Response:
    """Let workers take nothing more from a queue, also from one that isn't there yet. What runs goes on."""
    queues.pause(ctx, name, reason=asked.reason if asked else None)
    return _shown(ctx, name)


@router.post("/{queue}/resume", response_model=schemas.Queue)
def resume(ctx: Queue, name: QueueName) -> Response:
    """Let workers take from a queue again."""
    queues.resume(ctx, name)
    return _shown(ctx, name)


def _shown(ctx: Context, name: str) -> Response:
    return Json(next(views.queue_view(queue) for queue in queues.list_queues(ctx) if queue.name == name))
