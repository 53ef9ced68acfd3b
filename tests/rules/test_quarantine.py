from __future__ import annotations

from itertools import groupby

import pytest

from queuectl.rules.quarantine import PATIENCE_MS, makes_way

DAY_MS = 86_400_000


def test_it_is_overtaken_at_first() -> None:
    assert not any(makes_way(waited) for waited in (-DAY_MS, 0, 1, PATIENCE_MS - 1))
    assert makes_way(PATIENCE_MS)


@pytest.mark.parametrize("longest_ms", [1, PATIENCE_MS, 3_600_000, DAY_MS])
def test_one_turn_is_long_enough_for_any_attempt_and_comes_in_time(longest_ms: int) -> None:
    turns = [
        len(list(turn)) * PATIENCE_MS for way, turn in groupby(map(makes_way, _waits(longest_ms))) if way
    ]
    assert max(turns) >= longest_ms


def test_nobody_else_stands_still_for_most_of_the_time() -> None:
    waits = [makes_way(waited) for waited in range(0, DAY_MS, PATIENCE_MS)]
    assert all(sum(waits[:number]) <= number * 2 / 3 for number in range(1, len(waits)))


def _waits(longest_ms: int) -> range:
    return range(0, 8 * max(PATIENCE_MS, longest_ms), PATIENCE_MS)
