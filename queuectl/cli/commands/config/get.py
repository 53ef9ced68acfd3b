"""`queuectl config get`."""

from __future__ import annotations

import click

from queuectl.cli.completion import config_keys
from queuectl.cli.config_table import print_settings
from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.visible import visible
from queuectl.service.settings import entries, get
from queuectl.service.views import setting_view


@click.command(
    cls=Command,
    examples="""
    queuectl config get
    queuectl config get max-retries
    """,
)
@click.argument("key", required=False, shell_complete=config_keys)
@output_option
@database_option
def command(key: str | None, output: Output) -> None:
    """Print the value of a key; without one, all."""
    with open_queue(create=False) as ctx:
        if key is None:
            print_settings(entries(ctx), output)
            return
        setting = get(ctx, key)
    if output == "table":
        click.echo(visible(setting.value))
    else:
        print_object(setting_view(setting), output)
