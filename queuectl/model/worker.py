"""Workers and queues, as the store gives them back."""

from __future__ import annotations

from typing import Literal

import msgspec

StopMode = Literal["graceful", "now"]


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that claims jobs and runs them in its slots."""

    id: str
    """A fresh UUID per process: a restarted worker is another one."""
    host: str
    pid: int
    pid_mark: str
    """Start time of the process, so that a reused pid is not taken for it."""
    slots: int
    queues: tuple[str, ...]
    """Served queues; empty: all."""
    started_at: int
    beat: int
    """Heartbeat counter."""
    beat_at: int
    """For people; liveness is judged by the counter alone."""
    running: int
    """Slots busy."""
    paused_at: int | None
    stop: StopMode | None
    """A stop that somebody asked for."""


class QueueInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A queue with what is in it."""

    name: str
    paused_at: int | None
    paused_by: str | None
    pause_reason: str | None = None
    waiting: int
    processing: int
    running_limit: int | None = None
    """How many of its jobs run at once at most."""
    next_us: int | None = None
    """When its rate lets the next one start, in microseconds since the epoch."""
    interval_us: int | None = None
    """Microseconds between the starts of two of its jobs, at least."""
