"""`queuectl dlq list`."""

from __future__ import annotations

import click

from queuectl.cli.completion import queue_names, spec_names
from queuectl.cli.filters import check_filters
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.limits import limit_option, one_more, say_cut
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.shown import print_jobs
from queuectl.rules.shapes import job_view
from queuectl.service import dead_letters


@click.command(
    cls=Command,
    examples="""
    queuectl dlq list
    queuectl dlq list --spec nightly-dump -o json
    """,
)
@click.option("--spec", metavar="NAME", shell_complete=spec_names, help="Only jobs of this spec.")
@click.option("-q", "--queue", metavar="NAME", shell_complete=queue_names, help="Only jobs of this queue.")
@limit_option
@output_option
@database_option
def command(spec: str | None, queue: str | None, limit: int, output: Output) -> None:
    """List dead jobs, newest first."""
    with open_queue(create=False) as ctx:
        check_filters(ctx, spec=spec, queue=queue)
        found = dead_letters.list_dead(ctx, spec=spec, queue=queue, limit=one_more(limit))
    shown = found[: limit or None]
    if output == "table":
        print_jobs(shown, nothing="the dead letter queue is empty")
    else:
        print_array(map(job_view, shown), output)
    say_cut(found, limit)
