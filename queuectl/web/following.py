"""Following: outputs read on while they are written, for everybody who watches one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from queuectl.model.errors import UnknownError
from queuectl.service.context import opened
from queuectl.service.jobs import get_job
from queuectl.service.log_windows import Window, window_after, window_before
from queuectl.service.logs import find_attempt
from queuectl.web.asking import site_of
from queuectl.web.live import BEAT_S, Changes, TooManyWatchersError

MOST_READERS = 50
CHUNK_BYTES = 256 << 10
"""About as much is sent at once."""
SHORTEST_S, LONGEST_S = 0.1, 0.5
"""Between two looks at an output: the longer, the longer nothing has come."""

Look = Callable[[int | None], Window]
"""Returns what stands from a place on (None: the end of it), until now."""


class Readers:
    """Those who follow an output."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._readers = 0

    def check_room(self) -> None:
        """TooManyWatchersError where nobody else may follow."""
        if self._readers >= MOST_READERS:
            raise TooManyWatchersError(f"{MOST_READERS} outputs are followed; close a page of the dashboard")

    async def follow(self, look: Look, start: int | None) -> AsyncIterator[Window | None]:
        """Yield what comes, and None now and then where nothing does. Ends with the attempt, or the server.

        TooManyWatchersError where others came first.
        """
        self.check_room()
        self._readers += 1
        try:
            wait, quiet = SHORTEST_S, 0.0
            while not self._changes.closed:
                window = await run_in_threadpool(look, start)
                start = window.end
                if window.pieces or window.over:
                    yield window
                    wait, quiet = SHORTEST_S, 0.0
                if window.over:
                    return
                if quiet >= BEAT_S:
                    yield None
                    quiet = 0.0
                await asyncio.sleep(wait)
                quiet += wait
                wait = min(LONGEST_S, wait * 1.25)
        except UnknownError:  # the job was deleted
            return
        finally:
            self._readers -= 1


def readers_of(request: Request) -> Readers:
    """Return those who follow an output of this dashboard."""
    readers: Readers = request.app.state.readers
    return readers


def look_at(request: Request, job: int, number: int | None, *, tail: int = CHUNK_BYTES) -> Look:
    """Return what looks at the output of an attempt, each time with the queue opened anew.

    `tail`: bytes of it that are shown first where no place is named.
    """
    site = site_of(request)

    def look(start: int | None) -> Window:
        with opened(str(site.database), create=False, overrides=site.overrides, environ=site.environ) as ctx:
            attempt = find_attempt(ctx, get_job(ctx, job), number)
            if start is None:
                return window_before(ctx, attempt, limit=tail)
            return window_after(ctx, attempt, start, limit=CHUNK_BYTES)

    return look
