"""`--limit`: how much of a long list is shown."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
EVERYTHING = 2**62


def limit_option(command: Decorated) -> Decorated:
    """Add `--limit`; 0 is everything."""
    return click.option(
        "-n", "--limit", type=click.IntRange(min=0, max=10**9), default=50, show_default=True,
        help="At most so many; 0: all.",
    )(command)  # fmt: skip


def one_more(limit: int) -> int:
    """Return how many to ask for, so that it is seen whether there are more than are shown."""
    return limit + 1 if limit else EVERYTHING


def say_cut(found: Sized, limit: int) -> None:
    """Say on stderr that there is more than was shown."""
    if limit and len(found) > limit:
        click.echo(f"only the newest {limit} are shown; --limit 0 shows all", err=True)
