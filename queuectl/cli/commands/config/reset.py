"""`queuectl config reset`."""

from __future__ import annotations

import click

from queuectl.cli.confirm import confirmed
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, yes_option
from queuectl.cli.shown import plural
from queuectl.service.settings import reset


@click.command(
    cls=Command,
    examples="""
    queuectl config reset
    queuectl config reset --yes
    """,
)
@yes_option
@database_option
def command(yes: bool) -> int:
    """Go back to the default of all keys."""
    if not confirmed("Forget everything that 'config set' has set?", yes=yes):
        return 1
    with open_queue(create=False) as ctx:
        click.echo(f"{plural(reset(ctx), 'key')} reset")
    return 0
