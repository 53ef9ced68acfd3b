"""`queuectl spec delete`."""

from __future__ import annotations

import click

from queuectl.cli.completion import spec_names
from queuectl.cli.confirm import confirmed
from queuectl.cli.each import for_each
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, yes_option
from queuectl.service import specs


@click.command(
    cls=Command,
    examples="""
    queuectl spec delete old-report
    queuectl spec delete old-report --yes
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=spec_names)
@yes_option
@database_option
def command(names: tuple[str, ...], yes: bool) -> int:
    """Delete specs, as pruning does.

    Waiting jobs are cancelled, running ones finish, history stays. A spec whose file is still there
    comes back with the next apply.
    """
    with open_queue(create=False) as ctx:
        found = [specs.find_spec(ctx, name) for name in names]
        if not confirmed(f"Delete {', '.join(stored.name for stored in found)}?", yes=yes):
            return 1
        for_each(
            names,
            lambda name: specs.delete(ctx, name),
            lambda stored: click.echo(f"spec {stored.name} is deleted"),
        )
    return 0
