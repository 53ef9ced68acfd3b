"""`queuectl worker`: a group of commands."""

from __future__ import annotations

import click

from queuectl.cli.lazy import LazyGroup
from queuectl.cli.options import database_option


class _WorkerGroup(LazyGroup):
    """`worker --count 2` is `worker start --count 2`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--db", *ctx.help_option_names}
        if args and args[0].startswith("-") and args[0].partition("=")[0] not in own:
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_WorkerGroup,
    package=__name__,
    sections={
        "Commands": {
            "start": "Start a worker, here or in the background.",
            "stop": "Stop workers and wait until they are gone.",
            "pause": "Let workers take no more jobs.",
            "resume": "Let workers take jobs again.",
            "list": "List workers.",
        }
    },
    examples="""
    queuectl worker start --count 4
    queuectl worker start --detach
    queuectl worker stop
    """,
)
@database_option
def command() -> None:
    """Start, stop, pause and list workers.

    A worker runs up to --count jobs at once and fires the schedules: 'queuectl run' under
    another name.
    """
