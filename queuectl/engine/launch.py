"""What the loop and the processes tell each other: start this attempt, it runs as that, it ended so."""

from __future__ import annotations

from typing import Protocol

import msgspec

from queuectl.model.job import AttemptEnd
from queuectl.model.spec import JobSpec
from queuectl.model.states import Outcome

Key = tuple[int, int]
"""(job id, attempt number)."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """All that an attempt needs to start."""

    job_id: int
    attempt: int
    frozen: JobSpec
    """Every default is filled in: `timeout_ms`, `kill_after_ms` and `max_log_bytes` are set."""
    spec: str | None
    fire_at: int | None
    """The due instant that the job was made for, milliseconds since the epoch."""
    worker: str
    """Id of the worker."""
    db: str
    """Path or URL of the queue, as the job shall see it in `QUEUECTL_DB`."""
    output: str
    """Name, below the log folder, of the file that it writes to; that of no other attempt that isn't settled."""

    said: str = ""
    """Path of the file in which the command may say something of itself."""
    needs: tuple[tuple[str, str], ...] = ()
    """Variables with what the jobs put out that this one needs."""
    stdin: str | None = None
    """What the command reads there; None: nothing."""

    @property
    def key(self) -> Key:
        """Names the attempt among all others."""
        return self.job_id, self.attempt


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt runs."""

    key: Key
    pid: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt is over, and nothing of it runs any more."""

    key: Key
    end: AttemptEnd


class CannotStartError(Exception):
    """Why an attempt can't start, in one line for people; never with the value of a variable."""

    def __init__(self, message: str, *, out_of_resources: bool = False) -> None:
        super().__init__(message)
        self.out_of_resources = out_of_resources
        """For lack of processes, memory or descriptors: not the job's fault."""


class Spawner(Protocol):
    """Starts, watches and ends attempts. `now` is always milliseconds of one monotonic clock."""

    def start(self, launch: Launch, now: int) -> Started | Ended:
        """Start an attempt; `Ended` with `spawn_failed` when it can't be started."""
        ...

    def stop(self, key: Key, why: Outcome, now: int) -> None:
        """Ask the whole tree to end, and kill it `kill_after_ms` later. The first reason wins.

        An attempt whose command had already ended keeps its own outcome; an unknown key is no error.
        """
        ...

    def kill_all(self, why: Outcome) -> None:
        """Kill every process of every attempt at once; `tick` reports their ends."""
        ...

    def tick(self, now: int) -> list[Ended]:
        """Time out, kill, reap and collect whatever is due. Never blocks."""
        ...

    def next_deadline(self) -> int | None:
        """When `tick` has something to do even if no child ends; None when nothing is planned."""
        ...

    def running(self) -> list[Key]:
        """The attempts that have not ended."""
        ...

    def settle(self, key: Key) -> None:
        """Take note that the end of an attempt is in the store: the file that it wrote to may be another's now."""
        ...

    def pid_mark(self, key: Key) -> str:
        """What tells the main process of an attempt that has not ended from a later one with the same pid."""
        ...
