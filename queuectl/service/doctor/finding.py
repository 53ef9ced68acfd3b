"""What a check finds."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a check says, and what to do about it."""

    check: str
    status: Status
    """`warning`: look at it some day; `problem`: queuectl doesn't work as it should until it is mended."""
    found: str
    advice: str | None = None
    """One line; None where there is nothing to do."""
    exit_code: int | None = None
    """What a command that needs the queue ends with because of this; None: they work."""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, status="ok", found=found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Look at it some day."""
    return Finding(check=check, status="warning", found=found, advice=advice)


def problem(check: str, found: str, advice: str, *, exit_code: int | None = None) -> Finding:
    """Mend it."""
    return Finding(check=check, status="problem", found=found, advice=advice, exit_code=exit_code)


def some(things: list[str], most: int = 3) -> str:
    """Name the first few: `a, b, c and 7 more`."""
    more = len(things) - most
    return ", ".join(things[:most]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 job`, `1,200 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
