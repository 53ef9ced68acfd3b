"""`queuectl config unset`."""

from __future__ import annotations

import click

from queuectl.cli.completion import config_keys
from queuectl.cli.each import for_each
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.cli.visible import visible
from queuectl.service.settings import get, unset


@click.command(cls=Command, examples="queuectl config unset max-retries timezone")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, shell_complete=config_keys)
@database_option
def command(keys: tuple[str, ...]) -> None:
    """Go back to the default of keys."""
    with open_queue(create=False) as ctx:
        for_each(
            keys,
            lambda key: (unset(ctx, key), get(ctx, key))[1],
            lambda setting: click.echo(f"{setting.key} = {visible(setting.value)} ({setting.origin})"),
        )
