"""A figure: what was measured of whom, how much it spread, and whether that is enough. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure has to reach."""

    of: Literal["value", "ratio"]
    at: Literal["least", "most"]
    limit: float

    def met(self, found: float) -> bool:
        """Tell whether `found` is on the right side of the limit."""
        return found >= self.limit if self.at == "least" else found <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of a table. Without values it is missing, and `missing` says why."""

    name: str
    """What was measured."""
    contestant: str
    """Who was."""
    unit: str
    values: tuple[float, ...] = ()
    """One per round."""
    median: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    """The median of the rounds' ratios to `against`."""
    against: str | None = None
    target: Target | None = None
    missing: str | None = None
    note: str | None = None

    @classmethod
    def of(
        cls,
        name: str,
        contestant: str,
        unit: str,
        values: Sequence[float],
        *,
        base: Sequence[float] | None = None,
        against: str | None = None,
        target: Target | None = None,
        note: str | None = None,
    ) -> Self:
        """Return the figure of rounds; `base` has the values of `against` in the same rounds."""
        return cls(
            name=name,
            contestant=contestant,
            unit=unit,
            values=tuple(values),
            median=statistics.median(values),
            low=min(values),
            high=max(values),
            ratio=None if base is None else median_ratio(values, base),
            against=against,
            target=target,
            note=note,
        )

    @property
    def verdict(self) -> Literal["met", "missed", "missing", ""]:
        """What came of the target; "" where there is none."""
        if self.missing is not None:
            return "missing"
        found = None if self.target is None else getattr(self, _FIELD[self.target.of])
        if self.target is None or found is None:
            return ""
        return "met" if self.target.met(found) else "missed"


_FIELD = {"value": "median", "ratio": "ratio"}


def at_least(limit: float, of: Literal["value", "ratio"] = "ratio") -> Target:
    """Return the target of a figure that should be high."""
    return Target(of=of, at="least", limit=limit)


def at_most(limit: float, of: Literal["value", "ratio"] = "value") -> Target:
    """Return the target of a figure that should be low."""
    return Target(of=of, at="most", limit=limit)


def median_ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios, each within its own round: what slowed a round slowed both.

    >>> median_ratio([10, 20, 40], [10, 10, 10])
    2.0
    """
    return statistics.median(mine / other for mine, other in zip(values, base, strict=True))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of them doesn't pass (nearest rank).

    >>> quantile(range(1, 301), 0.99)
    297
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
