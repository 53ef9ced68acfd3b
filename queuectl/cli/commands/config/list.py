"""`queuectl config list`."""

from __future__ import annotations

import click

from queuectl.cli.config_table import print_settings
from queuectl.cli.json_output import Output
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.service.settings import entries


@click.command(
    cls=Command,
    examples="""
    queuectl config list
    queuectl config list -o json
    """,
)
@output_option
@database_option
def command(output: Output) -> None:
    """List keys, values and where they come from."""
    with open_queue(create=False) as ctx:
        print_settings(entries(ctx), output)
