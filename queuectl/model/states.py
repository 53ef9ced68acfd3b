"""The states of a job, the outcomes of an attempt, and what can become of a fire."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    BLOCKED = "blocked"
    """Waits for another job to end."""
    SCHEDULED = "scheduled"
    """Waits for its `run_at`."""
    PENDING = "pending"
    """Ready now."""
    PROCESSING = "processing"
    """An attempt runs."""
    FAILED = "failed"
    """The last attempt failed; the next one waits for its backoff (`run_at` says when)."""
    COMPLETED = "completed"
    DEAD = "dead"
    """In the dead letter queue: retries used up, or an exit code that says stop."""
    CANCELLED = "cancelled"


WAITING = frozenset({JobState.BLOCKED, JobState.SCHEDULED, JobState.PENDING, JobState.FAILED})
"""States in which a job will run without anybody doing anything."""

FINAL = frozenset({JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED})
"""States that a job leaves only when somebody retries it."""


class BlockedBy(StrEnum):
    """What a blocked job waits for."""

    SPEC = "spec"
    """The earlier job of its spec, or that one's flow."""
    NEEDS = "needs"
    """The jobs that it needs."""
    GATE = "gate"
    """A slot, or its rate."""


class OnConflict(StrEnum):
    """What a job does whose slots are all taken."""

    WAIT = "wait"
    SKIP = "skip"
    """It is cancelled."""
    REPLACE = "replace"
    """The job that has the slot is cancelled."""


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The command exited with a code that means failure."""
    SIGNALLED = "signalled"
    """A signal that queuectl did not send killed the command."""
    TIMED_OUT = "timed_out"
    SPAWN_FAILED = "spawn_failed"
    """The command could not be started: no such folder, shell or program, or no resources."""
    LOST = "lost"
    """Its worker died."""
    INTERRUPTED = "interrupted"
    """A shutdown stopped it."""
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"


class FireOutcome(StrEnum):
    """What became of a due instant of a schedule."""

    FIRED = "fired"
    """On time: a job was made."""
    CAUGHT_UP = "caught_up"
    """Missed while nothing ran, made up for: a job was made."""
    SKIPPED = "skipped"
    """The previous job of the spec was not finished (`overlap: skip`)."""
    MISSED = "missed"
    """Nothing ran when it was due, and `catch_up` doesn't make up for it."""
    EXPIRED = "expired"
    """Later than `start_within`: not run."""
    PAUSED = "paused"
    """The spec was paused when it was due."""


class Overlap(StrEnum):
    """What a fire does when the previous job of its spec is not finished."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"
    ALLOW = "allow"


class CatchUp(StrEnum):
    """Which of the fires missed while nothing ran are made up for."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"
