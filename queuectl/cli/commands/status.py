"""`queuectl status`."""

from __future__ import annotations

import click

from queuectl.cli.json_output import Output, print_object
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.shown import plural
from queuectl.cli.tables import print_fields, styled_state
from queuectl.cli.times import ago, now_ms, rough
from queuectl.cli.visible import visible
from queuectl.service.status import Status, status


@click.command(
    cls=Command,
    examples="""
    queuectl status
    queuectl status -o json | jq .jobs.dead
    """,
)
@output_option
@database_option
def command(output: Output) -> None:
    """Show what the queue is doing."""
    with open_queue(create=False) as ctx:
        found = status(ctx)
        if not ctx.exists:
            click.echo(f"there is no queue at {ctx.path} yet: enqueue, apply or run makes one", err=True)
    if output != "table":
        from queuectl.service import views  # noqa: PLC0415  not for people

        print_object(views.status_view(found), output)
        return
    _print(found)


def _print(found: Status) -> None:
    now = now_ms()
    oldest, rate = found.oldest_pending_s, found.success_rate
    print_fields(
        [
            ("jobs", f"{found.total:,}"),
            *((f"  {state}", styled_count(state, count)) for state, count in found.jobs.items()),
            ("success rate", None if rate is None else f"{rate:.1%}"),
            ("average duration", None if found.avg_duration_ms is None else rough(found.avg_duration_ms)),
            ("oldest pending", None if oldest is None else f"waits {rough(oldest * 1000)}"),
            ("workers", _workers(found)),
            ("next fires", _fires(found, now)),
        ]
    )


def styled_count(state: str, count: int) -> str:
    """Return a count, coloured as its state unless it is 0."""
    return styled_state(state, f"{count:,}") if count else "0"


def _workers(found: Status) -> str:
    if not found.workers:
        return "none; 'queuectl run' is one"
    busy = sum(seen.worker.running for seen in found.workers)
    slots = sum(seen.worker.slots for seen in found.workers)
    odd = [
        f"{seen.worker.id[:8]} is {seen.condition}" for seen in found.workers if seen.condition != "running"
    ]
    return f"{plural(len(found.workers), 'worker')}, {busy} of {plural(slots, 'slot')} busy" + "".join(
        f"\n{line}" for line in odd
    )


def _fires(found: Status, now: int) -> str | None:
    lines = [f"{ago(stored.next_fire_at, now)}  {visible(stored.name)}" for stored in found.next_fires]
    return "\n".join(lines) or None
