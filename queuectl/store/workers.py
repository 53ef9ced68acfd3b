"""Workers: who is there, who is alive, and what they were told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queuectl.model.worker import StopMode, Worker
from queuectl.store.database import Database, Row
from queuectl.store.rows import damaged, readable


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker was told."""

    paused: bool
    stop: StopMode | None


class Workers:
    """The registered workers."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def register(
        self,
        *,
        worker: str,
        host: str,
        pid: int,
        pid_mark: str,
        slots: int,
        queues: Sequence[str],
        now: int,
    ) -> None:
        """Enter a worker that starts."""
        served = msgspec.json.encode(queues).decode()
        self._db.run(
            "register_worker",
            id=worker,
            host=host,
            pid=pid,
            pid_mark=pid_mark,
            slots=slots,
            queues=served,
            now=now,
        )

    def beat(self, worker: str, *, now: int) -> Orders | None:
        """Show that the worker lives. None when it was declared dead: nothing it holds is its own any more."""
        return _orders(self._db.run("beat", id=worker, now=now))

    def orders(self, worker: str) -> Orders | None:
        """Return what the worker was told; None when it was declared dead."""
        return _orders(self._db.run("worker_orders", id=worker))

    def leave(self, worker: str) -> None:
        """Registered → gone, by its own will. Others may have waited for its jobs to end."""
        self._db.run("remove_worker", id=worker, beat=None)
        self._db.announce()

    def declare_dead(self, worker: str, *, beat: int) -> bool:
        """Registered → gone, if its counter still stands at `beat`. Its jobs are then free to be rescued."""
        return bool(self._db.run("remove_worker", id=worker, beat=beat))

    def abandoned(self) -> Sequence[str]:
        """Return ids that hold jobs though they are registered no more."""
        return [row["id"] for row in self._db.run("abandoned_workers")]

    def list(self) -> list[Worker]:
        """Return the registered workers, oldest first."""
        return readable(self._db, self._db.run("workers"), _worker)

    def pause(self, worker: str | None, *, now: int) -> Sequence[str]:
        """Claiming → paused; None: all. Returns the ids that changed."""
        return self._told(self._db.run("pause_worker", id=worker, now=now))

    def resume(self, worker: str | None) -> Sequence[str]:
        """Paused → claiming; None: all. Returns the ids that changed."""
        return self._told(self._db.run("resume_worker", id=worker))

    def stop(self, worker: str | None, *, mode: StopMode) -> Sequence[str]:
        """Ask a worker to stop; None: all. Returns the ids that were asked."""
        return self._told(self._db.run("stop_worker", id=worker, mode=mode))

    def _told(self, rows: Sequence[Row]) -> Sequence[str]:
        if rows:
            self._db.announce()
        return [row["id"] for row in rows]


def _orders(rows: Sequence[Row]) -> Orders | None:
    return Orders(paused=rows[0]["paused_at"] is not None, stop=rows[0]["stop"]) if rows else None


def _worker(row: Row) -> Worker:
    try:
        return msgspec.convert(row | {"queues": msgspec.json.decode(row["queues"])}, Worker)
    except ValueError as error:
        raise damaged(f"worker {row['id']}", error, "it is entered anew when it starts") from None
