"""`queuectl wait`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import job_ids
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.waiting import exit_code, wait_for
from queuectl.rules.shapes import job_view
from queuectl.service import jobs


@click.command(
    cls=Command,
    examples="""
    queuectl wait 12 13
    queuectl wait nightly-dump --timeout 10m && echo done
    """,
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=job_ids)
@click.option(
    "--timeout", metavar="D", callback=params.duration, help="Give up after so long, with exit code 1."
)
@output_option
@database_option
def command(ids: tuple[str, ...], timeout: int | None, output: Output) -> int:
    """Wait until jobs are over.

    Exit code 0 when all completed, 1 when one is dead or cancelled or the time is up.
    """
    with open_queue(create=False) as ctx:
        ended = wait_for(ctx, [jobs.find(ctx, text) for text in ids], timeout_ms=timeout)
    if output != "table":
        print_array(map(job_view, ended), output)
    return exit_code(ended, quiet=output != "table")
