"""The script that makes a shell ask queuectl what may come next."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "queuectl"
VARIABLE = "_QUEUECTL_COMPLETE"


def print_script(shell: str) -> None:
    """Print the script for a shell."""
    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion for {shell}")
    # Not source(): for bash that starts one to ask its version, which may be another than the user's.
    click.echo(complete.source_template % complete(click.Group(), {}, PROGRAM, VARIABLE).source_vars())
