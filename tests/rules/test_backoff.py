"""Delays before retries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.rules.backoff import delay_ms


@pytest.mark.parametrize(
    ("base_ms", "factor", "expected"),
    [
        (2_000, 2.0, [2_000, 4_000, 8_000, 16_000]),
        (3_000, 3.0, [3_000, 9_000, 27_000, 81_000]),
        (1_000, 1.0, [1_000, 1_000, 1_000, 1_000]),
        (50_000, 10.0, [50_000, 100_000, 100_000, 100_000]),
        (500_000, 2.0, [100_000, 100_000, 100_000, 100_000]),
    ],
)
def test_grows_by_the_factor_up_to_the_maximum(base_ms: int, factor: float, expected: list[int]) -> None:
    delays = [
        delay_ms(n, base_ms=base_ms, factor=factor, max_ms=100_000, jitter=0, random=0.5) for n in range(1, 5)
    ]
    assert delays == expected


@pytest.mark.parametrize("retry", [1, 310, 1_100, 10**9])
@pytest.mark.parametrize("factor", [1.0, 1.0000001, 2.0, 1e308])
def test_no_number_of_retries_overflows(retry: int, factor: float) -> None:
    delay = delay_ms(retry, base_ms=2_000, factor=factor, max_ms=3_600_000, jitter=0.1, random=0.999)
    assert 0 < delay <= 3_600_000


@given(random=st.floats(0, 1, exclude_max=True), jitter=st.floats(0, 1))
def test_jitter_moves_both_ways_by_its_share(random: float, jitter: float) -> None:
    delay = delay_ms(1, base_ms=1_000, factor=2, max_ms=10_000, jitter=jitter, random=random)
    assert 1_000 * (1 - jitter) - 1 <= delay <= 1_000 * (1 + jitter) + 1


def test_jitter_spreads() -> None:
    low = delay_ms(1, base_ms=1_000, factor=2, max_ms=10_000, jitter=0.1, random=0)
    high = delay_ms(1, base_ms=1_000, factor=2, max_ms=10_000, jitter=0.1, random=0.999)
    assert (low, high) == (900, 1100)
