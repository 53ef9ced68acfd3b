"""`queuectl queue list`."""

from __future__ import annotations

import click

from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.tables import Column, print_table
from queuectl.cli.times import ago, now_ms
from queuectl.model.worker import QueueInfo
from queuectl.rules.rates import format_rate
from queuectl.service import queues, views

COLUMNS = (
    Column("QUEUE"),
    Column("WAITING", justify="right"),
    Column("PROCESSING", justify="right"),
    Column("LIMIT", optional=True),
    Column("PAUSED", flexible=True, optional=True),
)


@click.command(cls=Command, examples="queuectl queue list")
@output_option
@database_option
def command(output: Output) -> None:
    """List queues and how much is in them."""
    with open_queue(create=False) as ctx:
        found = queues.list_queues(ctx)
    if output != "table":
        print_array(map(views.queue_view, found), output)
        return
    now = now_ms()
    print_table(
        COLUMNS,
        [
            (
                queue.name,
                queue.waiting,
                queue.processing,
                _limit(queue),
                _paused(queue, now),
            )
            for queue in found
        ],
        nothing="no queues",
    )


def _paused(queue: QueueInfo, now: int) -> str | None:
    if queue.paused_at is None:
        return None
    who = f"{ago(queue.paused_at, now)} by {queue.paused_by}"
    return f"{who}: {queue.pause_reason}" if queue.pause_reason else who


def _limit(queue: QueueInfo) -> str | None:
    limits = [] if queue.running_limit is None else [f"{queue.running_limit} at once"]
    limits += [] if queue.interval_us is None else [format_rate(queue.interval_us)]
    return ", ".join(limits) or None
