"""Buckets: into which range a duration falls. Ends of ranges are kept with what is counted, so these may change."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from queuectl.model.count import ENDLESS

_S, _M, _H = 1000, 60_000, 3_600_000
TOOK_MS = (100, _S, 5 * _S, 15 * _S, _M, 5 * _M, 15 * _M, _H, 4 * _H, 24 * _H)
"""How long attempts take."""
WAITED_MS = (100, _S, 5 * _S, 15 * _S, _M, 5 * _M, 15 * _M, _H)
"""How long they wait before."""


def end_of_bucket(value: int, ends: Sequence[int]) -> int:
    """Return the first of the ends that isn't less than a value.

    >>> [end_of_bucket(value, (100, 1000)) for value in (-5, 100, 101)], end_of_bucket(1001, (100, 1000)) == ENDLESS
    ([100, 100, 1000], True)
    """
    at = bisect_left(ends, value)
    return ends[at] if at < len(ends) else ENDLESS
