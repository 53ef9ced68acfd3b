"""Percentiles out of powers of two."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from queuectl.model.tally import Tally
from queuectl.rules.percentiles import percentile


def tallies(durations: list[int], failed: int = 0) -> list[Tally]:
    return [Tally(at=0, power=ms.bit_length(), succeeded=1, failed=failed) for ms in durations]


def test_there_is_none_without_a_success() -> None:
    assert percentile([], 0.5) is None
    assert percentile([Tally(at=0, power=3, succeeded=0, failed=9)], 0.5) is None


@given(st.lists(st.integers(min_value=1, max_value=10_000_000), min_size=1, max_size=200))
def test_it_is_within_the_power_of_two_of_the_right_one(durations: list[int]) -> None:
    right = statistics.quantiles([*durations, *durations], n=2, method="inclusive")[0]
    found = percentile(tallies(durations), 0.5)
    assert found is not None
    assert min(durations) / 2 <= found <= max(durations) * 2
    assert right / 2 <= found or sum(ms < right for ms in durations) * 2 == len(durations)


def test_half_of_one_power_is_its_middle() -> None:
    assert percentile(tallies([64] * 10), 0.5) == 96
    assert percentile(tallies([1] * 90 + [1000] * 10), 0.95) == 768
