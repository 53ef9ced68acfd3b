"""Rates: how starts are spread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.rules.rates import after_start, allowed, format_rate, parse_rate


@pytest.mark.parametrize(
    ("text", "interval_us"),
    [
        ("10/m", 6_000_000), ("50/s", 20_000), ("1/h", 3_600_000_000), ("3/s", 333_333), ("1/d", 86_400_000_000),
        ("7 / d", 12_342_857_142),
    ],
)  # fmt: skip
def test_a_rate_is_an_interval(text: str, interval_us: int) -> None:
    assert parse_rate(text) == interval_us
    assert parse_rate(format_rate(interval_us)) == interval_us


@pytest.mark.parametrize(
    "text", ["", "10", "0/s", "-1/s", "1.5/s", "10/w", "10/ms", "1001/s", "60001/m", "10/m/s", "١/s"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_rate(text)


@given(st.integers(1_000, 5_000_000), st.lists(st.integers(0, 3_000), min_size=50, max_size=200))
def test_never_more_than_the_rate_and_one(interval_us: int, waits: list[int]) -> None:
    now, next_us, starts = 1_000_000, None, []
    for wait in waits:
        now += wait
        while allowed(next_us, now, interval_us):
            next_us = after_start(next_us, now, interval_us)
            starts.append(now)
    for window in (1_000, 10_000):
        most = window * 1000 // interval_us + 2
        assert all(sum(start <= one < start + window for one in starts) <= most for start in starts)


def test_a_start_that_was_late_loses_no_time() -> None:
    next_us = after_start(None, 1_000, 20_000)
    assert next_us == 1_020_000
    assert after_start(next_us, 1_023, 20_000) == 1_040_000
    assert after_start(next_us, 9_000, 20_000) == 9_000_000
