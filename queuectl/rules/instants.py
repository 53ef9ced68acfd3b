"""Instants as people write them: ISO 8601 to milliseconds since the epoch, and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from queuectl.rules.units import parse_duration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LAST_MS = 253_402_300_799_999
_INSTANT = (
    # compiled when it is first needed
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?P<offset>Z|(?P<sign>[+-])(?P<off_hour>\d\d)(?::?(?P<off_minute>\d\d))?)?)?"
)


def parse_instant(text: str, *, zone: str, now_ms: int | None = None) -> int:
    """Read `2026-03-29T02:30:00Z`, with any offset or none, or a date alone; give ms since the epoch.

    Without an offset it is in the time zone named `zone`: the first of two instants where the clocks go back,
    the first instant after the gap where they go forward. `now` is `now_ms` where that is given.
    ValueError for anything else, dates and times that don't exist, and years outside 1970-9999.
    """
    if now_ms is not None and text.strip().lower() == "now":
        return now_ms
    match = re.fullmatch(_INSTANT, text.strip(), re.ASCII | re.IGNORECASE) if len(text) <= 100 else None
    if match is None:
        raise ValueError(f"expected a time such as 2026-03-29T02:30:00Z, found {_shown(text)}")
    number = {name: int(digits) for name, digits in match.groupdict("0").items() if digits.isdecimal()}
    _check_ranges(number, text)
    micros = int((match["fraction"] or "0").ljust(3, "0")[:3]) * 1000
    date_and_time = (number[name] for name in ("year", "month", "day", "hour", "minute", "second"))
    wall = datetime(*date_and_time, micros, tzinfo=UTC)  # type: ignore[misc,arg-type]
    if match["offset"]:
        east = -1 if match["sign"] == "-" else 1
        minutes = east * (number["off_hour"] * 60 + number["off_minute"])
        instant = (wall - _EPOCH) // _MS - minutes * 60_000
    else:
        instant = _in_zone(wall, zone)
    if not 0 <= instant <= _LAST_MS:
        raise ValueError(f"expected a time within 1970-9999, found {_shown(text)}")
    return instant


def parse_when(text: str, *, zone: str, now_ms: int) -> int:
    """Read an instant, or a duration such as `2h`, which means so long ago."""
    if re.match(r"\s*(\d{4}-|now\s*$)", text, re.IGNORECASE):
        return parse_instant(text, zone=zone, now_ms=now_ms)
    try:
        return now_ms - parse_duration(text, allow_zero=True)
    except ValueError:
        raise ValueError(
            f"expected a time such as 2026-03-29T02:30:00Z, or a duration such as 2h for so long ago,"
            f" found {_shown(text)}"
        ) from None


def format_instant(ms: int) -> str:
    """Write an instant as ISO 8601 in UTC: `2026-03-29T01:00:00Z`, with `.250` where it isn't a whole second."""
    seconds, rest = divmod(ms, 1000)
    fraction = f".{rest:03d}" if rest else ""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def format_local(ms: int, zone: str) -> str:
    """Write an instant for people, to the second, in the zone of that name: `2026-03-29 03:00:00 CEST`."""
    from queuectl.rules.zones import zone_named  # noqa: PLC0415  most instants are shown in UTC

    try:
        local = (_EPOCH + timedelta(seconds=ms // 1000)).astimezone(zone_named(zone))
    except OverflowError:  # the last hours of the year 9999
        return format_instant(ms)
    return local.strftime("%Y-%m-%d %H:%M:%S %Z")


def _check_ranges(number: dict[str, int], text: str) -> None:
    from calendar import monthrange  # noqa: PLC0415  only to read an instant

    days = monthrange(number["year"], number["month"])[1] if 1 <= number["month"] <= 12 else 31
    ranges = {
        "year": ("year", 1970, 9999),
        "month": ("month", 1, 12),
        "day": (f"day of {number['year']}-{number['month']:02d}", 1, days),
        "hour": ("hour", 0, 23),
        "minute": ("minute", 0, 59),
        "second": ("second", 0, 59),
        "off_hour": ("hours of the offset", 0, 23),
        "off_minute": ("minutes of the offset", 0, 59),
    }
    for name, (shown, low, high) in ranges.items():
        if not low <= number[name] <= high:
            raise ValueError(f"{shown}: expected {low}-{high}, found {number[name]} in {_shown(text)}")


def _in_zone(wall: datetime, name: str) -> int:
    from queuectl.rules.zones import stretch_at, zone_named  # noqa: PLC0415  most instants are in UTC

    zone = zone_named(name)
    offset = (wall.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()) // _MS
    instant = (wall.replace(tzinfo=UTC) - _EPOCH) // _MS - offset
    stretch = stretch_at(zone, instant)
    in_gap = stretch.offset != offset  # fold=0 gives the offset before the gap
    return stretch.start if in_gap else instant


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
