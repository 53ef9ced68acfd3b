"""`queuectl worker pause`."""

from __future__ import annotations

import click

from queuectl.cli.completion import worker_ids
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.cli.shown import plural
from queuectl.service import workers


@click.command(
    cls=Command,
    examples="""
    queuectl worker pause
    queuectl worker pause 4f6a
    """,
)
@click.argument("worker_id", metavar="[ID]", required=False, shell_complete=worker_ids)
@database_option
def command(worker_id: str | None) -> None:
    """Let workers take no more jobs.

    Attempts that run go on. Without an ID all of them; the beginning of an ID is enough.
    """
    with open_queue(create=False) as ctx:
        worker = workers.find(ctx, worker_id) if worker_id is not None else None
        changed = workers.pause(ctx, worker)
    click.echo(f"{plural(changed, 'worker')} paused")
