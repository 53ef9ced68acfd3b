"""One job with everything that a person asks about it at two in the morning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import msgspec

from queuectl.cli.json_output import Output, print_object
from queuectl.cli.output_page import safe_text
from queuectl.cli.shown import command_text, env_text
from queuectl.cli.tables import Column, print_fields, print_table, styled_state
from queuectl.cli.times import full, now_ms, rough, utc
from queuectl.cli.visible import visible
from queuectl.model.errors import QueuectlError
from queuectl.model.job import Attempt, Job
from queuectl.model.spec import BASH, DEFAULT_SHELL
from queuectl.model.states import WAITING, JobState
from queuectl.rules.units import format_size
from queuectl.service import jobs, logs, origin, views
from queuectl.service.context import Context
from queuectl.service.output_text import last_lines
from queuectl.service.why import why_job

LAST_LINES = 20
ATTEMPT_COLUMNS = (
    Column("ATTEMPT", justify="right"),
    Column("OUTCOME", state=True),
    Column("EXIT", justify="right"),
    Column("STARTED (UTC)"),
    Column("TOOK", justify="right"),
    Column("CPU", justify="right"),
    Column("MEMORY", justify="right"),
    Column("ERROR", flexible=True, optional=True),
)


def show_job(ctx: Context, job: Job, output: Output) -> None:
    """Print a job: a page for people, or its JSON."""
    job, attempts = jobs.as_it_says(ctx, job), jobs.attempts(ctx, job)
    if output != "table":
        print_object(
            {**views.job_detail(job, attempts), "why": msgspec.to_builtins(why_job(ctx, job))}, output
        )
        return
    now = now_ms()
    click.echo(_title(job))
    print_fields(_fields(ctx, job, now))
    if attempts:
        click.echo()
        print_table(ATTEMPT_COLUMNS, [_attempt_row(attempt, now) for attempt in attempts], nothing="")
        _print_output(ctx, job)
    if hints := list(_next_steps(job)):
        click.echo()
        for hint in hints:
            click.echo(hint)


def _title(job: Job) -> str:
    reason = f" – {visible(job.reason)}" if job.reason else ""
    return f"{click.style(f'job {job.id}', bold=True)}  {styled_state(job.state)}{reason}"


def _fields(ctx: Context, job: Job, now: int) -> Iterator[tuple[str, object]]:
    frozen = job.frozen
    shell = None if isinstance(frozen.command, tuple) or frozen.shell == DEFAULT_SHELL else frozen.shell
    yield "description", frozen.description
    yield "key", job.key
    yield "command", command_text(frozen.command)
    yield "shell", shell and ("bash" if shell == BASH else command_text(shell))
    yield "folder", frozen.cwd
    yield (
        "env",
        "\n".join(f"{name}={env_text(value)}" for name, value in views.masked(frozen.env).items()) or None,
    )
    yield "params", "\n".join(f"{name}={value}" for name, value in frozen.arguments.items()) or None
    yield "env file", "\n".join(frozen.env_file) or None
    yield from _origin(ctx, job)
    if job.state in WAITING:
        found = why_job(ctx, job)
        yield "why", f"{found.reason}\n{found.advice}"
    yield "queue", f"{job.queue}, priority {job.priority}"
    yield (
        "retries",
        f"{job.failures} of {job.max_retries + 1} tries failed" if job.failures else job.max_retries,
    )
    yield "timeout", frozen.timeout_ms if isinstance(frozen.timeout_ms, str) else rough(frozen.timeout_ms)
    yield "created", full(job.created_at, now)
    yield "flow", job.flow
    yield "fire", None if job.fire_at is None else full(job.fire_at, now)
    yield "due" if job.attempt == 0 else "next try", full(job.run_at, now) if _waits(job) else None
    yield "too late", None if job.expires_at is None or job.attempt else full(job.expires_at, now)
    yield (
        "cancel",
        None if job.cancel_requested_at is None else f"asked for {full(job.cancel_requested_at, now)}",
    )
    if job.said:
        yield "summary", job.said.summary
        yield "outputs", "\n".join(f"{key}={value}" for key, value in job.said.outputs.items()) or None
        yield "progress", None if job.said.progress is None else f"{job.said.progress:.0%}"
    yield "finished", None if job.finished_at is None else full(job.finished_at, now)


def _waits(job: Job) -> bool:
    return job.state in {JobState.SCHEDULED, JobState.FAILED, JobState.PENDING, JobState.BLOCKED}


def _origin(ctx: Context, job: Job) -> Iterator[tuple[str, object]]:
    """Say which version of which file a job runs, and who applied that from which commit."""
    found = origin.origin_of(ctx, job)
    if found is None:
        return
    yield (
        "spec",
        f"{found.spec}, version {found.version}"
        + (f" (now {found.latest_version})" if found.latest_version != found.version else ""),
    )
    yield "file", found.file and f"{found.file} ({found.source})"
    if found.apply is not None:
        commit = found.apply.git_commit
        dirty = " with local changes" if found.apply.git_dirty else ""
        from_commit = f" from commit {commit[:12]}{dirty}" if commit else ""
        yield "applied", f"{utc(found.apply.at)} by {found.apply.who}{from_commit}"


def _attempt_row(attempt: Attempt, now: int) -> Sequence[object]:
    running = attempt.outcome is None
    return (
        attempt.number,
        "running" if attempt.outcome is None else attempt.outcome,
        attempt.signal or attempt.exit_code,
        utc(attempt.started_at),
        rough(now - attempt.started_at if running else attempt.duration_ms),
        rough(attempt.cpu_ms),
        None if attempt.max_rss_kib is None else format_size(attempt.max_rss_kib * 1024),
        attempt.error,
    )


def _print_output(ctx: Context, job: Job) -> None:
    try:
        lines = list(last_lines(logs.pieces(ctx, job), LAST_LINES))
    except QueuectlError:
        return
    if lines:
        click.echo(f"\nthe last lines of attempt {job.attempt}:")
        for line in lines:
            click.echo(f"  | {safe_text(line.decode('utf-8', 'replace')).rstrip()}")


def _next_steps(job: Job) -> Iterator[str]:
    more = f"queuectl logs {job.id}"
    match job.state:
        case JobState.DEAD:
            yield f"{more:24}all of its output"
            yield f"{f'queuectl retry {job.id}':24}run it again" + (
                ", with its spec as it is now" if job.spec else ""
            )
        case JobState.PROCESSING:
            yield f"{f'{more} -f':24}follow its output"
            yield f"{f'queuectl cancel {job.id}':24}stop it"
        case JobState.FAILED:
            yield f"{f'queuectl retry {job.id}':24}run it now instead of waiting"
            yield f"{f'queuectl cancel {job.id}':24}give it up"
        case JobState.CANCELLED:
            yield f"{f'queuectl retry {job.id}':24}run it after all"
        case _:
            return
