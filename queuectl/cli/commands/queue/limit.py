"""`queuectl queue limit`."""

from __future__ import annotations

import click

from queuectl.cli.completion import queue_names
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.model.errors import UsageError
from queuectl.rules.rates import parse_rate
from queuectl.service import queues


@click.command(
    cls=Command,
    examples="""
    queuectl queue limit mail --rate 100/m
    queuectl queue limit video --running 2
    queuectl queue limit mail --none
    """,
)
@click.argument("name", metavar="QUEUE", shell_complete=queue_names)
@click.option("--rate", metavar="R", help="At most so many starts, spread out: 100/m, 5/s.")
@click.option("--running", type=click.IntRange(1, 100_000), metavar="N", help="At most so many at once.")
@click.option("--none", "lifted", is_flag=True, help="No limit any more.")
@database_option
def command(name: str, rate: str | None, running: int | None, lifted: bool) -> None:
    """Limit how many jobs run and how often they start.

    The limits are of the queue, over all workers. What is not given is not limited.
    """
    if lifted == bool(rate is not None or running is not None):
        raise UsageError("expected --rate, --running or both; or --none alone")
    try:
        interval = None if rate is None else parse_rate(rate)
    except ValueError as error:
        raise UsageError(f"--rate: {error}") from None
    with open_queue(create=True) as ctx:
        known = queues.limit(ctx, name, running=running, interval_us=interval)
    limits = [f"{running} at once"] * (running is not None) + [f"{rate}"] * (rate is not None)
    click.echo(f"queue {name}: {' and '.join(limits) if limits else 'no limit'}")
    if not known:
        click.echo(f"no job has named a queue {name} yet", err=True)
