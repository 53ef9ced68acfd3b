"""JSON on stdout, for programs. The shapes are `service.views`; times are ISO 8601 UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, Self

import click

from queuectl.cli.visible import json_safe

Output = Literal["table", "json", "jsonl"]


def print_object(value: Mapping[str, Any], output: Output) -> None:
    """Print one object: over several lines as `json`, on one as `jsonl`."""
    click.echo(json_safe(_text(value, on_one_line=output == "jsonl")))


def print_with_text(value: Mapping[str, Any], field: str, text: Iterator[str], output: Output) -> None:
    """Print one object with a last field of a text that may be too long to be held in memory."""
    from json import dumps  # noqa: PLC0415  most commands print a table

    first = next(text, "")  # what fails, fails before half of an object is printed
    before, after = _text({**value, field: ""}, on_one_line=output == "jsonl").rsplit('""', 1)
    click.echo(json_safe(f'{before}"'), nl=False)
    for part in chain([first], text):
        click.echo(json_safe(dumps(part, ensure_ascii=False)[1:-1]), nl=False)
    click.echo(f'"{after}')


def print_array(rows: Iterable[Mapping[str, Any]], output: Output) -> None:
    """Print an array: as `json`, or an object a line as `jsonl`."""
    with ArrayPrinter(output) as printer:
        printer.add(rows)


class ArrayPrinter:
    """Prints an array bit by bit, and whole JSON also where the block is left early; nothing if it had no rows then."""

    def __init__(self, output: Output) -> None:
        self._lines = output == "jsonl"
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Print some rows."""
        texts = [_text(row, on_one_line=self._lines) for row in rows]
        if not texts:
            return
        if self._lines:
            click.echo(json_safe("\n".join(texts)))
        else:
            text = ",\n".join(texts).replace("\n", "\n  ")
            click.echo(json_safe((",\n  " if self._begun else "[\n  ") + text), nl=False)
        self._begun = True

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._lines or kind is BrokenPipeError:
            return
        if self._begun:
            click.echo("\n]")
        elif kind is None:
            click.echo("[]")


def _text(value: Mapping[str, Any], *, on_one_line: bool) -> str:
    from json import dumps  # noqa: PLC0415  most commands print a table

    return dumps(value, ensure_ascii=False, indent=None if on_one_line else 2)
