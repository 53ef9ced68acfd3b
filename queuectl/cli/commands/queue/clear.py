"""`queuectl queue clear`."""

from __future__ import annotations

import click

from queuectl.cli.completion import queue_names
from queuectl.cli.confirm import confirmed
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, yes_option
from queuectl.cli.shown import plural
from queuectl.model.spec import DEFAULT_QUEUE
from queuectl.service import queues


@click.command(
    cls=Command,
    examples="""
    queuectl queue clear mail
    queuectl queue clear --yes
    """,
)
@click.argument("names", metavar="[QUEUE]...", nargs=-1, shell_complete=queue_names)
@yes_option
@database_option
def command(names: tuple[str, ...], yes: bool) -> int:
    """Cancel everything that waits in queues.

    Without a name in 'default'. Running jobs go on, and history stays: 'queuectl retry' brings a cancelled job back.
    """
    names = names or (DEFAULT_QUEUE,)
    if not confirmed(f"Cancel all waiting jobs of {', '.join(names)}?", yes=yes):
        return 1
    with open_queue(create=False) as ctx:
        for name in names:
            click.echo(f"queue {name}: {plural(queues.clear(ctx, name), 'job')} cancelled")
    return 0
