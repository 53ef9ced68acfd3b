"""Queues: names that jobs wait under; each may be paused."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.model.worker import QueueInfo
from queuectl.store.database import Database, Row


class Queues:
    """The queues that a job ever named, or that somebody paused."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(self) -> list[QueueInfo]:
        """Return the queues by name, with what is in them."""
        return [QueueInfo(**row) for row in self._db.run("queues")]

    def pause(self, name: str, *, who: str, now: int, reason: str | None = None) -> bool:
        """Open → paused: nothing is claimed from it. False when it is paused already and no (other) reason is given."""
        return self._told(self._db.run("pause_queue", name=name, who=who, reason=reason, now=now))

    def resume(self, name: str) -> bool:
        """Paused → open. False when it isn't paused."""
        return self._told(self._db.run("resume_queue", name=name))

    def waiting(self, name: str, *, limit: int = 10_000) -> Sequence[int]:
        """Return the ids of the jobs that wait in a queue, oldest first."""
        return [row["id"] for row in self._db.run("waiting_jobs_of_queue", queue=name, limit=limit)]

    def _told(self, rows: Sequence[Row]) -> bool:
        if rows:
            self._db.announce()
        return bool(rows)
