"""Cron expressions: searched by croniter on wall-clock times, with Debian cron's DST rule on top.

croniter is given each field as a plain list of values, because it reads some fields in its own way: `1-1` as
every value, `5-1` as a range that wraps, `0 0 13 * 1-7` as the 13th alone.

The DST rule, for shifts of at most three hours: a fixed time (neither the minute nor the hour starts with `*`)
that is skipped fires once, at the first instant after the gap, and one that is repeated fires the first time
only. All other expressions match the clock on the wall as time goes by.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from queuectl.rules.cron_fields import read_fields, split_fields
from queuectl.rules.zones import DAY_MS, LAST_MS, Stretch, stretch_at

if TYPE_CHECKING:
    from croniter import croniter

_MINUTE_MS = 60_000
_DST_SHIFT_MS = 3 * 3_600_000
_SEARCHED_YEARS = 50
"""Enough: a 29 February on a given day of the week comes round in 40 years at most."""
_LAST_SEARCHED_MS = LAST_MS - (_SEARCHED_YEARS + 1) * 366 * DAY_MS


class CronExpression(msgspec.Struct, frozen=True):
    """An expression that was read, and that fires. Made by `parse_cron`."""

    text: str
    """As it was written."""
    is_fixed: bool
    """Neither the minute nor the hour starts with `*`: a change of the clocks neither skips nor repeats it."""
    least_interval_ms: int
    """No two fires are closer than this, but where the clocks change; they may never come so close."""
    _search: croniter

    def next_after(self, after_ms: int, zone: ZoneInfo) -> int | None:
        """Give the first due instant after `after_ms`; None when there is none before the year 9948."""
        at = after_ms + 1
        while at < _LAST_SEARCHED_MS:
            stretch = stretch_at(zone, at)
            found = _next_wall(self._search, self._first_wall(stretch, at))
            if found is None:
                return None
            due = max(found - stretch.offset, at)
            if due < stretch.end:
                return due
            # What was found lies behind a change of offset. If it is far, go near it at once; but not when `at`
            # is close to that change, which may bring back times that the search has left behind.
            near = found - stretch.offset - 2 * DAY_MS if stretch.end - at >= DAY_MS else 0
            at = max(stretch.end, near)
        return None

    def gap_fires(self, from_ms: int, until_ms: int, zone: ZoneInfo) -> list[int]:
        """Give the instants in `from_ms`…`until_ms` that stand for fixed times which a DST gap skips."""
        fires = []
        at = from_ms
        while self.is_fixed and at <= until_ms:
            stretch = stretch_at(zone, at)
            if at == stretch.start and 0 < stretch.shift <= _DST_SHIFT_MS:
                found = _next_wall(self._search, at + stretch.before)
                if found is not None and found < at + stretch.offset:
                    fires.append(at)
            at = stretch.end
        return fires

    def _first_wall(self, stretch: Stretch, at: int) -> int:
        """Give the first wall-clock time that counts at the instant `at` or later in its stretch."""
        wall = at + stretch.offset
        if not self.is_fixed or abs(stretch.shift) > _DST_SHIFT_MS:
            return wall
        unshifted = stretch.start + stretch.before  # before the gap, or at the end of what is repeated
        return unshifted if at == stretch.start else max(wall, unshifted)


@lru_cache(maxsize=1024)
def parse_cron(expression: str) -> CronExpression:
    """Read five fields, or a nickname such as `@daily`.

    ValueError names the field that is wrong, what was expected and what was found; also when it never fires.
    """
    from croniter import croniter  # noqa: PLC0415  (takes longer to import than most commands run)

    fields = read_fields(expression)
    search = croniter(
        fields.plain, 0.0, day_or=not fields.both_days, max_years_between_matches=_SEARCHED_YEARS
    )
    if not _has_a_day(*fields.plain.split()[2:], fields.both_days):
        raise ValueError(f"{expression.strip()!r} never fires: there is no such day")
    return CronExpression(
        text=expression,
        is_fixed=fields.is_fixed,
        least_interval_ms=fields.least_interval * _MINUTE_MS,
        _search=search,
    )


@lru_cache(maxsize=4096)
def words(expression: str) -> str:
    """Put an expression into English words, "At 02:00"; the expression itself where that fails."""
    from cron_descriptor import (  # type: ignore[import-untyped]  # noqa: PLC0415
        ExpressionDescriptor,
        FormatException,
        Options,
    )

    options = Options()
    options.locale_code = "en_US"
    options.use_24hour_time_format = True
    try:
        text = str(ExpressionDescriptor(" ".join(split_fields(expression)), options).get_full_description())
    except (FormatException, ValueError):
        return expression
    return text.replace(", or on ", ", only on ") if read_fields(expression).both_days else text


@lru_cache(maxsize=1024)
def _has_a_day(days: str, months: str, weekdays: str, both_days: bool) -> bool:
    """Whether the three fields of the date ever match; remembered, because a search of 50 years takes its time."""
    from croniter import croniter  # noqa: PLC0415

    fields = f"0 0 {days} {months} {weekdays}"
    search = croniter(fields, 0.0, day_or=not both_days, max_years_between_matches=_SEARCHED_YEARS)
    return _next_wall(search, 0) is not None


def _next_wall(search: croniter, wall: int) -> int | None:
    """Give the first match at or after a wall-clock time, both in ms as if the wall were in UTC."""
    from croniter import CroniterBadDateError  # noqa: PLC0415

    minute_before = -(-wall // _MINUTE_MS) * 60 - 60
    search = copy.copy(search)  # it keeps its position in itself
    try:
        return int(search.get_next(float, start_time=float(minute_before))) * 1000
    except CroniterBadDateError:
        return None
