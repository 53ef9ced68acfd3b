"""Outputs of jobs that are still written."""

from __future__ import annotations

from queuectl.model.job import Job
from queuectl.service.context import Context
from tests.store.conftest import Bench


def writing(ctx: Context, bench: Bench, output: bytes, **changes: object) -> Job:
    """A job that runs and has written something."""
    job = bench.processing(priority=1000, **changes)
    write(ctx, output)
    return job


def write(ctx: Context, output: bytes) -> None:
    """Let the job write more."""
    ctx.log_dir.mkdir(exist_ok=True)
    with (ctx.log_dir / "w1-0.log").open("ab") as file:
        file.write(output)
