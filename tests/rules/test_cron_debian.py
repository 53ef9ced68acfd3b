"""Cron schedules against an oracle: Debian cron's main loop, minute by minute, with a matcher of its own.

The oracle knows nothing of croniter or of our code. It does as `cron.c` does: it compares the minute on the wall
with the minute it has worked up to, and so finds out that the clocks were moved.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from queuectl.rules.cron import parse_cron

THREE_HOURS = 180
HOURS_AROUND = 5
EXPRESSIONS_PER_CHANGE = 100

# zone, and a day (UTC) on which its clocks change
CHANGES = [
    ("Europe/Berlin", "2025-03-30"),
    ("Europe/Berlin", "2025-10-26"),
    ("America/New_York", "2025-03-09"),
    ("America/New_York", "2025-11-02"),
    ("Australia/Lord_Howe", "2025-04-05"),  # by half an hour
    ("Australia/Lord_Howe", "2025-10-04"),
    ("America/Santiago", "2022-09-11"),  # at midnight
    ("America/Santiago", "2025-04-06"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Africa/Cairo", "2025-04-24"),
    ("Africa/Casablanca", "2025-02-23"),  # back for Ramadan
    ("Africa/Casablanca", "2025-04-06"),
    ("Asia/Gaza", "2023-04-29"),
    ("America/St_Johns", "2006-10-29"),  # at 00:01
    ("America/Caracas", "2016-05-01"),  # by half an hour, for good
    ("Asia/Pyongyang", "2018-05-04"),
    ("Antarctica/Troll", "2025-03-30"),  # by two hours
    ("Antarctica/Troll", "2025-10-26"),
    ("Pacific/Apia", "2011-12-30"),  # a whole day is skipped
    ("Pacific/Apia", "2012-03-31"),
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Pacific/Chatham", "2025-09-27"),
    ("Asia/Kathmandu", "2025-03-30"),  # no change at all
    ("UTC", "2024-12-31"),
]


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_fires_as_debian_cron_does(zone: str, day: str) -> None:
    minutes = minutes_around(zone, day)
    draw = random.Random(f"{zone} {day}")  # noqa: S311
    for _ in range(EXPRESSIONS_PER_CHANGE):
        expression = random_expression(draw, minutes)
        expected = oracle(expression, minutes)
        assert fires(expression, zone, minutes[0].at - 1, minutes[-1].at) == expected, (expression, zone)
        # from within, so that nothing hangs on having come from the fire before
        start = draw.choice(minutes).at
        later = [at for at in expected if at > start]
        assert fires(expression, zone, start, minutes[-1].at) == later, (expression, zone, start)


def test_clocks_do_change_in_the_windows() -> None:
    for zone, day in CHANGES:
        minutes = minutes_around(zone, day)
        steps = {later.wall - earlier.wall for earlier, later in pairwise(minutes)}
        assert (steps == {1}) == (zone in {"Asia/Kathmandu", "UTC"}), (zone, day, steps)


@pytest.mark.parametrize(
    "line", Path(__file__).with_name("golden").joinpath("cron.txt").read_text("utf-8").splitlines()
)
def test_schedules_stay_as_they_are(line: str) -> None:
    expression, zone, after, *expected = (part.strip() for part in line.split("|"))
    assert golden_fires(expression, zone, after) == expected


def golden_fires(expression: str, zone: str, after: str) -> list[str]:
    """Give the next five fires as the local times that golden/cron.txt holds."""
    place, at, found = ZoneInfo(zone), int(datetime.fromisoformat(after).timestamp() * 1000), []
    for _ in range(5):
        due = parse_cron(expression).next_after(at, place)
        assert due is not None
        at = due
        found.append(datetime.fromtimestamp(at / 1000, place).isoformat(timespec="minutes"))
    return found


def fires(expression: str, zone: str, after: int, until: int) -> list[int]:
    """Ask the code under test for all fires after the one instant and up to the other."""
    cron, place, found = parse_cron(expression), ZoneInfo(zone), []
    while (due := cron.next_after(after, place)) is not None and due <= until:
        found.append(due)
        after = due
    return found


@dataclass(frozen=True, slots=True)
class Minute:
    at: int
    wall: int
    """Minutes since the epoch, as if the wall clock were in UTC."""


@cache
def minutes_around(zone: str, day: str) -> list[Minute]:
    """Give every minute around the change of clocks on that day, or around its noon where there is none."""
    place, midnight = ZoneInfo(zone), datetime.fromisoformat(day).replace(tzinfo=UTC)
    all_day = [midnight + timedelta(minutes=number) for number in range(-60, 25 * 60)]
    offsets = [at.astimezone(place).utcoffset() for at in all_day]
    changes = [n for n, (old, new) in enumerate(pairwise(offsets)) if old != new]
    middle = all_day[changes[0] + 1 if changes else 12 * 60]
    window = [middle + timedelta(minutes=n) for n in range(-HOURS_AROUND * 60, HOURS_AROUND * 60)]
    return [
        Minute(
            at=int(at.timestamp()) * 1000,
            wall=int(at.astimezone(place).replace(tzinfo=UTC).timestamp()) // 60,
        )
        for at in window
    ]


def oracle(expression: str, minutes: list[Minute]) -> list[int]:
    """Run Debian cron over the minutes; several runs at one instant count once."""
    matches, is_wild = matcher(expression)
    done, found = minutes[0].wall - 1, []
    for minute in minutes:
        ahead = minute.wall - done
        if ahead == 1 or ahead < -THREE_HOURS or ahead > THREE_HOURS + 1:  # as usual, or no DST: start afresh
            runs = matches(minute.wall)
            done = minute.wall
        elif (
            ahead > 1
        ):  # clocks went forward: wildcard jobs of now, fixed jobs of every minute that was skipped
            runs = matches(minute.wall) if is_wild else any(map(matches, range(done + 1, minute.wall + 1)))
            done = minute.wall
        else:  # clocks went back: only wildcard jobs, until the clock has caught up
            runs = is_wild and matches(minute.wall)
        if runs:
            found.append(minute.at)
    return found


def matcher(expression: str) -> tuple[Callable[[int], bool], bool]:
    """Give (does a wall-clock minute match, is it a wildcard job), read from crontab(5)."""
    minute, hour, day, month, weekday = expression.split()
    is_in = {
        name: values(text, low, high)
        for name, text, low, high in (
            ("minute", minute, 0, 59),
            ("hour", hour, 0, 23),
            ("day", day, 1, 31),
            ("month", month, 1, 12),
            ("weekday", weekday, 0, 7),
        )
    }
    if {0, 7} & is_in["weekday"]:
        is_in["weekday"] |= {0, 7}
    combine = all if day[0] == "*" or weekday[0] == "*" else any

    @cache
    def matches_day(number: int) -> bool:
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)
        suits = (date.day in is_in["day"], date.isoweekday() in is_in["weekday"])
        return date.month in is_in["month"] and combine(suits)

    def matches(wall: int) -> bool:
        days, rest = divmod(wall, 24 * 60)
        return rest % 60 in is_in["minute"] and rest // 60 in is_in["hour"] and matches_day(days)

    return matches, minute[0] == "*" or hour[0] == "*"


def values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = map(int, span.split("-"))
        else:
            first = last = int(span)
        found |= {value for value in range(first, last + 1) if (value - first) % int(step or 1) == 0}
    return found


def random_expression(draw: random.Random, minutes: list[Minute]) -> str:
    """Draw an expression that mostly has something to do near the middle of the window."""
    middle = len(minutes) // 2
    near = minutes[draw.randrange(middle - 150, middle + 150)].wall
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=near)
    hours = sorted({date.hour, (date.hour + draw.choice([0, 1, 2, 23])) % 24, draw.randrange(24)})
    from_hour, to_hour = hours[0], hours[-1]
    minute = draw.choice(
        [
            str(date.minute),
            str(draw.randrange(60)),
            "0",
            "30",
            f"{draw.randrange(60)},{draw.randrange(60)},{date.minute}",
            f"{draw.randrange(20)}-{draw.randrange(40, 60)}/{draw.randrange(5, 30)}",
            f"{date.minute}-{date.minute}",
            f"*/{draw.randrange(5, 61)}",
            f"*/{draw.choice([15, 20, 30])},{draw.randrange(60)}",
            draw.choice(["*", "0-59"]) if draw.random() < 0.2 else "59",
        ]
    )
    hour = draw.choice(
        [
            str(date.hour),
            str(date.hour),
            ",".join(map(str, hours)),
            f"{from_hour}-{to_hour}",
            f"{from_hour}-23/{draw.randrange(1, 5)}",
            f"*/{draw.randrange(1, 7)}",
            f"*,{date.hour}",
            "0-23",
            "*",
        ]
    )
    day = draw.choice(["*", "*", "*", "*/2", str(date.day), f"{date.day},15", "1-31", "*/3,13", "31"])
    month = draw.choice(["*", "*", "*", str(date.month), f"{date.month}-12", "*/2", "1-11"])
    weekday = draw.choice(
        ["*", "*", "*", "1-5", str(date.isoweekday()), "0", "7", "*/2", "0-6", "1-7", "5-7", "0,6"]
    )
    if day == "31":
        month = "*"  # or it may never fire
    return f"{minute} {hour} {day} {month} {weekday}"
