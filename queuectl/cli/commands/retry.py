"""`queuectl retry`."""

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


@click.command(
    cls=Command,
    examples="""
    queuectl retry 12
    queuectl retry nightly-dump
    queuectl retry 12 13 --as-was
    """,
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=job_ids)
@click.option("--as-was", is_flag=True, help="With the spec as it was when the job was made.")
@output_option
@database_option
def command(ids: tuple[str, ...], as_was: bool, output: Output) -> None:
    """Run jobs again.

    A dead or cancelled job goes back to pending, with its spec as it is now; a failed one stops
    waiting for its backoff; a completed one is run again as a new job.
    """
    with open_queue(create=False) as ctx:
        found = [jobs.find(ctx, text) for text in ids]
        retried: list[tuple[Job, Job]] = []
        try:
            for_each(found, lambda job: (job, jobs.retry(ctx, job, as_was=as_was)), retried.append)
        finally:
            _show(retried, output)


def _show(retried: Sequence[tuple[Job, Job]], output: Output) -> None:
    if output != "table":
        print_array((job_view(again) for _, again in retried), output)
        return
    for job, again in retried:
        if job.id == again.id:
            click.echo(f"job {job.id} is {again.state}")
        else:
            click.echo(f"job {job.id} has completed: job {again.id} runs it again")
