"""`queuectl fires`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import spec_names
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.limits import limit_option, one_more, say_cut
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import ago, now_ms, utc
from queuectl.model.fire import Fire
from queuectl.service import fires, views

COLUMNS = (
    Column("SPEC", flexible=True),
    Column("DUE (UTC)"),
    Column("WHEN"),
    Column("OUTCOME", state=True),
    Column("JOB", justify="right"),
    Column("REASON", flexible=True, optional=True),
)


@click.command(
    cls=Command,
    examples="""
    queuectl fires
    queuectl fires nightly-dump --since 7d
    """,
)
@click.argument("spec", required=False, shell_complete=spec_names)
@click.option("--since", metavar="T", help="Only those due since: a time, or so long ago (24h).")
@limit_option
@output_option
@database_option
def command(spec: str | None, since: str | None, limit: int, output: Output) -> None:
    """Show the ledger: due instants and what became of them.

    Every due instant of every schedule gets one row, newest first; a stretch of missed ones is one
    row together.
    """
    with open_queue(create=False) as ctx:
        start = params.since(since, "--since", ctx.config.timezone)
        found = fires.ledger(ctx, spec, since=start, limit=one_more(limit))
    shown = found[: limit or None]
    if output == "table":
        now = now_ms()
        print_table(COLUMNS, [_row(fire, now) for fire in shown], nothing="nothing has been due yet")
    else:
        print_array(map(views.fire_view, shown), output)
    say_cut(found, limit)


def _row(fire: Fire, now: int) -> tuple[object, ...]:
    due = utc(fire.due_at) if fire.until is None else f"{utc(fire.due_at)} … {utc(fire.until)}"
    outcome = fire.outcome if fire.count == 1 else f"{fire.count:,} × {fire.outcome}"
    return fire.spec, due, ago(fire.until or fire.due_at, now), outcome, fire.job_id, fire.reason
