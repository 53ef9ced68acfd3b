"""`queuectl worker stop`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import worker_ids
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.cli.shown import plural
from queuectl.cli.visible import visible
from queuectl.service import workers


@click.command(
    cls=Command,
    examples="""
    queuectl worker stop
    queuectl worker stop 4f6a --now
    """,
)
@click.argument("worker_id", metavar="[ID]", required=False, shell_complete=worker_ids)
@click.option("--now", is_flag=True, help="Terminate running attempts; their jobs go back to pending.")
@click.option("--timeout", metavar="D", callback=params.duration, help="Wait at most so long, then exit 1.")
@database_option
def command(worker_id: str | None, now: bool, timeout: int | None) -> None:
    """Stop workers and wait until they are gone.

    They take no more jobs and let running attempts finish. Without an ID all of them; the
    beginning of an ID is enough.
    """
    with open_queue(create=False) as ctx:
        worker = workers.find(ctx, worker_id) if worker_id is not None else None
        stop = workers.stop(ctx, worker, now=now, wait=True, timeout_ms=timeout)
    click.echo(f"{plural(len(stop.asked) - len(stop.dead), 'worker')} stopped")
    for dead in stop.dead:
        what = (
            f"worker {dead.id} on {visible(dead.host)} was dead already; the next worker takes its jobs back"
        )
        click.echo(what, err=True)
