"""Instants as people read them: here, in UTC, and how long ago."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from queuectl.rules.units import rough_duration

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def now_ms() -> int:
    """Return the current instant."""
    return time.time_ns() // 1_000_000


def ago(at: int | None, now: int) -> str:
    """Say how far an instant is away: `3m ago`, `in 2h`, `now`; a dash for None."""
    if at is None:
        return "–"
    distance = abs(now - at)
    if distance < SECOND:
        return "now"
    return f"{rough(distance)} ago" if at < now else f"in {rough(distance)}"


def rough(ms: int | float | None) -> str:
    """Write a duration in its two largest units: `250ms`, `12s`, `3m 5s`, `2d 4h`; a dash for None."""
    return "–" if ms is None else rough_duration(ms)


def utc(at: int) -> str:
    """Write an instant in UTC, to the second: `2026-03-29T01:00:00Z`."""
    from queuectl.rules.instants import format_instant  # noqa: PLC0415  not for tables

    return format_instant(at // SECOND * SECOND)


def local(at: int) -> str:
    """Write an instant in this machine's time zone: `2026-03-29 03:00:00 CEST`."""
    try:
        return datetime.fromtimestamp(at // SECOND).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError):  # the year 10000, in zones that are ahead
        return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def in_zone(at: int, zone: str, now: int) -> str:
    """Write an instant in UTC, in a schedule's zone (for UTC in this machine's), and how far off it is."""
    from queuectl.rules.instants import format_local  # noqa: PLC0415  as above

    there = local(at) if zone == "UTC" else format_local(at // SECOND * SECOND, zone)
    return f"{utc(at)}{'' if there.endswith(' UTC') else f' = {there}'}  ({ago(at, now)})"


def full(at: int | None, now: int) -> str:
    """Write an instant in every way: here, in UTC, how long ago."""
    if at is None:
        return "–"
    here, there = local(at), utc(at)
    return f"{there}  ({ago(at, now)})" if here.endswith(" UTC") else f"{here}  {there}  ({ago(at, now)})"
