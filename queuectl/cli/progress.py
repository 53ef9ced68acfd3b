"""How far long work is, on stderr and only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def bar(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show a bar; the function that is handed out takes how much is done by now."""
    if not sys.stderr.isatty() or total < 1:
        yield lambda _done: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as shown:
        yield lambda done: shown.update(done - shown.pos) if done > shown.pos else None


@contextmanager
def counter(what: str) -> Iterator[Callable[[int], None]]:
    """Show a count that grows, and how fast, where the total isn't known."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    start = time.monotonic()

    def show(done: int) -> None:
        rate = done / max(time.monotonic() - start, 0.001)
        click.echo(f"\r{done:,} {what}, {rate:,.0f}/s \x1b[K", err=True, nl=False)

    try:
        yield show
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)  # what came of it is said in its place


@contextmanager
def tally(*, wanted: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how much of the work of a run is done, and how much is left; None when there is nobody to see it."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    try:
        yield lambda ended, left: click.echo(
            f"\r{ended:,} attempts ended, {left:,} jobs to do \x1b[K", err=True, nl=False
        )
    finally:
        click.echo(err=True)
