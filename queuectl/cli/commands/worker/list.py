"""`queuectl worker list`."""

from __future__ import annotations

import click

from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.workers_table import print_workers
from queuectl.service import views
from queuectl.service.workers import list_workers


@click.command(
    cls=Command,
    examples="""
    queuectl worker list
    queuectl worker list -o json
    """,
)
@output_option
@database_option
def command(output: Output) -> None:
    """List workers."""
    with open_queue(create=False) as ctx:
        found = list_workers(ctx)
    if output == "table":
        print_workers(found)
    else:
        print_array(map(views.worker_view, found), output)
