"""Percentiles of durations that are known by their powers of two only."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from queuectl.model.tally import Tally


def percentile(tallies: Iterable[Tally], share: float) -> float | None:
    """Return the duration in ms that a share, 0…1, of the attempts that succeeded did not exceed; None without any.

    Within a power of two they are taken to be spread evenly, so it is off by less than half of itself.
    """
    powers: dict[int, int] = {}
    for one in sorted(tallies, key=attrgetter("power")):
        powers[one.power] = powers.get(one.power, 0) + one.succeeded
    wanted = share * sum(powers.values())
    for power, count in powers.items():
        if count and wanted <= count:
            low, high = (1 << power) // 2, 1 << power
            return low + (high - low) * wanted / count
        wanted -= count
    return None
