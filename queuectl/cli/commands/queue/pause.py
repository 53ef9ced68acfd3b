"""`queuectl queue pause`."""

from __future__ import annotations

import click

from queuectl.cli.completion import queue_names
from queuectl.cli.each import for_each
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.service import queues


@click.command(
    cls=Command,
    examples="""
    queuectl queue pause mail
    queuectl queue pause mail --reason 'the mail server moves'
    """,
)
@click.argument("names", metavar="QUEUE...", nargs=-1, required=True, shell_complete=queue_names)
@click.option("--reason", metavar="TEXT", help="Why, for all who see it.")
@database_option
def command(names: tuple[str, ...], reason: str | None) -> None:
    """Let workers take nothing more from queues.

    What runs goes on, and jobs still come in; a queue that isn't there yet can be paused too.
    """
    with open_queue(create=True) as ctx:
        for_each(names, lambda name: queues.pause(ctx, name, reason=reason), _say)


def _say(change: queues.QueueChange) -> None:
    already = "" if change.changed else " already"
    click.echo(f"queue {change.name} is paused{already}")
    if not change.known:
        click.echo(f"no job has named a queue {change.name} yet", err=True)
