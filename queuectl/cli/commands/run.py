"""`queuectl run`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from queuectl.cli.lazy import Command
from queuectl.cli.options import SPEC_PATH, already_read, database_option, open_queue_for
from queuectl.cli.progress import tally
from queuectl.cli.run_options import overrides, run_options
from queuectl.cli.streams import abandon
from queuectl.service.context import Context
from queuectl.service.run import RunOptions
from queuectl.service.supervise import supervise


def _address(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[str, int] | None:
    if text is None:
        return None
    from queuectl.cli.dashboard import address  # noqa: PLC0415  loads what a dashboard needs

    return address(text)


@click.command(
    cls=Command,
    examples="""
    queuectl run
    queuectl run jobs.d/ --watch --slots 8
    queuectl run --until-idle --queue images --queue mail
    queuectl run --slots 8 --processes 8
    queuectl run jobs.d/ --dashboard 8080
    """,
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=SPEC_PATH)
@click.option("--watch", is_flag=True, help="Apply PATH again when its files change.")
@click.option(
    "--dashboard",
    metavar="[HOST:]PORT",
    callback=_address,
    help="Show a dashboard there for as long as it runs.",
)
@run_options
@database_option
def command(
    *,
    paths: tuple[Path, ...],
    slots: int,
    processes: int,
    watch: bool,
    dashboard: tuple[str, int] | None,
    queues: tuple[str, ...],
    until_idle: bool,
    log_format: Literal["text", "json"],
    **settings: str | None,
) -> int:
    """Schedule and run jobs: the scheduler and worker in one.

    With a PATH its specs are applied first. The first Ctrl-C lets running jobs finish, the second
    terminates them; their jobs go back to pending.
    """
    if watch and not paths:
        raise click.UsageError("--watch needs a PATH to watch", click.get_current_context())
    with open_queue_for(paths, overrides=overrides(settings)) as ctx:
        if dashboard is not None:
            from queuectl.cli.dashboard import dashboard_beside  # noqa: PLC0415  loads a web server

            dashboard_beside(ctx, *dashboard)
        if paths:
            _apply(ctx, paths)
        with tally(wanted=until_idle and ctx.config.log_file is not None) as progress:
            options = RunOptions(
                slots=slots,
                queues=queues,
                until_idle=until_idle,
                watch=paths if watch else (),
                log_format=log_format,
                progress=progress,
            )
            return supervise(ctx, options, processes=processes)


def _apply(ctx: Context, paths: tuple[Path, ...]) -> None:
    from queuectl.cli.plan_page import say_applied  # noqa: PLC0415  heavy, and most runs have no PATH
    from queuectl.service.apply import apply  # noqa: PLC0415  the same

    plan = apply(ctx, paths, loaded=already_read()).plan
    try:
        say_applied(plan)
    except OSError:  # nobody can read it: that keeps no job from running
        abandon()
