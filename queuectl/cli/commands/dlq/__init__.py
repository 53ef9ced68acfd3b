"""`queuectl dlq`: a group of commands."""

from __future__ import annotations

import click

from queuectl.cli.lazy import LazyGroup
from queuectl.cli.options import database_option


@click.group(
    cls=LazyGroup,
    package=__name__,
    sections={
        "Commands": {
            "list": "List dead jobs, newest first.",
            "show": "Show everything about a dead job.",
            "retry": "Send dead jobs back to pending.",
            "clear": "Delete dead jobs.",
        }
    },
    examples="""
    queuectl dlq list
    queuectl dlq retry 12 13
    queuectl dlq retry --all
    """,
)
@database_option
def command() -> None:
    """Look through the dead letter queue and redrive it.

    Jobs land here, in state dead, when their retries are used up or an exit code says so.
    """
