"""`queuectl completion zsh`."""

from __future__ import annotations

import click

from queuectl.cli.completion_script import print_script
from queuectl.cli.lazy import Command


@click.command(cls=Command, examples="queuectl completion zsh >> ~/.zshrc")
def command() -> None:
    """Print the script for zsh."""
    print_script("zsh")
