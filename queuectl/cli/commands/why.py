"""`queuectl why`."""

from __future__ import annotations

import click
import msgspec

from queuectl.cli.completion import job_ids
from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.visible import visible
from queuectl.service.why import why


@click.command(
    cls=Command,
    examples="""
    queuectl why 12
    queuectl why nightly-dump
    """,
)
@click.argument("name", metavar="ID | SPEC", shell_complete=job_ids)
@output_option
@database_option
def command(name: str, output: Output) -> None:
    """Say why a job or spec is not running, and what would change it.

    ID is a job's number, its key, or a spec's name: then of its open job, or of its schedule.
    """
    with open_queue(create=False, looking=True) as ctx:
        found = why(ctx, name)
    if output == "table":
        click.echo(f"{found.what}: {visible(found.reason)}")
        click.echo(f"  {visible(found.advice)}")
    else:
        print_object(msgspec.to_builtins(found), output)
