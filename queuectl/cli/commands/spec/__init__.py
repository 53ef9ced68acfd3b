"""`queuectl spec`: a group of commands."""

from __future__ import annotations

import click

from queuectl.cli.lazy import LazyGroup
from queuectl.cli.options import database_option


@click.group(
    cls=LazyGroup,
    package=__name__,
    sections={
        "Commands": {
            "list": "List specs and when they fire next.",
            "show": "Show everything about a spec.",
            "pause": "Let schedules make no jobs.",
            "resume": "Let schedules make jobs again.",
            "delete": "Delete specs, as pruning does.",
        }
    },
    examples="""
    queuectl spec list
    queuectl spec pause nightly-dump
    """,
)
@database_option
def command() -> None:
    """List, show, pause and delete specs."""
