"""`queuectl dlq clear`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import queue_names
from queuectl.cli.confirm import confirmed
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, yes_option
from queuectl.cli.shown import plural
from queuectl.cli.times import rough
from queuectl.service import dead_letters


@click.command(
    cls=Command,
    examples="""
    queuectl dlq clear --older-than 90d
    queuectl dlq clear --yes
    """,
)
@click.option(
    "--older-than", metavar="D", callback=params.duration_from_zero, help="Died at least so long ago."
)
@click.option("-q", "--queue", metavar="NAME", shell_complete=queue_names, help="Only jobs of this queue.")
@yes_option
@database_option
def command(older_than: int | None, queue: str | None, yes: bool) -> int:
    """Delete dead jobs.

    With their attempts and output, and for good.
    """
    of_queue = f" of queue {queue}" if queue else ""
    age = f" that died over {rough(older_than)} ago" if older_than else ""
    if not confirmed(f"Delete all dead jobs{of_queue}{age} for good?", yes=yes):
        return 1
    with open_queue(create=False) as ctx:
        gone = dead_letters.clear(ctx, older_than_ms=older_than or 0, queue=queue)
    click.echo(f"{plural(gone, 'dead job')} deleted")
    return 0
