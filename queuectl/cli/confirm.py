"""Asking before something is destroyed."""

from __future__ import annotations

import sys

import click

from queuectl.model.errors import UsageError


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask on the terminal, or take `--yes` for the answer. Without either it is a usage error."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} There is no terminal to ask on: say --yes")
    if click.confirm(question, default=False, err=True):
        return True
    click.echo("nothing was changed", err=True)
    return False
