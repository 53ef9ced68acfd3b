"""Waiting for jobs with a bar, and saying how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from queuectl.cli.progress import bar
from queuectl.cli.tables import styled_state
from queuectl.cli.visible import visible
from queuectl.model.job import Job
from queuectl.model.states import FINAL, JobState

if TYPE_CHECKING:
    from queuectl.service.context import Context


def wait_for(ctx: Context, jobs: Sequence[Job], *, timeout_ms: int | None) -> list[Job]:
    """Wait until all are over, with a bar on a terminal; return them as they ended."""
    from queuectl.service.jobs import wait  # noqa: PLC0415  only when somebody waits

    over = sum(job.state in FINAL for job in jobs)
    with bar(len(jobs) - over, "waiting") as done:
        return wait(
            ctx,
            jobs,
            timeout_ms=timeout_ms,
            progress=lambda now: done(sum(job.state in FINAL for job in now) - over),
        )


def exit_code(jobs: Sequence[Job], *, quiet: bool = False) -> int:
    """Say how each job ended, unless quiet; return 0 when all completed, else 1."""
    if not quiet:
        for job in jobs:
            why = f": {visible(job.reason)}" if job.reason else ""
            click.echo(f"job {job.id} is {styled_state(job.state)}{why}")
    return int(any(job.state is not JobState.COMPLETED for job in jobs))
