from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from queuectl.rules.cron import parse_cron, words
from queuectl.rules.instants import format_instant, parse_instant


def fires(expression: str, zone: str, after: str, count: int) -> list[str]:
    at, found = parse_instant(after, zone=zone), []
    for _ in range(count):
        due = parse_cron(expression).next_after(at, ZoneInfo(zone))
        assert due is not None
        at = due
        found.append(format_instant(due)[:16] + "Z")
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        # several skipped times of one expression, and a time that is due then anyway: one fire
        (
            "0,15,30 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00",
            ["2026-03-29T01:00Z", "2026-03-29T01:15Z"],
        ),
        ("0 0 * * *", "America/Santiago", "2022-09-10T12:00", ["2022-09-11T04:00Z", "2022-09-12T03:00Z"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T12:00", ["2024-10-05T15:30Z", "2024-10-06T15:15Z"]),
        # wildcard jobs follow elapsed time, or wait for the next match of the wall clock
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T01:30",
            [
                "2026-10-25T00:00Z",
                "2026-10-25T00:30Z",
                "2026-10-25T01:00Z",
                "2026-10-25T01:30Z",
                "2026-10-25T02:00Z",
            ],
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:00",
            ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"],
        ),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-30T00:00Z", "2026-03-30T00:30Z"]),
        # a day that is left out is no DST gap
        ("0 2 * * *", "Pacific/Apia", "2011-12-29T12:00", ["2011-12-30T12:00Z", "2011-12-31T12:00Z"]),
        # croniter's own readings: every minute; the 13th alone; fails
        ("1-1 * * * *", "UTC", "2026-01-01T00:00", ["2026-01-01T00:01Z", "2026-01-01T01:01Z"]),
        ("0 0 13 * 1-7", "UTC", "2026-01-01T00:00", ["2026-01-02T00:00Z", "2026-01-03T00:00Z"]),
        ("0 0 31 2 0", "UTC", "2026-01-01T00:00", ["2026-02-01T00:00Z", "2026-02-08T00:00Z"]),
        # either day field is enough; both, where one starts with *
        (
            "0 0 13 * 5",
            "UTC",
            "2026-03-01T00:00",
            ["2026-03-06T00:00Z", "2026-03-13T00:00Z", "2026-03-20T00:00Z"],
        ),
        (
            "0 0 */2 * 1",
            "UTC",
            "2026-03-01T00:00",
            ["2026-03-09T00:00Z", "2026-03-23T00:00Z", "2026-04-13T00:00Z"],
        ),
        ("0 0 29 2 */7", "UTC", "2026-03-01T00:00", ["2032-02-29T00:00Z", "2060-02-29T00:00Z"]),
        (
            "5/20 * * * *",
            "UTC",
            "2026-03-01T00:00",
            ["2026-03-01T00:05Z", "2026-03-01T00:25Z", "2026-03-01T00:45Z"],
        ),
        ("0 0 * * SUN", "UTC", "2026-03-02T00:00", ["2026-03-08T00:00Z"]),
        (
            "0 0 * * 5-7",
            "UTC",
            "2026-03-02T00:00",
            ["2026-03-06T00:00Z", "2026-03-07T00:00Z", "2026-03-08T00:00Z"],
        ),
        ("0 0 * * 7/2", "UTC", "2026-03-02T00:00", ["2026-03-08T00:00Z", "2026-03-15T00:00Z"]),
        (" 0  0\t1 Jan-Feb * ", "UTC", "2026-01-01T00:00", ["2026-02-01T00:00Z", "2027-01-01T00:00Z"]),
        ("@hourly", "UTC", "2026-01-01T00:00", ["2026-01-01T01:00Z"]),
        ("@Daily", "UTC", "2026-01-01T00:00", ["2026-01-02T00:00Z"]),
        ("@midnight", "UTC", "2026-01-01T00:00", ["2026-01-02T00:00Z"]),
        ("@weekly", "UTC", "2026-01-01T00:00", ["2026-01-04T00:00Z"]),
        ("@monthly", "UTC", "2026-01-01T00:00", ["2026-02-01T00:00Z"]),
        ("@yearly", "UTC", "2026-01-01T00:00", ["2027-01-01T00:00Z"]),
        ("@annually", "UTC", "2026-01-01T00:00", ["2027-01-01T00:00Z"]),
    ],
)
def test_fires(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert fires(expression, zone, after, len(expected)) == expected


def test_next_is_strictly_after_to_the_millisecond() -> None:
    due = parse_instant("2026-03-29T01:00:00Z", zone="UTC")
    cron, berlin = parse_cron("30 2 * * *"), ZoneInfo("Europe/Berlin")
    assert cron.next_after(due - 1, berlin) == due
    assert cron.next_after(due, berlin) == due + 23 * 3_600_000 + 30 * 60_000
    assert parse_cron("0 1 * * *").next_after(due - 60_001, ZoneInfo("UTC")) == due


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("60 * * * *", "minute: expected 0-59, found 60"),
        ("* 24 * * *", "hour: expected 0-23, found 24"),
        ("* * 0 * *", "day of month: expected 1-31, found 0"),
        ("* * * 13 *", "month: expected 1-12 or jan-dec, found 13"),
        ("* * * * 8", "day of week: expected 0-7 or sun-sat, found 8"),
        ("* * * * monday", "day of week: expected 0-7 or sun-sat, found 'monday'"),
        ("* * * 4294967297 *", "month: expected 1-12 or jan-dec, found '4294967297'"),
        ("*/0 * * * *", "minute: expected a step of 1 or more, found '*/0'"),
        ("5-5/0 * * * *", "minute: expected a step of 1 or more, found '5-5/0'"),
        ("* 5-1 * * *", "hour: expected a range that runs upwards, found '5-1'"),
        ("1,,2 * * * *", "minute: expected a value on each side of a comma, found '1,,2'"),
        ("¹ * * * *", "minute: expected 0-59, found '¹'"),
        ("٣ * * * *", "minute: expected 0-59, found '٣'"),
        ("H * * * *", "minute: expected 0-59, found 'h'"),
        ("R(0-5) * * * *", "minute: expected 0-59, found 'r(0-5)'"),
        ("-5 * * * *", "minute: expected 0-59, found '-5'"),
        ("5- * * * *", "minute: expected 0-59, found '5-'"),
        ("*-5 * * * *", "minute: expected 0-59, found '*-5'"),
        ("? * * * *", "minute: expected 0-59, found '?'"),
        ("0 0 L * *", "day of month: expected 1-31, found 'l'"),
        ("0 0 * * 5#2", "day of week: expected 0-7 or sun-sat, found '5#2'"),
        ("0 0 15W * *", "day of month: expected 1-31, found '15w'"),
        ("* * * *", "expected 5 fields (minute, hour, day of month, month, day of week), found 4"),
        ("0 * * * * *", "expected 5 fields (minute, hour, day of month, month, day of week), found 6"),
        ("0 0 * * * * 2030", "found 7"),
        ("0 0\u00a0* * *", "found 4"),
        ("", "found none"),
        ("  ", "found none"),
        ("@reboot", "expected five fields or one of @hourly, @daily"),
        ("@", "found '@'"),
        pytest.param("*" * 1_000_000, "expected at most 1000 characters, found 1000000", id="1 MB"),
        ("0 0 30 2 *", "'0 0 30 2 *' never fires: there is no such day"),
        ("0 0 31 2,4 *", "never fires"),
        ("0 0 30 2 */2", "never fires"),
    ],
)
def test_refused(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"expected|never fires") as error:
        parse_cron(expression)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("expression", "is_fixed"),
    [
        ("0 2 * * *", True),
        ("0/15 2 * * *", True),
        ("0-59 0-23 * * *", True),
        ("* 2 * * *", False),
        ("*/15 2 * * *", False),
        ("0 * * * *", False),
        ("*,5 2 * * *", False),
        ("@hourly", False),
        ("@daily", True),
    ],
)
def test_fixed_is_what_has_no_star_in_minute_and_hour(expression: str, is_fixed: bool) -> None:
    assert parse_cron(expression).is_fixed is is_fixed


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", ["2026-03-29T01:00:00Z"]),
        ("0,30 2 * * *", "Europe/Berlin", ["2026-03-29T01:00:00Z"]),
        ("0 3 * * *", "Europe/Berlin", []),
        ("*/30 2 * * *", "Europe/Berlin", []),
        ("30 2 1 * *", "Europe/Berlin", []),
        ("30 2 * * *", "UTC", []),
    ],
)
def test_gap_fires(expression: str, zone: str, expected: list[str]) -> None:
    start, end = (parse_instant(text, zone="UTC") for text in ("2026-01-01", "2027-01-01"))
    assert list(map(format_instant, parse_cron(expression).gap_fires(start, end, ZoneInfo(zone)))) == expected


def test_far_future_ends_without_an_error() -> None:
    far = parse_instant("9999-12-31T00:00Z", zone="UTC")
    assert parse_cron("0 0 1 1 *").next_after(far, ZoneInfo("Europe/Berlin")) is None
    assert parse_cron("0 0 29 2 *").next_after(
        parse_instant("2390-01-01", zone="UTC"), ZoneInfo("Europe/Berlin")
    )


def test_one_expression_may_be_searched_by_several_threads() -> None:
    cron, berlin = parse_cron("7 3 * * *"), ZoneInfo("Europe/Berlin")
    starts = [parse_instant("2026-01-01", zone="UTC") + day * 86_400_000 for day in range(400)]
    expected = [cron.next_after(at, berlin) for at in starts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda at: cron.next_after(at, berlin), starts)) == expected


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0 2 * * *", "At 02:00"),
        ("@hourly", "Every hour"),
        ("*/15 9-17 * * mon-fri", "Every 15 minutes, between 09:00 and 17:59, Monday through Friday"),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday"),
        ("0 0 */2 * 1", "At 00:00, every 2 days, only on Monday"),
        ("no cron", "no cron"),
    ],
)
def test_words(expression: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert words(expression) == text


def test_the_next_match_is_the_first_of_all_minutes_that_suit() -> None:
    """Against a search that tries every day of years and every minute of it."""
    draw = random.Random(26)  # noqa: S311
    for _ in range(300):
        fields = [field(draw, *limits) for limits in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))]
        start = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=draw.randrange(3 * 365 * 1440))
        expected = first_match(fields, start)
        if expected is None:
            continue
        found = parse_cron(" ".join(fields)).next_after(int(start.timestamp() * 1000) - 1, ZoneInfo("UTC"))
        assert found == int(expected.timestamp() * 1000), (fields, start)


def field(draw: random.Random, low: int, high: int) -> str:
    first, last = sorted((draw.randint(low, high), draw.randint(low, high)))
    several = ",".join(str(draw.randint(low, high)) for _ in range(3))
    return draw.choice(["*", "*", f"*/{draw.randint(1, high)}", f"{first}-{last}", str(first), several])


def first_match(fields: list[str], start: datetime) -> datetime | None:
    minutes, hours, days, months, weekdays = (
        values(text, *limits)
        for text, limits in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)), strict=True)
    )
    for day in range(5 * 366):
        at = (start + timedelta(days=day)).replace(hour=0, minute=0)
        on = (at.day in days, at.isoweekday() in weekdays or at.isoweekday() % 7 in weekdays)
        both = fields[2].startswith("*") or fields[4].startswith("*")
        if at.month not in months or not (all(on) if both else any(on)):
            continue
        for minute in range(1440):
            found = at + timedelta(minutes=minute)
            if found >= start and found.hour in hours and found.minute in minutes:
                return found
    return None


def values(text: str, low: int, high: int) -> set[int]:
    if text.startswith("*"):
        return set(range(low, high + 1, int(text[2:] or 1)))
    if "-" in text:
        first, last = text.split("-")
        return set(range(int(first), int(last) + 1))
    return {int(value) for value in text.split(",")}
