from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from queuectl.rules import zones
from queuectl.rules.cron import parse_cron
from queuectl.rules.instants import parse_instant
from queuectl.rules.zones import stretch_at, zone_named

HOUR = 3_600_000


def ms(text: str) -> int:
    return parse_instant(text, zone="UTC")


@pytest.mark.parametrize(
    ("zone", "change", "shift"),
    [
        ("Europe/Berlin", "2025-03-30T01:00Z", HOUR),
        ("Europe/Berlin", "2025-10-26T01:00Z", -HOUR),
        ("Australia/Lord_Howe", "2025-04-05T15:00Z", -HOUR // 2),
        ("Pacific/Apia", "2011-12-30T10:00Z", 24 * HOUR),
    ],
)
def test_a_stretch_starts_where_the_clocks_change(zone: str, change: str, shift: int) -> None:
    place, at = ZoneInfo(zone), ms(change)
    before, after = stretch_at(place, at - 1), stretch_at(place, at)
    assert (before.end, after.start, after.shift, after.before) == (at, at, shift, before.offset)
    assert stretch_at(place, at + 3 * HOUR) == after


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "Africa/Casablanca", "UTC"])
def test_stretches_have_the_offset_of_their_zone(zone: str) -> None:
    place = ZoneInfo(zone)
    for at in range(ms("2023-01-01"), ms("2026-01-01"), 7 * HOUR):
        stretch = stretch_at(place, at)
        assert stretch.start <= at < stretch.end
        for inside in (stretch.start, at, stretch.end - 1):
            offset = datetime.fromtimestamp(inside // 1000, UTC).astimezone(place).utcoffset()
            assert offset is not None
            assert offset.total_seconds() * 1000 == stretch.offset


def test_the_end_of_what_is_cached_is_not_taken_for_the_end_of_a_repeated_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    within_the_repeated_hour = ms("2025-10-26T01:20Z")
    monkeypatch.setattr(zones, "_SPAN_MS", within_the_repeated_hour)
    zones._stretches.cache_clear()
    try:
        due = parse_cron("30 2 * * *").next_after(within_the_repeated_hour, ZoneInfo("Europe/Berlin"))
    finally:
        zones._stretches.cache_clear()
    assert due == ms("2025-10-27T01:30Z")


def test_zones_are_loaded_by_name() -> None:
    assert zone_named("Europe/Berlin") is ZoneInfo("Europe/Berlin")
    with pytest.raises(ValueError, match="found 'Mars/Olympus'"):
        zone_named("Mars/Olympus")


def test_utc_needs_no_data_and_everything_else_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_data(name: str) -> ZoneInfo:
        raise KeyError(name)

    no_data.from_file = ZoneInfo.from_file  # type: ignore[attr-defined]
    monkeypatch.setattr(zones, "ZoneInfo", no_data)
    monkeypatch.setattr(zones, "_names", frozenset)
    utc = zone_named("UTC")
    assert (utc.key, utc) == ("UTC", zone_named("UTC"))
    assert datetime(2026, 7, 1, tzinfo=utc).isoformat() == "2026-07-01T00:00:00+00:00"
    assert stretch_at(utc, 0).offset == 0
    with pytest.raises(ValueError, match="no time zone data on this machine to look 'Europe/Berlin' up in"):
        zone_named("Europe/Berlin")
