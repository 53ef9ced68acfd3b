"""How jobs and what they run are shown to people."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import ago, now_ms, rough
from queuectl.model.job import Job
from queuectl.model.states import JobState

JOB_COLUMNS = (
    Column("ID", justify="right"),
    Column("STATE", state=True),
    Column("NAME", optional=True),
    Column("COMMAND", flexible=True),
    Column("QUEUE"),
    Column("ATTEMPT", justify="right"),
    Column("WHEN"),
    Column("REASON", flexible=True, optional=True),
)


def print_jobs(jobs: Iterable[Job], *, nothing: str) -> None:
    """Print jobs as a table."""
    now = now_ms()
    print_table(JOB_COLUMNS, [job_row(job, now) for job in jobs], nothing=nothing)


def job_row(job: Job, now: int) -> Sequence[object]:
    """Return the cells of a job for `JOB_COLUMNS`."""
    return (
        job.id,
        job.state,
        job.spec or job.key,
        arguments_text(job.frozen.arguments) + command_text(job.frozen.command),
        job.queue,
        f"{job.attempt}/{job.max_retries + 1}" if job.attempt <= job.max_retries + 1 else job.attempt,
        when(job, now),
        job.reason,
    )


def command_text(command: str | Sequence[str]) -> str:
    """Return a command as it would be typed."""
    return command if isinstance(command, str) else shlex.join(command)


def arguments_text(arguments: Mapping[str, str]) -> str:
    """Return a job's parameters as they would be typed in front of its command.

    >>> arguments_text({"DAY": "2026-03-01", "NOTE": "two words"})
    "DAY=2026-03-01 NOTE='two words' "
    """
    return "".join(f"{name}={shlex.quote(value)} " for name, value in arguments.items())


def env_text(value: object) -> str:
    """Return a masked value or a reference of an environment, as `masked` gives them."""
    if isinstance(value, dict):
        return ", ".join(f"({name} {where})" for name, where in value.items())
    return str(value)


def when(job: Job, now: int) -> str:
    """Say what matters of a job's times: when it runs next, since when it runs or waits, or when it ended."""
    match job.state:
        case JobState.SCHEDULED | JobState.FAILED:
            return ago(job.run_at, now) if job.run_at > now else "due"
        case JobState.PROCESSING:
            return f"for {rough(now - job.updated_at)}"
        case JobState.PENDING | JobState.BLOCKED:
            return f"waits {rough(max(0, now - job.run_at))}"
        case _:
            return ago(job.finished_at, now)


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 job`, `2 jobs`.

    >>> plural(1, "job"), plural(1200, "job")
    ('1 job', '1,200 jobs')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
