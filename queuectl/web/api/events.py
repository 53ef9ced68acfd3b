"""Events: a stream that tells whenever the queue has changed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from queuectl.web.api.answering import Answers
from queuectl.web.events import EventStream, changed
from queuectl.web.live import Changes

router = APIRouter(prefix="/events", tags=["events"])
STREAM: Answers = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("", response_class=EventStream, responses=STREAM)
async def events(request: Request) -> Response:
    """Stream `changed`, without data, whenever something in the queue has changed; ask for what you show then.

    Lines that begin with a colon come now and then, and mean nothing.
    """
    changes: Changes = request.app.state.changes
    changes.check_room()
    return EventStream(changed(changes))
