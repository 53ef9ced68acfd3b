"""`queuectl dlq retry`."""

from __future__ import annotations

import click

from queuectl.cli.completion import job_ids, queue_names, spec_names
from queuectl.cli.filters import check_filters
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.cli.shown import plural
from queuectl.service import dead_letters


@click.command(
    cls=Command,
    examples="""
    queuectl dlq retry 12 13
    queuectl dlq retry --all
    queuectl dlq retry --all --spec nightly-dump
    """,
)
@click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=job_ids)
@click.option("--all", "everything", is_flag=True, help="All dead jobs.")
@click.option("--spec", metavar="NAME", shell_complete=spec_names, help="With --all: only of this spec.")
@click.option(
    "-q", "--queue", metavar="NAME", shell_complete=queue_names, help="With --all: only of this queue."
)
@click.option("--as-was", is_flag=True, help="With the spec as it was when the job was made.")
@database_option
def command(
    ids: tuple[str, ...], everything: bool, spec: str | None, queue: str | None, as_was: bool
) -> None:
    """Send dead jobs back to pending.

    They start again with no failures counted and run their spec as it is now: mend, apply,
    redrive. Several IDs are retried together or, when one isn't dead, not at all.
    """
    if bool(ids) == everything:
        raise click.UsageError("expected either IDs or --all", click.get_current_context())
    if ids and (spec or queue):
        raise click.UsageError("--spec and --queue go with --all", click.get_current_context())
    with open_queue(create=False) as ctx:
        if everything:
            check_filters(ctx, spec=spec, queue=queue)
            count = dead_letters.retry_all(ctx, spec=spec, queue=queue, as_was=as_was)
            click.echo(f"{plural(count, 'job')} sent back to pending")
            return
        dead = [dead_letters.find(ctx, text) for text in ids]
        for job in dead_letters.retry(ctx, dead, as_was=as_was):
            click.echo(f"job {job.id} is {job.state}")
