"""`queuectl trigger`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import spec_names
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.shown import plural
from queuectl.cli.waiting import exit_code, wait_for
from queuectl.model.job import Job
from queuectl.model.states import JobState
from queuectl.rules.shapes import job_view
from queuectl.service.context import Context
from queuectl.service.flows import count_needing
from queuectl.service.specs import trigger


@click.command(
    cls=Command,
    examples="""
    queuectl trigger nightly-dump
    queuectl trigger nightly-dump --wait && echo done
    queuectl trigger export --set DAY=2026-03-01 --at 2026-03-02T04:00
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=spec_names)
@click.option(
    "--set", "arguments", multiple=True, metavar="NAME=VALUE", callback=params.pairs, help="A parameter."
)
@click.option(
    "--at", metavar="T", help="Start then: 2026-03-01T22:00; UTC or config timezone if it says none."
)
@click.option("--wait", is_flag=True, help="Wait for the jobs to end; exit code 1 unless all complete.")
@output_option
@database_option
def command(
    names: tuple[str, ...], arguments: dict[str, str], at: str | None, wait: bool, output: Output
) -> int:
    """Make a job of a spec now.

    Whatever its schedule says, and also when it is paused. The jobs of specs that need it are made with it.
    """
    with open_queue(create=False) as ctx:
        start = params.instant(at, "--at", ctx.config.timezone)
        made = trigger(ctx, names, arguments=arguments, at=start)
        if output == "table":
            for job in made:
                click.echo(f"{job.spec}: job {job.id} is {job.state}{_more(ctx, job)}")
        ended = wait_for(ctx, made, timeout_ms=None) if wait else made
    if output != "table":
        print_array(map(job_view, ended), output)
    return exit_code(ended, quiet=output != "table") if wait else 0


def _more(ctx: Context, job: Job) -> str:
    """Say what it waits for, and that others follow it."""
    why = f": {job.reason}" if job.state is JobState.BLOCKED else ""
    needing = count_needing(ctx, job)
    follow = f"; {plural(needing, 'job')} {'follows' if needing == 1 else 'follow'}: queuectl flow {job.id}"
    return f"{why}{follow if needing else ''}"
