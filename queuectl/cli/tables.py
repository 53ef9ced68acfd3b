"""Tables that fit the terminal; in a pipe next to nothing is cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Literal

import click

from queuectl.cli.visible import visible

if TYPE_CHECKING:
    from rich.text import Text

NONE = "–"
UNBOUNDED = 10_000
"""Columns of a pipe. JSON is for what is longer."""
STATE_STYLES = {
    "completed": "green",
    "succeeded": "green",
    "processing": "cyan",
    "running": "cyan",
    "pending": "yellow",
    "failed": "magenta",
    "dead": "red",
    "cancelled": "bright_black",
    "blocked": "bright_black",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    justify: Literal["left", "right"] = "left"
    flexible: bool = False
    """Gives way when the terminal is narrow."""
    state: bool = False
    """Is coloured by its value."""
    optional: bool = False
    """Left out on a terminal when no row has a value."""


class Safe(str):
    """Text that a terminal may obey: its colours are ours."""

    __slots__ = ()


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, nothing: str) -> None:
    """Print rows of cells, None as a dash. Without rows say `nothing`, on stderr."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        columns, cells = _without_empty(columns, cells)
    if not cells:
        click.echo(nothing, err=True)
        return
    from rich.table import Table  # noqa: PLC0415  heavy, and JSON doesn't need it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title, justify=column.justify, no_wrap=not column.flexible, overflow="ellipsis"
        )
    for row in cells:
        table.add_row(*(_text(column, cell) for column, cell in zip(columns, row, strict=True)))
    _print(table)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values below each other, long values over several lines; None is left out."""
    shown = [(name, _printable(value)) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *more = value.split("\n")
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {first}")
        for line in more:
            click.echo(f"{' ' * width}  {line}")


def styled_state(state: str, text: str | None = None) -> Safe:
    """Return a state, or a text about it, in its colour, for `click.echo`."""
    return Safe(click.style(text or state, fg=STATE_STYLES.get(state)))


def _without_empty(
    columns: Sequence[Column], cells: list[list[str]]
) -> tuple[Sequence[Column], list[list[str]]]:
    kept = [
        not column.optional or any(row[index] != NONE for row in cells)
        for index, column in enumerate(columns)
    ]
    return list(compress(columns, kept)), [list(compress(row, kept)) for row in cells]


def _printable(value: object) -> str:
    return value if isinstance(value, Safe) else visible(str(value), lines=True)


def _shown(cell: object) -> str:
    """One line, the first: a row is one line whatever a cell holds."""
    if cell is None or cell == "":
        return NONE
    first, *more = str(cell).strip("\n").split("\n", 1)
    return visible(first) + (" …" if more else "")


def _text(column: Column, cell: str) -> Text:
    from rich.text import Text  # noqa: PLC0415  as above

    style = STATE_STYLES.get(cell, "") if column.state else ""
    return Text(cell, style=style, no_wrap=True, overflow="ellipsis")


def _print(table: object) -> None:
    from rich.console import Console  # noqa: PLC0415

    width = None if sys.stdout.isatty() else UNBOUNDED
    console = Console(
        file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False
    )
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
