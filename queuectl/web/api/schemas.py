"""What goes over the wire, for the document: the views of the command line, and what requests may say.

Answers are not built of these: they are the views themselves, and a test holds that both say the same.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from queuectl.model.states import FireOutcome, JobState, Outcome

Instant = Annotated[
    str,
    Field(
        description="ISO 8601 in UTC.",
        examples=["2026-05-01T03:00:00Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
Command = Annotated[
    str | list[str],
    Field(
        description="A text is run by a shell, a list is a program with its arguments.",
        examples=["pg_dump main | gzip > main.gz"],
    ),
]
Reason = Annotated[str | None, Field(description="Why, for people.", examples=["exit code 1"])]
JobId = Annotated[int, Field(description="Number of a job.", examples=[12])]


class Job(BaseModel):
    """One piece of work in the queue."""

    id: JobId
    key: str | None = Field(description="Its unique name, if it has one.", examples=["import-2026-05-01"])
    spec: str | None = Field(description="The spec that made it; null: ad hoc.", examples=["nightly-dump"])
    command: Command
    state: JobState = Field(description="Where it stands.", examples=["completed"])
    queue: str = Field(description="Name of its queue.", examples=["default"])
    priority: int = Field(description="−1000…1000, higher first.", examples=[0])
    attempt: int = Field(description="Number of its latest attempt; rises with every claim.", examples=[1])
    max_retries: int = Field(description="Extra attempts after the first.", examples=[3])
    run_at: Instant
    created_at: Instant
    updated_at: Instant
    finished_at: Instant | None
    fire_at: Instant | None = Field(description="The due instant that it was made for.")
    worker: str | None = Field(description="The worker that claimed it last.")
    exit_code: int | None = Field(description="Of its latest attempt.", examples=[0])
    failures: int = Field(description="Counted against its retries.", examples=[0])
    reason: Reason
    flow: int | None = Field(description="The flow that it is part of: the job that this began with.")


class Why(BaseModel):
    """Why something does not run just now."""

    what: str = Field(examples=["job 12"])
    reason: str = Field(examples=["there is no worker"])
    advice: str = Field(examples=["start one: queuectl run"])


class Attempt(BaseModel):
    """One execution of a job; `outcome` and `finished_at` are null while it runs."""

    number: int = Field(examples=[1])
    outcome: Outcome | None = Field(examples=["succeeded"])
    exit_code: int | None = Field(examples=[0])
    signal: str | None = Field(description="By name.", examples=["SIGSEGV"])
    error: str | None
    started_at: Instant
    finished_at: Instant | None
    duration_ms: int | None = Field(examples=[1250])
    pid: int | None
    worker: str
    host: str
    output_bytes: int = Field(description="Everything that was written, kept or not.", examples=[512])
    truncated: bool = Field(description="The middle was dropped to stay within max_log.")
    cpu_ms: int | None
    max_rss_kib: int | None


class _How(BaseModel):
    """How attempts run, in the words of a spec file."""

    description: str | None
    owner: str | None
    labels: dict[str, str] = Field(examples=[{"team": "data"}])
    shell: list[str] | None = Field(examples=[["/bin/sh", "-c"]])
    cwd: str | None = Field(examples=["/srv/app"])
    env: dict[str, Any] = Field(
        description="Plain values are masked, references are shown as they are written.",
        examples=[{"MODE": "***", "TOKEN": {"from_env": "API_TOKEN"}}],
    )
    env_file: list[str]
    timeout: str | None = Field(examples=["1h"])
    kill_after: str | None = Field(examples=["10s"])
    backoff: dict[str, Any] = Field(examples=[{"base": "2s", "factor": 2.0, "max": "1h", "jitter": 0.1}])
    exit_codes: dict[str, Any]
    max_log: str | int | None = Field(examples=["64MiB"])
    needs: list[dict[str, Any]]
    limits: dict[str, Any]
    user: str | None
    on_success: list[Any]
    on_failure: list[Any]
    on_dead: list[Any]
    params: dict[str, Any]
    arguments: dict[str, Any]
    concurrency: dict[str, Any] | None
    rate: str | None = Field(examples=["10/m"])
    keep: dict[str, str | int | None]


class JobDetail(Job, _How):
    """Everything of a job but the output of its attempts."""

    spec_version: int | None
    losses: int = Field(description="How often a worker died under it.")
    expires_at: Instant | None
    cancel_requested_at: Instant | None
    outputs: dict[str, str] = Field(description="What it said for the jobs that need it.")
    progress: float | None = Field(description="0…1.")
    summary: str | None
    attempts: list[Attempt] = Field(description="Oldest first.")
    why: Why = Field(description="Why it does not run just now.")


class Need(BaseModel):
    """What a job needs; `job` is null as long as the next job of `spec` isn't made."""

    job: int | None
    spec: str | None
    on: str = Field(description="The end that is needed.", examples=["completed"])
    met: bool


class FlowJob(Job):
    """A job of a flow."""

    started_at: Instant | None
    took_ms: int | None
    needs: list[Need]


class Flow(BaseModel):
    """Jobs that need one another."""

    id: JobId
    took_ms: int | None
    critical_path: list[int] = Field(description="The jobs that the whole took so long for.")
    jobs: list[FlowJob]


class Spec(BaseModel):
    """A declared job, from a file."""

    name: str = Field(examples=["nightly-dump"])
    source: str = Field(examples=["infra/jobs.d"])
    file: str = Field(examples=["jobs.d/nightly-dump.yaml"])
    version: int = Field(examples=[1])
    schedule: str | dict[str, Any] | None = Field(examples=["0 2 * * *"])
    timezone: str = Field(examples=["Europe/Berlin"])
    next_fire_at: Instant | None
    last_fire_at: Instant | None
    paused: bool
    pause_reason: str | None = Field(examples=["the disk is full"])
    command: Command
    description: str | None
    queue: str = Field(examples=["default"])
    priority: int = Field(examples=[0])
    orphaned: bool = Field(description="Not in the files any more.")
    damaged: bool = Field(description="It can't be read; its file mends it.")


class SpecDetail(Spec, _How):
    """Everything of a spec. Null is what the configuration decides when a job is made."""

    run_at: Instant | None
    retries: int | None = Field(examples=[3])
    created_at: Instant
    updated_at: Instant
    paused_at: Instant | None
    paused_by: str | None
    pruned_at: Instant | None
    last_job_id: int | None


class Fire(BaseModel):
    """A due instant and what became of it; or a stretch of them."""

    spec: str = Field(examples=["nightly-dump"])
    due_at: Instant
    outcome: FireOutcome = Field(examples=["fired"])
    job_id: int | None = Field(examples=[12])
    reason: Reason
    until: Instant | None = Field(description="The last instant of a stretch.")
    count: int = Field(description="How many instants.", examples=[1])


class ComingFire(BaseModel):
    """A due instant that is to come."""

    spec: str = Field(examples=["nightly-dump"])
    due_at: Instant
    local: str = Field(description="In the time zone of the schedule.", examples=["2026-05-01 02:00:00 CEST"])


class Worker(BaseModel):
    """A process that runs jobs."""

    id: str = Field(examples=["0a4b0f5e-9d3f-4a52-8f0e-3f6f7a1c2d3e"])
    host: str = Field(examples=["mill"])
    pid: int
    condition: Literal["running", "paused", "stopping", "silent", "dead"]
    slots: int = Field(description="How many jobs it runs at once.", examples=[4])
    running: int = Field(description="How many of them are busy.")
    queues: list[str] = Field(description="That it serves; none: all.")
    started_at: Instant
    beat_at: Instant
    paused: bool
    stop: Literal["graceful", "now"] | None


class Queue(BaseModel):
    """A queue, and what is in it."""

    name: str = Field(examples=["default"])
    waiting: int
    processing: int
    paused: bool
    paused_at: Instant | None
    paused_by: str | None
    pause_reason: str | None
    running_limit: int | None = Field(description="How many of its jobs run at once at most.")
    rate: str | None = Field(examples=["10/m"])


class Counts(BaseModel):
    """How many jobs each state has."""

    total: int
    blocked: int
    scheduled: int
    pending: int
    processing: int
    failed: int
    completed: int
    dead: int
    cancelled: int


class Status(BaseModel):
    """The queue at a glance."""

    jobs: Counts
    success_rate: float | None = Field(description="0…1: completed among completed and dead.")
    avg_duration_ms: float | None
    oldest_pending_s: float | None
    workers: list[Worker]
    next_fires: list[ComingFire]


class Retried(BaseModel):
    """How many jobs were sent back to pending."""

    retried: int = Field(examples=[2])


class Deleted(BaseModel):
    """How many jobs were forgotten."""

    deleted: int = Field(examples=[2])


class Problem(BaseModel):
    """What is wrong, as RFC 9457 has it."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no job '12'"])


class _Asked(BaseModel):
    """What a request may say, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        if not _is_usable(value):
            raise ValueError("expected texts of whole characters and finite numbers")
        return value


class Cancel(_Asked):
    """How to cancel."""

    reason: str | None = Field(
        default=None, max_length=1000, description="Why, for the record.", examples=["not needed"]
    )


class Retry(_Asked):
    """How to retry."""

    as_was: bool = Field(default=False, description="With the spec as it was when the job was made.")


class RetryAll(Retry):
    """Which dead jobs to retry, and how."""

    spec: str | None = Field(default=None, description="Only of this spec.")
    queue: str | None = Field(default=None, description="Only of this queue.")


class Trigger(_Asked):
    """With what, and when."""

    params: dict[str, Any] = Field(
        default_factory=dict, description="Values of the spec's parameters.", examples=[{}]
    )
    at: str | None = Field(
        default=None, description="When to start; null: now.", examples=["2099-05-01T03:00:00Z"]
    )


class Pause(_Asked):
    """Why."""

    reason: str | None = Field(
        default=None, max_length=1000, description="For all who see it.", examples=["the disk is full"]
    )


def _is_usable(value: Any) -> bool:
    """Whether all of a value can be stored: JSON can escape half of a surrogate pair, and Python reads NaN."""
    if isinstance(value, dict):
        return all(_is_usable(key) and _is_usable(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_usable, value))
    if isinstance(value, float):
        return isfinite(value)
    return not isinstance(value, str) or not re.search("[\0\ud800-\udfff]", value)
