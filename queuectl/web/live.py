"""Live: one look for changes of the queue, for everybody who watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
        """Ask whether another connection has written; that there is no queue any more, or another one, is news too."""
        version = _Version(self._database)
        last = version.now()
        while self._watchers and not self._closed:
            await asyncio.sleep(POLL_S)
            now = version.now()
            if now != last:
                self._tell()
            last = now
        version.forget()


class _Version:
    """Reads a number of SQLite that is another one after each commit: it stands in the shared memory."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._connection: apsw.Connection | None = None
        self._file: tuple[int, int] | None = None

    def now(self) -> object:
        """Return what is the same as long as nothing changes; None where there is no queue, or it can't be read."""
        try:
            found = self._database.stat()
            file = (found.st_dev, found.st_ino)
            if file != self._file:  # moved away, and maybe another one put in its place
                self.forget()
            if self._connection is None:
                self._connection = apsw.Connection(str(self._database), flags=apsw.SQLITE_OPEN_READONLY)
                self._file = file
            return file, self._connection.pragma("data_version")
        except (OSError, apsw.Error):
            self.forget()
            return None

    def forget(self) -> None:
        """Close what is open."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None
