"""What `doctor` finds: a word, a check, and over as many lines as it takes what is to be said."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping

import click

from queuectl.cli.shown import plural
from queuectl.cli.visible import visible
from queuectl.service.doctor import Finding

SIGNS = {"ok": ("✓ ok", "green"), "warning": ("! warning", "yellow"), "problem": ("✗ problem", "red")}
WIDTHS = 11, 12
"""Of the first two columns."""
NARROWEST = 30
"""Of the third, on a terminal. In a pipe nothing is wrapped."""


def print_finding(finding: Finding) -> None:
    """Print one, its advice below it behind an arrow."""
    word, colour = SIGNS[finding.status]
    head = click.style(word.ljust(WIDTHS[0]), fg=colour) + finding.check.ljust(WIDTHS[1])
    margin = " " * sum(WIDTHS)
    lines = _wrapped(visible(finding.found))
    if finding.advice is not None:
        first, *more = _wrapped(visible(finding.advice), less=2)
        lines += [f"→ {first}", *(f"  {line}" for line in more)]
    click.echo("\n".join([head + lines[0], *(margin + line for line in lines[1:])]))


def summary(seen: Mapping[str, int]) -> str:
    """Say how many findings there are of each kind."""
    bad = [plural(seen[status], status) for status in ("problem", "warning") if seen[status]]
    return f"{' and '.join(bad)}, {seen['ok']} ok" if bad else f"all is well: {plural(seen['ok'], 'check')}"


def _wrapped(text: str, less: int = 0) -> list[str]:
    if not sys.stdout.isatty():
        return [text]
    room = shutil.get_terminal_size().columns - sum(WIDTHS) - less
    return textwrap.wrap(text, max(room, NARROWEST), break_long_words=False, break_on_hyphens=False)
