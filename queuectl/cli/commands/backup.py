"""`queuectl backup`."""

from __future__ import annotations

from pathlib import Path

import click

from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.rules.units import format_size
from queuectl.service.backup import backup


@click.command(
    cls=Command,
    examples="""
    queuectl backup /backup/queue-2026-05-01.db
    """,
)
@click.argument("file", type=click.Path(path_type=Path))
@database_option
def command(file: Path) -> None:
    """Copy the queue to a file while it is used.

    FILE must not exist. Copying the database file itself while workers run gives a broken copy;
    this one is the queue as of one instant.
    """
    with open_queue(create=False) as ctx:
        backup(ctx, file)
    click.echo(f"copied to {file} ({format_size(file.stat().st_size)})")
