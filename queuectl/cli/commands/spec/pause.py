"""`queuectl spec pause`."""

from __future__ import annotations

import click

from queuectl.cli.completion import spec_names
from queuectl.cli.each import for_each
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.service import specs


@click.command(
    cls=Command,
    examples="""
    queuectl spec pause nightly-dump
    queuectl spec pause nightly-dump --reason 'the disk is full'
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=spec_names)
@click.option("--reason", metavar="TEXT", help="Why, for all who see it.")
@database_option
def command(names: tuple[str, ...], reason: str | None) -> None:
    """Let schedules make no jobs.

    Until they are resumed, whatever is applied; what they would have made meanwhile is not caught
    up. 'queuectl trigger' still makes jobs.
    """
    with open_queue(create=False) as ctx:
        for_each(
            names,
            lambda name: specs.pause(ctx, name, reason=reason),
            lambda stored: click.echo(f"spec {stored.name} is paused"),
        )
