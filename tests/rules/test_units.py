from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.rules.units import (
    MAX_DURATION_MS,
    MAX_SIZE,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("250ms", 250),
        ("30s", 30_000),
        ("1h30m", 5_400_000),
        (" 1h 30m ", 5_400_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        ("1.5h", 5_400_000),
        ("0.1s", 100),
        ("90", 90_000),
        ("0.25", 250),
        (90, 90_000),
        (0.1, 100),
        (1e3, 1_000_000),
        ("0h1s", 1000),
    ],
)
def test_durations_are_read(value: str | float, ms: int) -> None:
    assert parse_duration(value) == ms


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "expected a duration such as 30s, 1h30m or 7d, found ''"),
        ("5 minutes", "found '5 minutes'"),
        ("1m1h", "found '1m1h'"),
        ("1h1h", "found '1h1h'"),
        ("30S", "found '30S'"),
        ("٣s", "found '٣s'"),
        ("-5s", "found '-5s'"),
        ("ms", "found 'ms'"),
        pytest.param("9" * 5000, "…", id="long"),
        (True, "found True"),
        (0, "at least 1ms, found 0"),
        ("0s", "at least 1ms, found '0s'"),
        ("0.0001s", "at least 1ms"),
        (-5, "at least 1ms, found -5"),
        (float("nan"), "expected a finite number, found nan"),
        (float("inf"), "expected a finite number, found inf"),
        (1e300, "at most 100 years"),
        pytest.param(10**5000, "at most 100 years, found a very large number", id="5000 digits"),
        ("200000d", "at most 100 years, found '200000d'"),
    ],
)
def test_durations_are_refused(value: str | float, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        parse_duration(value)
    assert message in str(error.value)
    assert len(str(error.value)) < 150


def test_zero_is_a_duration_where_it_is_allowed() -> None:
    assert parse_duration("0s", allow_zero=True) == parse_duration(0, allow_zero=True) == 0
    with pytest.raises(ValueError, match="at least 0"):
        parse_duration(-1, allow_zero=True)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (250, "250ms"),
        (2000, "2s"),
        (2500, "2.5s"),
        (60_000, "1m"),
        (5_400_000, "1h30m"),
        (604_800_000, "7d"),
        (90_061_001, "1d1h1m1.001s"),
        (-90_000, "-1m30s"),
    ],
)
def test_durations_are_written(ms: int, text: str) -> None:
    assert format_duration(ms) == text


@given(st.integers(0, MAX_DURATION_MS))
def test_written_durations_are_read_back(ms: int) -> None:
    assert parse_duration(format_duration(ms), allow_zero=True) == ms


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("64KiB", 65_536),
        ("64 kib", 65_536),
        ("1GiB", 1 << 30),
        ("10MB", 10_000_000),
        ("1.5GiB", 3 << 29),
        ("512B", 512),
        ("512", 512),
        (512, 512),
        (1024.0, 1024),
    ],
)
def test_sizes_are_read(value: str | float, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value", ["", "10M", "1XB", "-1KiB", "KiB", "1e3", True, -1, 0, "0B", float("nan"), 1e300, "2000000TiB"]
)
def test_sizes_are_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_size(value)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (512, "512B"),
        (1023, "1023B"),
        (65_536, "64KiB"),
        (1 << 30, "1GiB"),
        (1_500_000, "1.4MiB"),
        (1_048_575, "1.0MiB"),
        (10_000_000, "9.5MiB"),
    ],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(1, MAX_SIZE))
def test_written_sizes_are_read_back_within_the_last_digit(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.06)
