"""`queuectl trigger`."""

from __future__ import annotations

import click

from queuectl.cli.completion import spec_names
from queuectl.cli.json_output import Output, print_array
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, output_option
from queuectl.cli.waiting import exit_code, wait_for
from queuectl.service import views
from queuectl.service.specs import trigger


@click.command(
    cls=Command,
    examples="""
    queuectl trigger nightly-dump
    queuectl trigger nightly-dump --wait && echo done
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=spec_names)
@click.option("--wait", is_flag=True, help="Wait for the jobs to end; exit code 1 unless all complete.")
@output_option
@database_option
def command(names: tuple[str, ...], wait: bool, output: Output) -> int:
    """Make a job of a spec now.

    Whatever its schedule says, and also when it is paused.
    """
    with open_queue(create=False) as ctx:
        made = trigger(ctx, names)
        if output == "table":
            for job in made:
                click.echo(f"{job.spec}: job {job.id} is {job.state}")
        ended = wait_for(ctx, made, timeout_ms=None) if wait else made
    if output != "table":
        print_array(map(views.job_view, ended), output)
    return exit_code(ended, quiet=output != "table") if wait else 0
