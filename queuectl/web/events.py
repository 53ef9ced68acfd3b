"""Server-sent events: lines that a page or a program reads as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from fastapi import APIRouter, Request

from queuectl.web.live import Changes, TooManyWatchersError
from queuectl.web.streams import Stream

router = APIRouter()


class EventStream(Stream):
    """An answer that goes on."""

    media_type = "text/event-stream"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Add what keeps nginx from collecting lines before it passes them on."""
        super().init_headers({"x-accel-buffering": "no", **(headers or {})})


@router.get("/live", include_in_schema=False)
async def live(request: Request) -> EventStream:
    """Say `changed` whenever something has: the page asks for itself again then."""
    changes: Changes = request.app.state.changes
    changes.check_room()
    return EventStream(changed(changes))


async def changed(changes: Changes) -> AsyncIterator[str]:
    """Yield the lines of a stream that says `changed`."""
    yield "retry: 1000\n\n"
    with suppress(TooManyWatchersError):  # it came at the same time as others, and asks again
        async for is_new in changes.watch():
            yield "event: changed\ndata:\n\n" if is_new else ":\n\n"
