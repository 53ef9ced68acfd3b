"""`queuectl dlq show`."""

from __future__ import annotations

import click

from queuectl.cli.completion import job_ids
from queuectl.cli.job_page import show_job
from queuectl.cli.json_output import Output
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.service import dead_letters


@click.command(cls=Command, examples="queuectl dlq show 12")
@click.argument("job_id", metavar="ID", shell_complete=job_ids)
@output_option
@database_option
def command(job_id: str, output: Output) -> None:
    """Show everything about a dead job."""
    with open_queue(create=False) as ctx:
        show_job(ctx, dead_letters.find(ctx, job_id), output)
