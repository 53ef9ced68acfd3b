"""`queuectl backfill`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import spec_names
from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.shown import plural
from queuectl.cli.times import utc
from queuectl.model.errors import UsageError
from queuectl.service.backfill import Backfill, backfill
from queuectl.service.views import backfill_view

_SHOWN = 20


@click.command(
    cls=Command,
    examples="""
    queuectl backfill export --from 2026-03-01 --to 2026-03-08 --dry-run
    queuectl backfill export --from 2026-03-01 --to 2026-03-08 --spacing 5m
    """,
)
@click.argument("name", metavar="NAME", shell_complete=spec_names)
@click.option("--from", "start", metavar="T", required=True, help="The first instant.")
@click.option("--to", "end", metavar="T", help="Before this instant.  [default: now]")
@click.option(
    "--spacing", metavar="D", callback=params.duration, help="So long between two starts, at least."
)
@click.option("--again", is_flag=True, help="Also instants that have had a job.")
@click.option(
    "--set", "arguments", multiple=True, metavar="NAME=VALUE", callback=params.pairs, help="A parameter."
)
@click.option("--dry-run", is_flag=True, help="Only say which instants.")
@output_option
@database_option
def command(
    *,
    name: str,
    start: str,
    end: str | None,
    spacing: int | None,
    again: bool,
    arguments: dict[str, str],
    dry_run: bool,
    output: Output,
) -> None:
    """Run a schedule for instants of the past.

    Each gets a job with its QUEUECTL_FIRE_AT, and a line in the ledger. They run one after the other,
    unless the spec says overlap: allow.
    """
    with open_queue(create=False) as ctx:
        first = params.instant(start, "--from", ctx.config.timezone)
        last = params.instant(end, "--to", ctx.config.timezone)
        if first is None:
            raise UsageError("--from: expected an instant")
        found = backfill(
            ctx,
            name,
            start=first,
            end=ctx.now() if last is None else last,
            spacing_ms=spacing or 0,
            again=again,
            dry_run=dry_run,
            arguments=arguments,
        )
    if output == "table":
        _say(found, dry_run)
    else:
        print_object(backfill_view(found), output)


def _say(found: Backfill, dry_run: bool) -> None:
    for number, at in enumerate(found.due[:_SHOWN]):
        job = f": job {found.job_ids[number]}" if found.job_ids else ""
        click.echo(f"{found.spec} of {utc(at)}{job}")
    if len(found.due) > _SHOWN:
        click.echo(f"… and {len(found.due) - _SHOWN:,} more")
    did = "would be made" if dry_run else "made"
    ran = f"; {plural(len(found.ran), 'instant')} had one already" if found.ran else ""
    click.echo(f"{plural(len(found.due), 'job')} {did}{ran}")
