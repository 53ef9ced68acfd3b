"""Workers and queues, as the store gives them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StopMode = Literal["graceful", "now"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """A queue with what is in it."""

    name: str
    paused_at: int | None
    paused_by: str | None
    waiting: int
    processing: int
