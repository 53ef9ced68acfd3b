"""`queuectl completion fish`."""

from __future__ import annotations

import click

from queuectl.cli.completion_script import print_script
from queuectl.cli.lazy import Command


@click.command(cls=Command, examples="queuectl completion fish > ~/.config/fish/completions/queuectl.fish")
def command() -> None:
    """Print the script for fish."""
    print_script("fish")
