"""`queuectl spec list`."""

from __future__ import annotations

import click

from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, label_option, open_queue, output_option
from queuectl.cli.shown import command_text
from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import ago, now_ms
from queuectl.model.fire import StoredSpec
from queuectl.service import specs, views

COLUMNS = (
    Column("SPEC"),
    Column("SCHEDULE"),
    Column("NEXT"),
    Column("LAST"),
    Column("COMMAND", flexible=True),
    Column("FILE", flexible=True),
    Column("NOTE", optional=True),
)


@click.command(
    cls=Command,
    examples="""
    queuectl spec list
    queuectl spec list --source infra/jobs.d -o json
    """,
)
@click.option("--source", metavar="NAME", help="Only specs of this source.")
@label_option
@output_option
@database_option
def command(source: str | None, labels: dict[str, str], output: Output) -> None:
    """List specs and when they fire next."""
    with open_queue(create=False) as ctx:
        found = [
            stored
            for stored in specs.list_specs(ctx)
            if source in {None, stored.source} and labels.items() <= stored.spec.labels.items()
        ]
        zone = ctx.config.timezone
    if output != "table":
        print_array((views.spec_view(stored, zone=zone) for stored in found), output)
        return
    now = now_ms()
    print_table(
        COLUMNS, [_row(stored, zone, now) for stored in found], nothing="no specs; 'queuectl apply' adds some"
    )


def _row(stored: StoredSpec, zone: str, now: int) -> tuple[object, ...]:
    view = views.spec_view(stored, zone=zone)
    return (
        stored.name,
        schedule_text(view["schedule"]),
        None if stored.paused or stored.next_fire_at is None else ago(stored.next_fire_at, now),
        None if stored.last_fire_at is None else ago(stored.last_fire_at, now),
        command_text(stored.spec.command),
        stored.file,
        _note(stored),
    )


def _note(stored: StoredSpec) -> str | None:
    if stored.damage:
        return "damaged"
    if stored.paused:
        return f"paused: {stored.pause_reason}" if stored.pause_reason else "paused"
    return "orphaned" if stored.orphaned else None


def schedule_text(schedule: str | dict[str, object] | None) -> str:
    """Return a schedule in one line."""
    if not isinstance(schedule, dict):
        return schedule or "once"
    crons, every = schedule.get("cron"), schedule.get("every")
    return "; ".join(map(str, crons)) if isinstance(crons, list) else f"every {every}"
