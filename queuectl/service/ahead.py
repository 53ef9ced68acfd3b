"""Ahead: what the specs that fire next have done of late, and when they fire within a day."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, takewhile

import msgspec

from queuectl.model.fire import StoredSpec
from queuectl.model.run import Run
from queuectl.model.spec import Schedule, schedule_zone
from queuectl.service.context import Context

LANES = 20
"""Specs that are shown: those that fire next."""
AHEAD_MS = 24 * 3_600_000
BEHIND_MS = 6 * 3_600_000
MOST_FIRES = 100
"""Of one spec. One that fires more often is told by its words, not by its marks."""
_RUNS = 20
_ROUND_MS = 600_000


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One spec."""

    spec: str
    fires: Sequence[int]
    """Instants to come, jitter in them; at most MOST_FIRES."""
    has_more: bool
    """It fires more often than that until the end of the day."""
    runs: Sequence[Run]


def ahead(ctx: Context) -> Sequence[Lane]:
    """Return a lane for each of the specs that fire next, soonest first."""
    now = ctx.now()
    stored = [one for one in ctx.store.specs.coming(2 * LANES) if not one.paused][:LANES]
    runs = ctx.store.attempts.runs_of_specs([one.name for one in stored], since=now - BEHIND_MS, limit=_RUNS)
    lanes = (_lane(ctx, one, [run for run in runs if run.spec == one.name], now) for one in stored)
    return [lane for lane in lanes if lane.fires or lane.runs]


def _lane(ctx: Context, stored: StoredSpec, runs: Sequence[Run], now: int) -> Lane:
    from queuectl.rules.schedule import jitter_offset  # noqa: PLC0415  loads croniter

    schedule = stored.spec.schedule
    if schedule is None:
        return Lane(spec=stored.name, fires=(), has_more=False, runs=runs)
    zone = schedule_zone(stored.spec, ctx.config.timezone)
    due = _due(schedule, stored.created_at, zone, now // _ROUND_MS * _ROUND_MS)
    offset = jitter_offset(schedule, stored.name)
    fires = [at + offset for at in due if now <= at + offset <= now + AHEAD_MS]
    return Lane(spec=stored.name, fires=fires[:MOST_FIRES], has_more=len(fires) > MOST_FIRES, runs=runs)


@lru_cache(maxsize=1024)
def _due(schedule: Schedule, anchor_ms: int, zone: str, from_ms: int) -> Sequence[int]:
    """Remembered for ten minutes: a page is looked at again and again, and each instant is a search."""
    from queuectl.rules.schedule import due_after  # noqa: PLC0415  loads croniter

    found = due_after(schedule, anchor_ms=anchor_ms, zone=zone, after_ms=from_ms - 1)
    near = takewhile(lambda at: at < from_ms + AHEAD_MS + _ROUND_MS, found)
    return list(islice(near, MOST_FIRES + 20))
