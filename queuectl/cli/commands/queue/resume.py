"""`queuectl queue resume`."""

from __future__ import annotations

import click

from queuectl.cli.completion import queue_names
from queuectl.cli.each import for_each
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.service import queues


@click.command(cls=Command, examples="queuectl queue resume mail")
@click.argument("names", metavar="QUEUE...", nargs=-1, required=True, shell_complete=queue_names)
@database_option
def command(names: tuple[str, ...]) -> None:
    """Let workers take from queues again."""
    with open_queue(create=False) as ctx:
        for_each(names, lambda name: queues.resume(ctx, name), _say)


def _say(change: queues.QueueChange) -> None:
    already = "" if change.changed else " already"
    click.echo(f"queue {change.name} is open{already}")
