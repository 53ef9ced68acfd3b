"""A job spec: what to run, when, and how to judge and repeat it.

The store keeps specs as JSON: fields at their default take no room there, and everything is checked again when it
is read back. Those that there are many of are left out of garbage collection (`gc=False`): nothing in them can lead
back to them.
Durations are whole milliseconds, instants milliseconds since the epoch, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from queuectl.model.env import EnvRef
from queuectl.model.flow import Need
from queuectl.model.hook import HookEvent, Hooks
from queuectl.model.states import CatchUp, OnConflict, Overlap

DEFAULT_QUEUE = "default"
DEFAULT_SHELL = ("/bin/sh", "-c")
BASH = ("bash", "-euo", "pipefail", "-c")
"""What `shell: bash` is short for: a failing part of a pipe fails the job."""
PRIORITY_RANGE = (-1000, 1000)
RETRIES_RANGE = (0, 1000)
MAX_COMMAND_BYTES = 131_071
"""Linux refuses a single argument of 128 KiB and more (MAX_ARG_STRLEN, terminating NUL included)."""

MASK = "***"
"""What is shown for a plain value of `env`."""

NoLimit = Literal["none"]


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """When a spec fires. Exactly one of `cron` and `every_ms` is set."""

    cron: tuple[str, ...] = ()
    """Five-field cron expressions, `@daily` and friends kept as written."""
    every_ms: int | None = None
    """Counts from the first apply of the spec."""
    timezone: str | None = None
    """IANA name; None is the configured `timezone`."""
    jitter_ms: int = 0
    """Each spec is late by a stable offset in 0…jitter_ms, derived from its name."""
    catch_up: CatchUp = CatchUp.LATEST
    spacing_ms: int = 0
    """Between the starts of jobs made by `catch_up: all`."""
    overlap: Overlap = Overlap.SKIP
    start_within_ms: int | None = None
    """A fire that can't start this soon after its instant is recorded as expired."""


class Backoff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How long a failed job waits. None is the configured value."""

    base_ms: int | None = None
    factor: float | None = None
    """At least 1."""
    max_ms: int | None = None
    jitter: float | None = None
    """0…1: the delay is moved by up to this share of itself, both ways."""


class ExitCodes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What exit codes mean: rules in the order they were written, the first that matches wins.

    A code that no rule names is a failure, except that 0 is success unless a `success` rule is there.
    """

    rules: tuple[tuple[Literal["success", "dead", "snooze"], tuple[tuple[int, int], ...]], ...] = ()
    """(meaning, inclusive ranges of codes)."""
    snooze_for_ms: int = 60_000


class Concurrency(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Slots that jobs of any specs share."""

    key: str
    """Whose slots: `db`, or `db-${TENANT}` with the value that `env` has."""
    limit: int = 1
    on_conflict: OnConflict = OnConflict.WAIT


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an attempt may take of the machine; None: as much as its worker."""

    memory_bytes: int | None = None
    """Address space of each of its processes (RLIMIT_AS)."""
    cpu_time_ms: int | None = None
    """Of each of its processes, rounded up to seconds (RLIMIT_CPU)."""
    open_files: int | None = None
    """Of each of its processes (RLIMIT_NOFILE)."""
    nice: int | None = None
    """Added to the worker's niceness; 0…19."""


class Keep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How much history one state keeps: an age or a count, exactly one of them."""

    for_ms: int | None = None
    count: int | None = None


class JobSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """A declared job. Also, with every default filled in, the frozen part of a job: what its attempts run.

    None means: the configured default, filled in when a job is made.
    """

    name: str | None = None
    """None for ad-hoc jobs."""
    description: str | None = None
    owner: str | None = None
    labels: Mapping[str, str] = {}
    command: str | tuple[str, ...]
    """A string is run by `shell`; a tuple is argv."""
    shell: tuple[str, ...] = DEFAULT_SHELL
    cwd: str | None = None
    """Absolute. The loader fills in the spec file's folder, `enqueue` the current one."""
    env: Mapping[str, str | EnvRef] = {}
    env_file: tuple[str, ...] = ()
    """Absolute paths of dotenv files; later ones win, `env` wins over all."""
    schedule: Schedule | None = None
    run_at_ms: int | None = None
    timezone: str | None = None
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    retries: int | None = None
    backoff: Backoff = Backoff()
    timeout_ms: int | NoLimit | None = None
    kill_after_ms: int | None = None
    exit_codes: ExitCodes = ExitCodes()
    max_log_bytes: int | None = None
    needs: tuple[Need, ...] = ()
    """Runs only in flows, when these have ended."""
    limits: Limits = Limits()
    user: str | None = None
    """Who it runs as, where the worker is root."""
    hooks: Hooks = Hooks()
    params: Mapping[str, Mapping[str, Any]] = {}
    """What a caller may set: JSON Schemas by name."""
    arguments: Mapping[str, str] = {}
    """Of a job: the values of its parameters."""
    event: HookEvent | None = None
    """Of a hook's job: what it tells about."""
    concurrency: Concurrency | None = None
    rate_us: int | None = None
    """Microseconds between the starts of two of its jobs, at least."""
    keep: Mapping[Literal["completed", "dead", "cancelled"], Keep] = {}
    paused: bool = False
    """The schedule makes no jobs."""


class LoadedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A spec with the file it came from."""

    spec: JobSpec
    file: str
    """As it is shown: relative to the folder that was applied, with that folder's name in front."""
    line: int
    """1-based line of the job in the file."""


def schedule_zone(spec: JobSpec, default: str) -> str:
    """Name of the time zone that the spec's schedule and `run_at` are read in."""
    return (spec.schedule.timezone if spec.schedule else None) or spec.timezone or default
