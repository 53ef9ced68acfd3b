"""`queuectl completion`: a group of commands."""

from __future__ import annotations

import click

from queuectl.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    package=__name__,
    sections={
        "Shells": {
            "bash": "Print the script for bash.",
            "zsh": "Print the script for zsh.",
            "fish": "Print the script for fish.",
        }
    },
    examples="""
    queuectl completion bash >> ~/.bashrc
    queuectl completion fish > ~/.config/fish/completions/queuectl.fish
    """,
)
def command() -> None:
    """Print the completion script of a shell.

    It completes commands, options, and the ids and names in the queue.
    """
