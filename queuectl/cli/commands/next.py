"""`queuectl next`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from queuectl.cli import params
from queuectl.cli.completion import spec_names
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import SPEC_PATH, database_option, open_queue, output_option
from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import ago, now_ms, utc
from queuectl.rules.instants import format_local
from queuectl.service import fires, views
from queuectl.service.settings import effective

COLUMNS = (Column("SPEC", flexible=True), Column("DUE (UTC)"), Column("LOCAL"), Column("IN"))


@click.command(
    cls=Command,
    examples="""
    queuectl next
    queuectl next jobs.d/ --count 5
    queuectl next jobs.d/dump.yaml --from 2026-03-28 --count 3
    queuectl next --spec nightly-dump --count 10 -o json
    """,
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=SPEC_PATH)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=1,
    show_default=True,
    help="So many per spec.",
)
@click.option("--from", "start", metavar="T", help="From then on.  [default: now]")
@click.option(
    "--spec", "specs", multiple=True, metavar="NAME", shell_complete=spec_names, help="Only of this spec."
)
@output_option
@database_option
def command(
    paths: tuple[Path, ...], count: int, start: str | None, specs: tuple[str, ...], output: Output
) -> None:
    """Show the coming fires of the queue or of files.

    With a PATH of its spec files, as if they were applied then; that needs no queue.
    """
    if paths:
        config = effective({}, os.environ)
        at = params.instant(start, "--from", config.timezone)
        found = fires.coming_of_files(paths, config, count=count, from_ms=now_ms() if at is None else at)
        found = [fire for fire in found if not specs or fire.spec in specs]
    else:
        with open_queue(create=False) as ctx:
            at = params.instant(start, "--from", ctx.config.timezone)
            found = fires.coming(ctx, count=count, from_ms=at, specs=specs or None)
    if output != "table":
        print_array((views.coming_view(fire.spec, fire.due_at, fire.zone) for fire in found), output)
        return
    now = now_ms()
    print_table(
        COLUMNS,
        [
            (
                fire.spec,
                utc(fire.due_at),
                format_local(fire.due_at, fire.zone),
                ago(fire.due_at, now),
            )
            for fire in found
        ],
        nothing="nothing is scheduled",
    )
