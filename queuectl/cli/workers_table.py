"""Workers as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import now_ms, rough

if TYPE_CHECKING:
    from queuectl.service.workers import SeenWorker

SHORT_ID = 8
"""Enough of a UUID to name a worker."""
COLUMNS = (
    Column("WORKER"),
    Column("STATE", state=True),
    Column("BUSY", justify="right"),
    Column("QUEUES", flexible=True),
    Column("HOST", flexible=True),
    Column("PID", justify="right"),
    Column("UP", justify="right"),
    Column("SEEN", justify="right"),
)


def print_workers(workers: Iterable[SeenWorker]) -> None:
    """Print workers, how busy they are and when they were heard of."""
    now = now_ms()
    print_table(
        COLUMNS,
        [
            (
                seen.worker.id[:SHORT_ID],
                seen.condition,
                f"{seen.worker.running}/{seen.worker.slots}",
                ", ".join(seen.worker.queues) or "all",
                seen.worker.host,
                seen.worker.pid,
                rough(max(0, now - seen.worker.started_at)),
                f"{rough(seen.silent_ms)} ago",
            )
            for seen in workers
        ],
        nothing="no workers; 'queuectl run' is one",
    )
