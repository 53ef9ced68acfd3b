"""`queuectl cancel`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from queuectl.cli.completion import job_ids
from queuectl.cli.each import for_each
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.model.job import Job
from queuectl.rules.shapes import job_view
from queuectl.service import jobs
from queuectl.service.flows import cancel_flow


@click.command(
    cls=Command,
    examples="""
    queuectl cancel 12 13
    queuectl cancel nightly-dump --reason 'disk is full'
    queuectl cancel --flow nightly-etl
    """,
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=job_ids)
@click.option("--reason", metavar="TEXT", help="Why, for the record.")
@click.option(
    "--flow", "whole_flow", is_flag=True, help="And every other job of the flow that it is part of."
)
@output_option
@database_option
def command(ids: tuple[str, ...], reason: str | None, whole_flow: bool, output: Output) -> None:
    """Stop jobs, waiting or running.

    A running job's process tree is terminated by its worker. ID is a job's number, its key, or a
    spec's name for its newest job.
    """
    with open_queue(create=False) as ctx:
        found = [jobs.find(ctx, text) for text in ids]
        cancelled: list[Job] = []
        try:
            if whole_flow:
                for_each(found, lambda job: cancel_flow(ctx, job, reason=reason), cancelled.extend)
            else:
                for_each(found, lambda job: jobs.cancel(ctx, job, reason=reason), cancelled.append)
        finally:
            _show(cancelled, output)


def _show(cancelled: Sequence[Job], output: Output) -> None:
    if output != "table":
        print_array(map(job_view, cancelled), output)
        return
    for job in cancelled:
        stopping = job.cancel_requested_at is not None and job.finished_at is None
        click.echo(f"job {job.id}: its worker is stopping it" if stopping else f"job {job.id} is {job.state}")
