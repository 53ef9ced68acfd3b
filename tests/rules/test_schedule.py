from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model.spec import Schedule
from queuectl.rules.instants import format_instant, parse_instant
from queuectl.rules.schedule import (
    check_schedule,
    describe_schedule,
    due_after,
    gap_fires,
    jitter_offset,
    least_interval_ms,
    next_due,
    shortest_interval_ms,
)

BERLIN = "Europe/Berlin"
DAY = 86_400_000
MINUTE = 60_000


def ms(text: str) -> int:
    return parse_instant(text, zone="UTC")


def due(schedule: Schedule, after: str, count: int, zone: str = "UTC") -> list[str]:
    found = due_after(schedule, anchor_ms=ms("2026-01-01T00:00:07Z"), zone=zone, after_ms=ms(after))
    return [format_instant(at) for at in islice(found, count)]


def test_cron_entries_are_merged_and_each_instant_is_due_once() -> None:
    schedule = Schedule(cron=("0 2 * * *", "0 */12 * * *", "0 2,3 * * *"))
    assert due(schedule, "2026-01-01T00:00Z", 4) == [
        "2026-01-01T02:00:00Z",
        "2026-01-01T03:00:00Z",
        "2026-01-01T12:00:00Z",
        "2026-01-02T00:00:00Z",
    ]


def test_cron_is_read_in_its_zone() -> None:
    assert due(Schedule(cron=("0 2 * * *",)), "2026-06-01", 1, BERLIN) == ["2026-06-02T00:00:00Z"]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2025-06-01T00:00Z", "2026-01-01T00:00:07Z"),  # the first apply itself
        ("2026-01-01T00:00:06.999Z", "2026-01-01T00:00:07Z"),
        ("2026-01-01T00:00:07Z", "2026-01-01T00:15:07Z"),
        ("2026-01-01T00:15:06.999Z", "2026-01-01T00:15:07Z"),
        ("2036-01-01T00:00Z", "2036-01-01T00:00:07Z"),
    ],
)
def test_every_counts_from_the_first_apply(after: str, expected: str) -> None:
    assert due(Schedule(every_ms=15 * MINUTE), after, 1) == [expected]


@given(st.integers(100, DAY), st.integers(0, 10 * DAY), st.integers(-DAY, 100 * DAY))
def test_every_gives_all_instants_of_the_grid(every: int, anchor: int, after: int) -> None:
    found = list(islice(due_after(Schedule(every_ms=every), anchor_ms=anchor, zone="UTC", after_ms=after), 3))
    assert found[0] > after
    assert found[0] == anchor or (found[0] > anchor and found[0] - every <= after)
    assert (found[0] - anchor) % every == 0
    assert found == [found[0], found[0] + every, found[0] + 2 * every]


def test_next_due_is_the_first() -> None:
    schedule = Schedule(cron=("5 * * * *", "3 * * * *"))
    assert next_due(schedule, anchor_ms=0, zone="UTC", after_ms=ms("2026-01-01")) == ms("2026-01-01T00:03Z")
    assert next_due(schedule, anchor_ms=0, zone="UTC", after_ms=ms("9999-01-01")) is None


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Schedule(), "expected either cron or every, found neither"),
        (Schedule(cron=("* * * * *",), every_ms=1000), "expected either cron or every, found both"),
        (Schedule(cron=("@daily", "60 * * * *")), "cron: minute: expected 0-59, found 60"),
        (Schedule(cron=("0 0 30 2 *",)), "cron: '0 0 30 2 *' never fires: there is no such day"),
        (Schedule(cron=("@daily",) * 101), "cron: expected at most 100 entries, found 101"),
        (Schedule(every_ms=99), "every: expected at least 100ms, found 99ms"),
        (Schedule(every_ms=0), "every: expected at least 100ms, found 0s"),
        (Schedule(every_ms=-MINUTE), "every: expected at least 100ms, found -1m"),
        (Schedule(every_ms=10**18), "every: expected at most 100 years, found 11574074074d1h46m40s"),
        (Schedule(every_ms=1000, jitter_ms=-1), "jitter: expected at least 0s, found -1ms"),
        (Schedule(every_ms=1000, spacing_ms=-1), "spacing: expected at least 0s, found -1ms"),
        (Schedule(every_ms=1000, start_within_ms=0), "start_within: expected at least 1ms, found 0s"),
        (
            Schedule(every_ms=1000, start_within_ms=MINUTE, jitter_ms=2 * MINUTE),
            "start_within: expected at least 2m, found 1m",
        ),
        (
            Schedule(cron=("@daily",), timezone="Europe/Berln"),
            f"timezone: expected an IANA time zone such as {BERLIN}, found 'Europe/Berln', did you mean '{BERLIN}'?",
        ),
    ],
)
def test_schedules_are_refused(schedule: Schedule, message: str) -> None:
    with pytest.raises(ValueError, match=r"expected|never") as error:
        check_schedule(schedule)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron=("@daily", "0 0 1 1 *"), timezone=BERLIN, jitter_ms=MINUTE, start_within_ms=MINUTE),
        Schedule(every_ms=100, spacing_ms=1000),
    ],
)
def test_schedules_are_accepted(schedule: Schedule) -> None:
    check_schedule(schedule)


def test_jitter_is_stable_and_spreads_over_its_whole_range() -> None:
    schedule = Schedule(every_ms=DAY, jitter_ms=9)
    offsets = {name: jitter_offset(schedule, name) for name in (f"spec-{number}" for number in range(200))}
    assert set(offsets.values()) == set(range(10))
    assert jitter_offset(Schedule(every_ms=DAY, jitter_ms=3_600_000), "nightly-backup") == 709_288
    assert jitter_offset(Schedule(every_ms=DAY), "nightly-backup") == 0


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Schedule(cron=("0 2 * * *",)), "At 02:00, Europe/Berlin"),
        (Schedule(cron=("0 2 * * *", "@hourly")), "At 02:00; Every hour, Europe/Berlin"),
        (Schedule(every_ms=15 * MINUTE), "every 15m"),
    ],
)
def test_schedules_in_words(schedule: Schedule, text: str) -> None:
    assert describe_schedule(schedule, BERLIN) == text


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (Schedule(every_ms=1234), 1234),
        (Schedule(cron=("*/5 * * * *",)), 5 * MINUTE),
        (Schedule(cron=("*/7 * * * *",)), 4 * MINUTE),
        (Schedule(cron=("0 2 * * *", "1 2 * * 0")), MINUTE),
        (Schedule(cron=("0 2 * * *",)), 23 * 60 * MINUTE),  # the day on which the clocks go forward
    ],
)
def test_shortest_interval(schedule: Schedule, interval: int) -> None:
    after = ms("2026-01-01")
    assert shortest_interval_ms(schedule, zone=BERLIN, after_ms=after) == interval


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (Schedule(every_ms=1234), 1234),
        (Schedule(cron=("*/7 * * * *",)), 4 * MINUTE),
        (Schedule(cron=("50,10 1,2,9 * * *",)), 20 * MINUTE),  # from 1:50 to 2:10
        (Schedule(cron=("5 23,1 * * *",)), 2 * 60 * MINUTE),
        (Schedule(cron=("0 2 * * 0",)), 24 * 60 * MINUTE),  # at least: it is a week
        (Schedule(cron=("0 2 * * *", "0 14 * * *")), MINUTE),  # at least, too
    ],
)
def test_least_interval(schedule: Schedule, interval: int) -> None:
    assert least_interval_ms(schedule) == interval
    assert interval <= (shortest_interval_ms(schedule, zone="UTC", after_ms=ms("2026-01-01")) or 0)


def test_gap_fires_of_all_entries() -> None:
    schedule = Schedule(cron=("30 2 * * *", "0 2 * * 0", "0 5 * * *"))
    start, end = ms("2026-01-01"), ms("2028-01-01")
    found = gap_fires(schedule, BERLIN, start, end)
    assert list(map(format_instant, found)) == ["2026-03-29T01:00:00Z", "2027-03-28T01:00:00Z"]
    assert gap_fires(Schedule(every_ms=1000), BERLIN, start, end) == []
