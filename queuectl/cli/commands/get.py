"""`queuectl get`."""

from __future__ import annotations

import click

from queuectl.cli.completion import job_ids
from queuectl.cli.job_page import show_job
from queuectl.cli.json_output import Output
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.service import jobs


@click.command(
    cls=Command,
    examples="""
    queuectl get 12
    queuectl get nightly-dump
    queuectl get 12 -o json | jq '.attempts[-1].exit_code'
    """,
)
@click.argument("job_id", metavar="ID", shell_complete=job_ids)
@output_option
@database_option
def command(job_id: str, output: Output) -> None:
    """Show everything about one job.

    What it runs and where that comes from, every attempt, the end of its output, and what to do
    next. ID is a job's number, its key, or a spec's name for its newest job.
    """
    with open_queue(create=False, looking=True) as ctx:
        show_job(ctx, jobs.find(ctx, job_id), output)
