"""`queuectl queue`: a group of commands."""

from __future__ import annotations

import click

from queuectl.cli.lazy import LazyGroup
from queuectl.cli.options import database_option


@click.group(
    cls=LazyGroup,
    package=__name__,
    sections={
        "Commands": {
            "list": "List queues and how much is in them.",
            "pause": "Let workers take nothing more from queues.",
            "resume": "Let workers take from queues again.",
            "limit": "Limit how many jobs run and how often they start.",
            "clear": "Cancel everything that waits in queues.",
        }
    },
    examples="""
    queuectl queue list
    queuectl queue pause mail
    """,
)
@database_option
def command() -> None:
    """List, pause, resume, limit and clear queues."""
