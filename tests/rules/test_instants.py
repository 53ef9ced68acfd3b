from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.rules.instants import format_instant, format_local, parse_instant, parse_when

BERLIN = "Europe/Berlin"
NOW = 1_774_746_000_000  # 2026-03-29T01:00:00Z


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"),
        ("2026-03-29t01:00:00.25z", "2026-03-29T01:00:00.250Z"),
        ("2026-03-29T01:00:00.123999+00:00", "2026-03-29T01:00:00.123Z"),
        ("2026-03-29 06:30+0530", "2026-03-29T01:00:00Z"),
        ("2026-03-28T20:00-05", "2026-03-29T01:00:00Z"),
        ("2026-06-01T12:00", "2026-06-01T10:00:00Z"),
        ("2026-06-01", "2026-05-31T22:00:00Z"),
        ("2024-02-29T00:00Z", "2024-02-29T00:00:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),  # twice: the first
        ("2026-03-29T02:00", "2026-03-29T01:00:00Z"),  # never: right after the gap
        ("2026-03-29T02:59:59.999", "2026-03-29T01:00:00Z"),
        ("2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("2026-03-29T01:59", "2026-03-29T00:59:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_instants_are_read(text: str, instant: str) -> None:
    assert format_instant(parse_instant(text, zone=BERLIN)) == instant


def test_a_skipped_day_is_followed_by_the_first_instant_after_it() -> None:
    assert format_instant(parse_instant("2011-12-30T15:00", zone="Pacific/Apia")) == "2011-12-30T10:00:00Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-02-30T00:00Z", "day of 2026-02: expected 1-28, found 30"),
        ("2026-13-01", "month: expected 1-12, found 13"),
        ("2026-01-01T24:00Z", "hour: expected 0-23, found 24"),
        ("2026-01-01T23:60Z", "minute: expected 0-59, found 60"),
        ("2026-01-01T23:59:60Z", "second: expected 0-59, found 60"),
        ("2026-01-01T00:00+25:00", "hours of the offset: expected 0-23, found 25"),
        ("0000-01-01", "year: expected 1970-9999, found 0"),
        ("1970-01-01T00:00+01:00", "expected a time within 1970-9999"),
        ("9999-12-31T23:59-12:00", "expected a time within 1970-9999"),
        ("tomorrow", "expected a time such as 2026-03-29T02:30:00Z, found 'tomorrow'"),
        ("20260329", "found '20260329'"),
        ("2026-W13-7", "found '2026-W13-7'"),
        ("٢٠٢٦-01-01", "expected a time such as"),
        pytest.param("2026-01-01T00:00Z" * 1000, "…", id="long"),
        ("now", "found 'now'"),
        ("", "found ''"),
    ],
)
def test_instants_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        parse_instant(text, zone=BERLIN)
    assert message in str(error.value)
    assert len(str(error.value)) < 150


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "../etc", "Europe", "garbage", "x" * 500, "Ü", "\0"])
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="expected an IANA time zone such as Europe/Berlin, found"):
        parse_instant("2026-01-01T00:00", zone=zone)


def test_a_misspelt_zone_gets_a_hint() -> None:
    with pytest.raises(ValueError, match="did you mean 'Europe/Berlin'"):
        parse_instant("2026-01-01T00:00", zone="Europe/Berln")


@given(
    st.datetimes(
        timezones=st.sampled_from([ZoneInfo(name) for name in ("UTC", BERLIN, "Australia/Lord_Howe")])
    ).filter(lambda moment: 1971 <= moment.year <= 9998)
)
def test_instants_round_trip(moment) -> None:
    ms = parse_instant(moment.isoformat(), zone="America/Santiago")
    assert ms == int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
    assert parse_instant(format_instant(ms), zone=BERLIN) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("now", NOW),
        ("2h", NOW - 7_200_000),
        ("90", NOW - 90_000),
        ("0s", NOW),
        ("2026-03-29T01:00:00Z", NOW),
        ("2026-03-29 03:00", NOW),
    ],
)
def test_when_is_an_instant_or_so_long_ago(text: str, ms: int) -> None:
    assert parse_when(text, zone=BERLIN, now_ms=NOW) == ms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "or a duration such as 2h for so long ago, found 'yesterday'"),
        ("2026-02-30", "found 30"),
    ],
)
def test_when_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_when(text, zone=BERLIN, now_ms=NOW)


def test_now_is_an_instant_where_it_is_known() -> None:
    assert parse_instant("now", zone="UTC", now_ms=NOW) == NOW


def test_local_times_name_their_zone() -> None:
    assert format_local(NOW, BERLIN) == "2026-03-29 03:00:00 CEST"
    assert format_local(NOW - 1, BERLIN) == "2026-03-29 01:59:59 CET"
    assert format_local(NOW, "UTC") == "2026-03-29 01:00:00 UTC"


def test_the_last_hours_of_9999_are_shown_in_utc() -> None:
    last = parse_instant("9999-12-31T23:59:59Z", zone="UTC")
    assert format_local(last, "Pacific/Auckland") == "9999-12-31T23:59:59Z"
