"""`queuectl completion bash`."""

from __future__ import annotations

import click

from queuectl.cli.completion_script import print_script
from queuectl.cli.lazy import Command


@click.command(cls=Command, examples="queuectl completion bash >> ~/.bashrc")
def command() -> None:
    """Print the script for bash."""
    print_script("bash")
