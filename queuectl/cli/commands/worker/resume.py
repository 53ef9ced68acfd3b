"""`queuectl worker resume`."""

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
    queuectl worker resume
    queuectl worker resume 4f6a
    """,
)
@click.argument("worker_id", metavar="[ID]", required=False, shell_complete=worker_ids)
@database_option
def command(worker_id: str | None) -> None:
    """Let workers take jobs again.

    Without an ID all of them; the beginning of an ID is enough.
    """
    with open_queue(create=False) as ctx:
        worker = workers.find(ctx, worker_id) if worker_id is not None else None
        changed = workers.resume(ctx, worker)
    click.echo(f"{plural(changed, 'worker')} resumed")
