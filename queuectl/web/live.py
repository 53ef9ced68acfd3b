"""Live: one look for changes of the queue, for everybody who watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import apsw

from queuectl.model.errors import QueuectlError

POLL_S = 0.1
"""Between two looks while somebody watches; nobody looks while nobody does."""
BEAT_S = 15.0
"""A line that means nothing, so that proxies keep a quiet stream open."""
MOST_WATCHERS = 200


class TooManyWatchersError(QueuectlError):
    """So many streams are open that another one is refused."""


class Changes:
    """Tells watchers that the queue has changed."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._watchers: set[asyncio.Event] = set()
        self._poll: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether all streams are to end."""
        return self._closed

    async def watch(self) -> AsyncIterator[bool]:
        """Yield True whenever something has changed, and False now and then where nothing has.

        Ends when the server does. TooManyWatchersError.
        """
        self.check_room()
        changed = asyncio.Event()
        self._watchers.add(changed)
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._look())
        try:
            while not self._closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), BEAT_S)
                if self._is_over():
                    return
                yield changed.is_set()
                changed.clear()
        finally:
            self._watchers.discard(changed)

    def check_room(self) -> None:
        """TooManyWatchersError where nobody else may watch."""
        if len(self._watchers) >= MOST_WATCHERS:
            raise TooManyWatchersError(f"{MOST_WATCHERS} streams are open; close a page of the dashboard")

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._tell()

    def _is_over(self) -> bool:
        return self._closed

    def _tell(self) -> None:
        for changed in self._watchers:
            changed.set()

    async def _look(self) -> None:
        """Ask SQLite whether another connection has written: it reads one number of the shared memory."""
        version: Callable[[], object] | None = None
        last: object = None
        while self._watchers and not self._closed:
            try:
                version = version or _version_of(self._database)
                now = version()
            except apsw.Error:  # moved away, or busy for once
                version, now = None, object()
            if last is not None and now != last:
                self._tell()
            last = now
            await asyncio.sleep(POLL_S)


def _version_of(database: Path) -> Callable[[], object]:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    return lambda: connection.pragma("data_version")
