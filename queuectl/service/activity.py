"""Activity: what attempts came to over the last hour, day or week."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Literal

import msgspec

from queuectl.model.tally import Tally
from queuectl.rules.percentiles import percentile
from queuectl.service.context import Context
from queuectl.store.minutes import COARSE_MS

Span = Literal["hour", "day", "week"]

_MINUTE = 60_000
_STEPS: dict[Span, tuple[int, int]] = {
    "hour": (_MINUTE, 60),
    "day": (15 * _MINUTE, 96),
    "week": (COARSE_MS, 84),
}
"""The length of a step in ms, and how many there are."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of the time."""

    at: int
    succeeded: int
    failed: int
    median_ms: float | None
    slow_ms: float | None
    """What 95% did not exceed."""


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    span: Span
    step_ms: int
    steps: Sequence[Step]
    """Oldest first, without gaps; the last one goes on."""
    succeeded: int
    failed: int
    median_ms: float | None
    slow_ms: float | None

    @property
    def success_rate(self) -> float | None:
        """Share of the attempts that succeeded; None without any."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None


def activity(ctx: Context, span: Span) -> Activity:
    """Return what attempts came to."""
    step_ms, count = _STEPS[span]
    first = ctx.now() // step_ms * step_ms - (count - 1) * step_ms
    tallies = ctx.store.minutes.since(first, step_ms=step_ms)
    by_step = {at: list(group) for at, group in groupby(tallies, attrgetter("at"))}
    return Activity(
        span=span,
        step_ms=step_ms,
        steps=[_step(at, by_step.get(at, [])) for at in range(first, first + count * step_ms, step_ms)],
        succeeded=sum(one.succeeded for one in tallies),
        failed=sum(one.failed for one in tallies),
        median_ms=percentile(tallies, 0.5),
        slow_ms=percentile(tallies, 0.95),
    )


def _step(at: int, tallies: Sequence[Tally]) -> Step:
    return Step(
        at=at,
        succeeded=sum(one.succeeded for one in tallies),
        failed=sum(one.failed for one in tallies),
        median_ms=percentile(tallies, 0.5),
        slow_ms=percentile(tallies, 0.95),
    )
