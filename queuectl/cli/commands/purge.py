"""`queuectl purge`."""

from __future__ import annotations

import click

from queuectl.cli import params
from queuectl.cli.completion import state_names
from queuectl.cli.confirm import confirmed
from queuectl.cli.lazy import Command
from queuectl.cli.options import database_option, open_queue, yes_option
from queuectl.cli.progress import counter
from queuectl.cli.shown import plural
from queuectl.cli.times import rough
from queuectl.model.states import JobState
from queuectl.service.jobs import PURGED_BY_DEFAULT, purge


@click.command(
    cls=Command,
    examples="""
    queuectl purge --older-than 30d --yes
    queuectl purge --state dead,cancelled --older-than 90d
    """,
)
@click.option(
    "-s", "--state", "states", multiple=True, metavar="STATE", callback=params.states,
    shell_complete=state_names, help="completed, dead or cancelled.  [default: completed,cancelled]",
)  # fmt: skip
@click.option(
    "--older-than", metavar="D", callback=params.duration_from_zero, help="Ended at least so long ago."
)
@yes_option
@database_option
def command(states: tuple[JobState, ...], older_than: int | None, yes: bool) -> int:
    """Delete old finished jobs.

    With their attempts and output. Workers do this by themselves, see the keep-... keys of 'queuectl config'.
    """
    wanted = frozenset(states) or PURGED_BY_DEFAULT
    age = f" that ended over {rough(older_than)} ago" if older_than else ""
    if not confirmed(f"Delete all {' and '.join(sorted(wanted))} jobs{age}?", yes=yes):
        return 1
    with open_queue(create=False) as ctx, counter("jobs deleted") as progress:
        gone = purge(ctx, wanted, older_than_ms=older_than or 0, progress=progress)
    click.echo(f"{plural(gone, 'job')} deleted")
    return 0
