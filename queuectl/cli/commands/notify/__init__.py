"""`queuectl notify`: a group of commands."""

from __future__ import annotations

import click

from queuectl.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    package=__name__,
    sections={
        "Commands": {
            "test": "Send a test to a webhook or a service.",
            "send": "Send what a hook is told; hooks run this.",
        }
    },
    examples="""
    queuectl notify test mailto://ops.example.org
    queuectl notify test https://example.org/queuectl
    """,
)
def command() -> None:
    """Try notifications."""
