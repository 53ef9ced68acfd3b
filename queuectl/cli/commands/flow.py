"""`queuectl flow`."""

from __future__ import annotations

import click

from queuectl.cli.completion import job_ids
from queuectl.cli.flow_page import show_flow
from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.service import jobs
from queuectl.service.flows import flow_of
from queuectl.service.views import flow_view


@click.command(
    cls=Command,
    examples="""
    queuectl flow 12
    queuectl flow nightly-etl
    queuectl flow 12 -o json | jq '.jobs[] | select(.state == "dead")'
    """,
)
@click.argument("job_id", metavar="ID", shell_complete=job_ids)
@output_option
@database_option
def command(job_id: str, output: Output) -> None:
    """Show the jobs that belong together, as a tree.

    Each job stands below the one that it waits for, or waited for last. ID is any of its jobs: a number, a key, or
    a spec's name for its newest job.
    """
    with open_queue(create=False, looking=True) as ctx:
        flow = flow_of(ctx, jobs.find(ctx, job_id))
    if output == "table":
        show_flow(flow)
    else:
        print_object(flow_view(flow), output)
