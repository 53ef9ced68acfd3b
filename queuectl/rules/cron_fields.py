"""Reading cron expressions: five fields, or a nickname, into the values that each field stands for.

As strict as Debian cron, and stricter where its silence would hide a mistake. `N/step` is short for
`N-last/step`, which Debian refuses but most other schedulers read.
"""

from __future__ import annotations

import re
from itertools import pairwise

import msgspec

MAX_LENGTH = 1000
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class CronFields(msgspec.Struct, frozen=True):
    """The values of each field; days of the week are 0-6 from Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_fixed: bool
    """Neither the minute nor the hour starts with `*`."""
    both_days: bool
    """A day must suit both day fields, because one of them starts with `*`; otherwise one is enough."""

    @property
    def plain(self) -> str:
        """The same five fields as plain lists of values, `*` for all of them."""
        days, weekdays = self.days, self.weekdays
        if not self.both_days and (days == _DAY.all or weekdays == _WEEKDAY.all):
            days, weekdays = _DAY.all, _WEEKDAY.all
        fields = (self.minutes, self.hours, days, self.months, weekdays)
        return " ".join(
            "*" if values == part.all else ",".join(map(str, sorted(values)))
            for values, part in zip(fields, _PARTS, strict=True)
        )

    @property
    def least_interval(self) -> int:
        """Minutes that are at least between two matches on the wall, were every day a match."""
        times = sorted(60 * hour + minute for hour in self.hours for minute in self.minutes)
        return min(later - time for time, later in pairwise([*times, times[0] + 24 * 60]))


def read_fields(expression: str) -> CronFields:
    """Read an expression; ValueError names the field that is wrong, what was expected and what was found."""
    texts = split_fields(expression)
    minutes, hours, days, months, weekdays = map(_read_field, texts, _PARTS)
    return CronFields(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        is_fixed=not texts[0].startswith("*") and not texts[1].startswith("*"),
        both_days=texts[2].startswith("*") or texts[4].startswith("*"),
    )


def split_fields(expression: str) -> list[str]:
    """Give the five fields as they were written, in lower case, a nickname expanded."""
    if len(expression) > MAX_LENGTH:
        raise ValueError(f"expected at most {MAX_LENGTH} characters, found {len(expression)}")
    text = expression.strip(_BLANKS).lower()
    if text.startswith("@"):
        if text not in NICKNAMES:
            raise ValueError(f"expected five fields or one of {', '.join(NICKNAMES)}, found {text!r}")
        text = NICKNAMES[text]
    texts = re.split(f"[{_BLANKS}]+", text) if text else []
    if len(texts) != len(_PARTS):
        names = ", ".join(part.name for part in _PARTS)
        raise ValueError(f"expected 5 fields ({names}), found {len(texts) or 'none'}")
    return texts


class _Part(msgspec.Struct, frozen=True):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """Of the values from `low` on."""
    last: int | None = None
    """The last value, where `high` is a second spelling of `low`."""

    @property
    def top(self) -> int:
        return self.high if self.last is None else self.last

    @property
    def all(self) -> frozenset[int]:
        return frozenset(range(self.low, self.top + 1))

    def wrong(self, found: str | int) -> ValueError:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return ValueError(f"{self.name}: expected {self.low}-{self.high}{names}, found {found}")


_BLANKS = " \t\r\n"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = _Part("day of month", 1, 31)
_WEEKDAY = _Part("day of week", 0, 7, _WEEKDAYS, last=6)
_PARTS = (_Part("minute", 0, 59), _Part("hour", 0, 23), _DAY, _Part("month", 1, 12, _MONTHS), _WEEKDAY)
_ITEM = re.compile(r"(?P<first>\*|[a-z0-9]+)(?:-(?P<last>[a-z0-9]+))?(?:/(?P<step>[a-z0-9]+))?")
_NUMBER = re.compile(r"[0-9]{1,9}")


def _read_field(text: str, part: _Part) -> frozenset[int]:
    items = text.split(",")
    if "" in items:
        raise ValueError(f"{part.name}: expected a value on each side of a comma, found {text!r}")
    return frozenset().union(*(_read_item(item, part) for item in items))


def _read_item(item: str, part: _Part) -> range:
    match = _ITEM.fullmatch(item)
    if match is None or (match["first"] == "*" and match["last"]):
        raise part.wrong(repr(item))
    step = _read_step(match["step"], item, part)
    if match["first"] == "*":
        return range(part.low, part.top + 1, step)
    first = last = _read_value(match["first"], item, part)
    if match["last"]:
        last = _read_value(match["last"], item, part)
    elif match["step"]:
        last = max(first, part.top)
    if last < first:
        raise ValueError(f"{part.name}: expected a range that runs upwards, found {item!r}")
    return range(first, last + 1, step)


def _read_value(text: str, item: str, part: _Part) -> int:
    if text in part.names:
        return part.low + part.names.index(text)
    if not _NUMBER.fullmatch(text):
        raise part.wrong(repr(item))
    value = int(text)
    if not part.low <= value <= part.high:
        raise part.wrong(value)
    return value


def _read_step(text: str | None, item: str, part: _Part) -> int:
    if text is None:
        return 1
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise ValueError(f"{part.name}: expected a step of 1 or more, found {item!r}")
    return int(text)
