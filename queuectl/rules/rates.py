"""Rates: at most so many starts in a time, spread over it (GCRA, ITU-T I.371, with a burst of one)."""

from __future__ import annotations

import re

_RATE = r"([1-9][0-9]{0,6}) ?/ ?(s|m|h|d)"
_UNITS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
FASTEST_US = 1_000
"""Between two starts: 1,000 a second, which is as often as a clock of milliseconds can tell."""


def parse_rate(text: str) -> int:
    """Return the microseconds between two starts of a rate such as `10/m`. ValueError says what is expected."""
    found = re.fullmatch(_RATE, text)
    if found is None:
        raise ValueError(f"expected a rate like 10/m, 5/s or 100/h; found {text}")
    interval = _UNITS_US[found[2]] // int(found[1])
    if interval < FASTEST_US:
        raise ValueError(f"expected at most 1000 starts a second; found {text}")
    return interval


def format_rate(interval_us: int) -> str:
    """Write a rate so that `parse_rate` reads it back."""
    for unit, length in _UNITS_US.items():
        count = round(length / interval_us)
        if count and length // count == interval_us:
            return f"{count}/{unit}"
    return f"1/{max(1, round(interval_us / _UNITS_US['d']))}d"


def allowed(next_us: int | None, now_ms: int, interval_us: int) -> int:
    """Return how many may start now: 0, 1, or 2 where one start is overdue."""
    if next_us is None:
        return 1
    late = now_ms * 1000 - next_us
    return 0 if late < 0 else 2 if late >= interval_us else 1


def after_start(next_us: int | None, now_ms: int, interval_us: int) -> int:
    """Return when the next one may start, in µs; a start that was late by less than an interval loses no time."""
    now_us = now_ms * 1000
    return max(now_us if next_us is None else next_us, now_us - interval_us) + interval_us
