"""`queuectl schema`."""

from __future__ import annotations

import click

from queuectl.cli.lazy import Command
from queuectl.specs.schema import schema_text


@click.command(
    cls=Command,
    examples="""
    queuectl schema > job.schema.json
    """,
)
def command() -> None:
    """Print the JSON Schema of spec files.

    Editors complete and check spec files with it: put
    '# yaml-language-server: $schema=job.schema.json' on a file's first line.
    """
    click.echo(schema_text().rstrip("\n"))
