"""Tables that fit the terminal; in a pipe next to nothing is cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from typing import Literal

import click
import msgspec

from queuectl.cli.visible import visible

NONE = "–"
GAP = 2
"""Blanks between columns."""
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


class Column(msgspec.Struct, frozen=True):
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
    room = _columns_of_terminal() if sys.stdout.isatty() else UNBOUNDED
    widths = _fitted(columns, cells, room - GAP * (len(columns) - 1))
    lines = [_line(columns, widths, [column.title for column in columns], header=True)]
    lines += [_line(columns, widths, row) for row in cells]
    click.echo("\n".join(lines))


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


def _fitted(columns: Sequence[Column], cells: Iterable[Sequence[str]], room: int) -> list[int]:
    """Return the columns' widths; where room is short the widest give way: first the flexible ones, then all."""
    titles = [column.title for column in columns]
    widths = [min(max(map(_width, column)), room) for column in zip(titles, *cells, strict=True)]
    flexible = [index for index, column in enumerate(columns) if column.flexible]
    for giving_way in (flexible, range(len(columns))):
        while giving_way and sum(widths) > room:
            widest = max(giving_way, key=widths.__getitem__)
            if widths[widest] == 1:
                break
            widths[widest] -= 1
    return widths


def _line(
    columns: Sequence[Column], widths: Sequence[int], cells: Iterable[str], *, header: bool = False
) -> str:
    shown = (
        _padded(column, width, cell, header=header)
        for column, width, cell in zip(columns, widths, cells, strict=True)
    )
    return (" " * GAP).join(shown).rstrip(" ")


def _padded(column: Column, width: int, cell: str, *, header: bool) -> str:
    text = _cut(cell, width)
    padding = " " * (width - _width(text))
    if header:
        text = click.style(text, bold=True)
    elif column.state and cell in STATE_STYLES:
        text = click.style(text, fg=STATE_STYLES[cell])
    return padding + text if column.justify == "right" else text + padding


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    taken = accumulate(map(_width, text))
    return "".join(char for char, end in zip(text, taken, strict=False) if end < width) + "…"


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: two for a CJK character, none for an accent of its own."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width  # noqa: PLC0415  only where one is needed

    return sum(
        0 if category(char) in {"Mn", "Me", "Cf"} else 2 if east_asian_width(char) in {"W", "F"} else 1
        for char in text
    )


def _columns_of_terminal() -> int:
    from shutil import get_terminal_size  # noqa: PLC0415  not in a pipe

    return get_terminal_size().columns
