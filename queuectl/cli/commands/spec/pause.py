"""`queuectl spec pause`."""

from __future__ import annotations

import click

from queuectl.cli.completion import spec_names
from queuectl.cli.each import for_each
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.service import specs


@click.command(cls=Command, examples="queuectl spec pause nightly-dump")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=spec_names)
@database_option
def command(names: tuple[str, ...]) -> None:
    """Let schedules make no jobs.

    Until they are resumed, whatever is applied; what they would have made meanwhile is not caught
    up. 'queuectl trigger' still makes jobs.
    """
    with open_queue(create=False) as ctx:
        for_each(
            names,
            lambda name: specs.pause(ctx, name),
            lambda stored: click.echo(f"spec {stored.name} is paused"),
        )
