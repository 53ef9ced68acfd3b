"""Jobs and their attempts, as the store gives them back."""

from __future__ import annotations

import msgspec

from queuectl.model.spec import JobSpec
from queuectl.model.states import BlockedBy, JobState, Outcome


class NewJob(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job that is about to be put in the queue. Every default of `frozen` is filled in."""

    frozen: JobSpec
    key: str | None = None
    spec: str | None = None
    spec_version: int | None = None
    state: JobState
    run_at: int
    expires_at: int | None = None
    """Cancelled as expired when it has not started by then."""
    fire_at: int | None = None
    """The due instant that it was made for."""
    reason: str | None = None
    flow: int | None = None
    """The flow that it is part of: the id of the job that this began with."""
    blocked_by: BlockedBy | None = None
    """What a blocked job waits for."""


class Job(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One piece of work. Instants are milliseconds since the epoch."""

    id: int
    key: str | None
    spec: str | None
    spec_version: int | None
    frozen: JobSpec
    state: JobState
    run_at: int
    expires_at: int | None
    fire_at: int | None
    attempt: int
    """Number of the latest attempt; rises with every claim and never goes back."""
    failures: int
    """Counted against the retries."""
    losses: int
    """How often a worker died under it since it was last (re)tried by hand."""
    reason: str | None
    """Why it is in this state, for people."""
    exit_code: int | None
    worker: str | None
    """Id of the worker that claimed it last."""
    cancel_requested_at: int | None
    created_at: int
    updated_at: int
    finished_at: int | None
    flow: int | None = None
    """The flow that it is part of: the id of the job that this began with."""
    blocked_by: BlockedBy | None = None
    """What a blocked job waits for."""
    said: Said | None = None
    """By the latest attempt that said something."""

    @property
    def queue(self) -> str:
        """Name of the queue."""
        return self.frozen.queue

    @property
    def priority(self) -> int:
        """−1000…1000, higher first."""
        return self.frozen.priority

    @property
    def max_retries(self) -> int:
        """Extra attempts after the first."""
        return self.frozen.retries or 0


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a job said of itself in the file named by `QUEUECTL_OUTPUT`."""

    outputs: dict[str, str] = {}
    """For the jobs that need it, and for people."""
    progress: float | None = None
    """0…1."""
    summary: str | None = None
    snooze_ms: int | None = None
    """It is to run again so much later; no attempt is used."""
    cancel: str | None = None
    """It is not to run (again), for this reason."""
    faults: tuple[str, ...] = ()
    """Lines that could not be read."""


class AttemptEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, as its worker saw it."""

    outcome: Outcome
    pid: int | None = None
    """Of its main process; None where it never started, or it isn't known."""
    exit_code: int | None = None
    signal: str | None = None
    """By name: SIGSEGV."""
    error: str | None = None
    """One line for people, where the outcome alone doesn't say it."""
    out_of_resources: bool = False
    """`spawn_failed` for lack of processes, memory or file descriptors: not the job's fault."""
    output: bytes = b""
    """The last 64 KiB at most."""
    output_bytes: int = 0
    """Everything that was written, kept or not."""
    output_file: str | None = None
    """File name below the log folder, where there is more than `output` holds."""
    truncated: bool = False
    """The middle was dropped to stay within `max_log`."""
    cpu_ms: int | None = None
    max_rss_kib: int | None = None
    said: Said | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a job. `outcome` and `finished_at` are None while it runs."""

    job_id: int
    number: int
    worker: str
    host: str
    pid: int | None
    pid_mark: str | None
    outcome: Outcome | None
    exit_code: int | None
    signal: str | None
    error: str | None
    started_at: int
    finished_at: int | None
    duration_ms: int | None
    output: bytes
    output_bytes: int
    output_file: str | None
    """File name below the log folder; while the attempt runs, of the file that it writes to."""
    truncated: bool
    cpu_ms: int | None
    max_rss_kib: int | None
