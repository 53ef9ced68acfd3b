"""`queuectl worker start`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue
from queuectl.cli.run_options import overrides, run_options
from queuectl.cli.shown import plural
from queuectl.service.context import Context
from queuectl.service.daemon import detach
from queuectl.service.run import RunOptions
from queuectl.service.supervise import supervise


@click.command(
    cls=Command,
    examples="""
    queuectl worker start --count 4
    queuectl worker start --queue mail --detach
    queuectl worker start --until-idle --log-format json
    """,
)
@click.option("-d", "--detach", "detached", is_flag=True, help="In the background, with a log file.")
@run_options
@database_option
def command(
    *,
    slots: int,
    processes: int,
    detached: bool,
    queues: tuple[str, ...],
    until_idle: bool,
    log_format: Literal["text", "json"],
    **settings: str | None,
) -> int:
    """Start a worker, here or in the background.

    The same as 'queuectl run' without a PATH: it also fires the schedules of the queue.
    """
    given = overrides(settings)
    with open_queue(create=True, overrides=given) as ctx:
        if not detached:
            options = RunOptions(slots=slots, queues=queues, until_idle=until_idle, log_format=log_format)
            return supervise(ctx, options, processes=processes)
        log_file = Path(ctx.config.log_file) if ctx.config.log_file else ctx.path.with_suffix(".worker.log")
        started = detach(
            ctx,
            _arguments(
                ctx,
                slots=slots,
                processes=processes,
                queues=queues,
                until_idle=until_idle,
                log_format=log_format,
                settings={**given, "log-file": str(log_file)},
            ),
            log_file,
            workers=processes,
        )
    if not started.workers:
        click.echo(f"the worker found nothing to do and ended, log {started.log_file}")
    elif processes > 1:
        what = plural(len(started.workers), "worker")
        click.echo(f"{what} started: supervisor's pid {started.pid}, log {started.log_file}")
    else:
        click.echo(f"worker {started.workers[0][:8]} started: pid {started.pid}, log {started.log_file}")
    return 0


def _arguments(
    ctx: Context,
    *,
    slots: int,
    processes: int,
    queues: tuple[str, ...],
    until_idle: bool,
    log_format: str,
    settings: dict[str, str],
) -> list[str]:
    """Return the command line of the worker in the background."""
    return [
        "worker", "start", "--db", str(ctx.path), "--slots", str(slots), "--processes", str(processes),
        "--log-format", log_format,
        *(f"--queue={queue}" for queue in queues),
        *(["--until-idle"] if until_idle else []),
        *(f"--{key}={value}" for key, value in settings.items()),
    ]  # fmt: skip
