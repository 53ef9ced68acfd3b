"""Errors in spec files, as people see them: file:line:column, the message, the line with a caret under the place."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from queuectl.model.errors import InvalidSpecError
from queuectl.specs.places import Place

MAX_FAULTS_SHOWN = 200
"""Of one file."""
MAX_LINE_SHOWN = 110
MAX_FOUND_SHOWN = 40
MARGIN = 6


class Fault(NamedTuple):
    """One error. `file` is all there is when a file could not be read."""

    file: str
    place: Place | None
    message: str
    quote: bool = True
    """Show the line itself; not where it holds the value of a variable."""

    @property
    def position(self) -> tuple[str, int, int]:
        """To sort by."""
        return (self.file, self.place.line, self.place.column) if self.place else (self.file, 0, 0)


def fault_at(place: Place, message: str, *, quote: bool = True) -> Fault:
    """A fault in a file that was read."""
    return Fault(place.source.name, place, message, quote)


def invalid(faults: Iterable[Fault]) -> InvalidSpecError:
    """One error that lists all the faults by file and line, each of them once."""
    by_file: dict[str, list[Fault]] = {}
    for fault in sorted({(f.position, f.message): f for f in faults}.values(), key=lambda f: f.position):
        by_file.setdefault(fault.file, []).append(fault)
    blocks = [_render(fault) for found in by_file.values() for fault in found[:MAX_FAULTS_SHOWN]]
    blocks += [
        f"{visible(file)}: there are more errors; the first {MAX_FAULTS_SHOWN} of a file are shown"
        for file, found in by_file.items()
        if len(found) >= MAX_FAULTS_SHOWN
    ]
    errors = sum(min(len(found), MAX_FAULTS_SHOWN) for found in by_file.values())
    total = f"{_counted(errors, 'error')} in {_counted(len(by_file), 'file')}; nothing was changed"
    return InvalidSpecError("\n".join([*blocks, total]))


def visible(text: str) -> str:
    """`text` with every control and format character replaced by one that shows, the length kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible_character(character) for character in text)


def cropped(text: str) -> str:
    """The beginning of a text that was found, on one line."""
    return visible(text if len(text) <= MAX_FOUND_SHOWN else text[:MAX_FOUND_SHOWN] + "…")


def _render(fault: Fault) -> str:
    if fault.place is None:
        return f"{visible(fault.file)}: {visible(fault.message)}"
    source, line, column, width, _ = fault.place
    head = f"{visible(source.name)}:{line}:{column}: {visible(fault.message)}"
    lines = source.text.split("\n", line)
    text = lines[line - 1].rstrip("\r") if line <= len(lines) else ""
    if not fault.quote or not text.strip():
        return head
    width = min(width or len(text.rstrip()) - column + 1, len(text) - column + 1)
    text, column, width = _window(text, column, width)
    before, marked = text[: column - 1], text[column - 1 : column - 1 + width]
    caret = " " * _cells(before) + "^" * max(1, _cells(marked))
    return f"{head}\n{line:>{MARGIN - 1}} | {visible(text)}\n{'':{MARGIN - 1}} | {caret}"


def _window(text: str, column: int, width: int) -> tuple[str, int, int]:
    """The part of a long line that is shown, and where the place is in it."""
    if len(text) <= MAX_LINE_SHOWN:
        return text, column, width
    start = max(0, column - 1 - MAX_LINE_SHOWN // 2)
    part = text[start : start + MAX_LINE_SHOWN]
    column -= start
    if start:
        part, column = "…" + part, column + 1
    if start + MAX_LINE_SHOWN < len(text):
        part += "…"
    return part, column, min(width, len(part) - column + 1)


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _visible_character(character: str) -> str:
    if character == "\t":
        return "→"
    if character < " ":
        return chr(0x2400 + ord(character))
    return character if character.isprintable() else "�"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
