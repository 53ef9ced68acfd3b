"""Time zones: loading one by name, and the stretches of constant UTC offset that it is made of."""

from __future__ import annotations

import struct
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from io import BytesIO
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from queuectl.rules.nearest import did_you_mean

DAY_MS = 86_400_000
LAST_MS = 253_402_128_000_000
"""9999-12-30T00:00:00Z: beyond it local times would leave what datetime can hold."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN_MS = 366 * DAY_MS
_MARGIN_MS = 2 * DAY_MS
_UTC_NAME = b"UTC\0"


class Stretch(msgspec.Struct, frozen=True):
    """A time without a change of the UTC offset: from `start` up to and without `end`, all in ms.

    `start` and `end` are where the zone's offset changes, or days away from the instant that was asked for.
    """

    start: int
    end: int
    offset: int
    """Local time minus UTC."""
    before: int
    """The offset until `start`; the same as `offset` where nothing changes there."""

    @property
    def shift(self) -> int:
        """By how much the clocks were moved at `start`: positive for a gap, negative for a repeated hour."""
        return self.offset - self.before


def zone_named(name: str) -> ZoneInfo:
    """Give the IANA time zone of that name; ValueError when there is none. UTC needs no data on the machine."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        if name == "UTC":
            return _utc()
        raise ValueError(_unknown(name[:60])) from None


def stretch_at(zone: ZoneInfo, at_ms: int) -> Stretch:
    """Give the stretch that the instant lies in."""
    stretches = _stretches(zone, at_ms // _SPAN_MS)
    return stretches[bisect_right(stretches, at_ms, key=lambda stretch: stretch.start) - 1]


@cache
def _utc() -> ZoneInfo:
    """Read a file of time zone data that knows one offset, 0."""
    counts = struct.pack(">6I", 0, 0, 0, 0, 1, len(_UTC_NAME))
    return ZoneInfo.from_file(BytesIO(b"TZif" + bytes(16) + counts + bytes(6) + _UTC_NAME), key="UTC")


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def _unknown(name: str) -> str:
    known = _names()
    if known:
        hint = did_you_mean(name, known)
        return f"expected an IANA time zone such as Europe/Berlin, found {name!r}{hint}"
    way_out = "install tzdata (Debian: apt install tzdata; else: pip install tzdata)"
    return f"there is no time zone data on this machine to look {name!r} up in; {way_out}"


@lru_cache(maxsize=1024)
def _stretches(zone: ZoneInfo, span: int) -> tuple[Stretch, ...]:
    """Cover one span of about a year, and a margin so that its ends are not taken for changes."""
    first, last = span * _SPAN_MS - _MARGIN_MS, (span + 1) * _SPAN_MS + _MARGIN_MS
    changes = [
        _change_between(zone, day, day + DAY_MS)
        for day in range(first, last, DAY_MS)
        if _offset(zone, day) != _offset(zone, day + DAY_MS)
    ]
    starts = [first, *changes]
    return tuple(
        Stretch(
            start=start, end=end, offset=_offset(zone, start), before=_offset(zone, max(start - 1, first))
        )
        for start, end in zip(starts, [*changes, last], strict=True)
    )


def _change_between(zone: ZoneInfo, low: int, high: int) -> int:
    old = _offset(zone, low)
    return low + 1000 * bisect_right(range(low, high, 1000), 0, key=lambda at: int(_offset(zone, at) != old))


def _offset(zone: ZoneInfo, at_ms: int) -> int:
    local = (_EPOCH + timedelta(milliseconds=min(at_ms, LAST_MS))).astimezone(zone)
    return (local.utcoffset() or timedelta()) // timedelta(milliseconds=1)
