"""`queuectl config show`."""

from __future__ import annotations

import click

from queuectl.cli.config_table import print_settings
from queuectl.cli.json_output import Output
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.service.settings import entries


@click.command(cls=Command, examples="queuectl config show")
@output_option
@database_option
def command(output: Output) -> None:
    """The same as list."""
    with open_queue(create=False) as ctx:
        print_settings(entries(ctx), output)
