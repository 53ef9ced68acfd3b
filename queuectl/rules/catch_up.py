"""What becomes of the instants of a schedule that have come due since somebody last looked.

From the oldest: those later than `start_within` expire; those that were missed while nothing ran are made up
for as `catch_up` says; those that are on time fire, each of them. Those of a paused spec are only recorded.
A stretch of instants with the same fate is one planned fire, so that years of downtime stay one row.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice, takewhile

import msgspec

from queuectl.model.spec import Schedule
from queuectl.model.states import CatchUp, FireOutcome
from queuectl.rules.schedule import due_after, jitter_offset, next_due
from queuectl.rules.units import format_duration
from queuectl.rules.zones import DAY_MS

ON_TIME_MS = 10_000
"""A fire that is no later than this was not missed: a loop may be busy for a moment."""
CAUGHT_UP_AT_MOST = 100
COUNTED_AT_MOST = 3_000
"""Cron instants in a stretch are counted up to here, a weekend of minutes; those of `every` without limit."""

_MINUTE_MS = 60_000


class PlannedFire(msgspec.Struct, frozen=True, kw_only=True):
    """A due instant, or a stretch of them, and what is to become of it."""

    due_at: int
    """The first instant, before jitter."""
    until: int | None = None
    """The last instant of a stretch."""
    count: int = 1
    """How many instants; a lower bound where `reason` says "at least"."""
    outcome: FireOutcome
    run_at: int | None = None
    """When its job should run: set for FIRED and CAUGHT_UP."""
    reason: str | None = None


class FireDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that has come due, from the oldest, and the instant to look at next."""

    fires: tuple[PlannedFire, ...]
    next_due_ms: int | None
    """Before jitter; None when the schedule never fires again."""
    anchor_ms: int | None = None
    """From where `every` counts anew; None: from where it did."""


def decide_fires(
    schedule: Schedule,
    *,
    name: str,
    anchor_ms: int,
    zone: str,
    next_due_ms: int | None,
    now_ms: int,
    paused: bool,
) -> FireDecision:
    """Decide about every instant from `next_due_ms` on that is due at `now_ms`, jitter of the spec included.

    `next_due_ms` is where the last decision ended: no instant before it is looked at. One that was stored while the
    clock was ahead is set right: of `every` when it is further off than an interval, of cron when it lies more than
    a day beyond the next instant from now on.
    """
    if next_due_ms is None:
        return FireDecision(fires=(), next_due_ms=None)
    if schedule.every_ms and next_due_ms - now_ms > schedule.every_ms:
        return _counted_anew(schedule.every_ms, anchor_ms, next_due_ms, now_ms)
    instants = _Instants(schedule, anchor_ms, zone)
    latest = now_ms - jitter_offset(schedule, name)
    following = instants.after(latest)
    if next_due_ms > latest:
        is_stray = following is not None and next_due_ms - following > DAY_MS
        return FireDecision(fires=(), next_due_ms=following if is_stray else next_due_ms)
    if paused:
        fires = instants.stretch(next_due_ms, latest, FireOutcome.PAUSED, "the spec was paused")
    else:
        fires = _unpaused(instants, next_due_ms, latest, now_ms)
    return FireDecision(fires=tuple(fires), next_due_ms=following)


def _counted_anew(every_ms: int, anchor_ms: int, next_due_ms: int, now_ms: int) -> FireDecision:
    """Count from now on, so that no instant is one of the count before: the ledger holds those already."""
    anchor = now_ms if (now_ms - anchor_ms) % every_ms else now_ms - 1
    has_fired = next_due_ms > anchor_ms
    first = anchor + every_ms if has_fired else anchor
    return FireDecision(fires=(), next_due_ms=first, anchor_ms=anchor)


def _unpaused(instants: _Instants, first: int, latest: int, now_ms: int) -> list[PlannedFire]:
    expired = []
    within = instants.schedule.start_within_ms
    if within is not None:
        reason = f"later than start_within, {format_duration(within)}"
        expired = instants.stretch(first, min(now_ms - within - 1, latest), FireOutcome.EXPIRED, reason)
        first = max(first, now_ms - within)
    last_late = latest - ON_TIME_MS - 1
    on_time = [
        PlannedFire(due_at=due, outcome=FireOutcome.FIRED, run_at=due + now_ms - latest)
        for due in instants.between(max(first, last_late + 1), latest)
    ]
    return expired + _missed(instants, first, last_late, now_ms, makes_up=not on_time) + on_time


def _missed(instants: _Instants, first: int, last: int, now_ms: int, *, makes_up: bool) -> list[PlannedFire]:
    """Decide about instants when nothing ran. `makes_up`: no later fire stands for the latest of them."""
    if last < first:
        return []
    match instants.schedule.catch_up:
        case CatchUp.NONE:
            wanted, why = 0, "nothing ran when it was due, and catch_up is none"
        case CatchUp.LATEST:
            wanted, why = int(makes_up), "nothing ran when it was due; a later fire makes up for it"
        case CatchUp.ALL:
            wanted = CAUGHT_UP_AT_MOST
            why = f"nothing ran when it was due, and only the latest {wanted} are made up for"
    newest = instants.newest(first, last, wanted)
    caught_up = [
        PlannedFire(
            due_at=due,
            outcome=FireOutcome.CAUGHT_UP,
            run_at=now_ms + number * instants.schedule.spacing_ms,
            reason=f"nothing ran when it was due, {format_duration((now_ms - due) // 1000 * 1000)} ago",
        )
        for number, due in enumerate(newest)
    ]
    older = newest[0] - 1 if newest else last
    return instants.stretch(first, older, FireOutcome.MISSED, why) + caught_up


class _Instants(msgspec.Struct, frozen=True):
    """The due instants of one spec. Searching them costs little however far apart the ends are."""

    schedule: Schedule
    anchor_ms: int
    zone: str

    def after(self, after_ms: int) -> int | None:
        return next_due(self.schedule, anchor_ms=self.anchor_ms, zone=self.zone, after_ms=after_ms)

    def between(self, first: int, last: int) -> list[int]:
        found = []
        due = self.after(first - 1)
        while due is not None and due <= last:
            found.append(due)
            due = self.after(due)
        return found

    def newest(self, first: int, last: int, wanted: int) -> list[int]:
        """Give the last instants in `first`…`last`, at most so many, in ascending order."""
        found: list[int] = []
        while len(found) < wanted and (due := self._last(first, last)) is not None:
            found.append(due)
            last = due - 1
        return found[::-1]

    def stretch(self, first: int, last: int, outcome: FireOutcome, reason: str) -> list[PlannedFire]:
        """Give the one fire for all instants in `first`…`last`, none when there are none."""
        from_ms, until = self.after(first - 1), self._last(first, last)
        if from_ms is None or until is None:
            return []
        count = self._count(from_ms, until)
        if count > COUNTED_AT_MOST and not self.schedule.every_ms:
            count = COUNTED_AT_MOST
            reason += f" (at least {count} instants)"
        return [
            PlannedFire(
                due_at=from_ms,
                until=until if until > from_ms else None,
                count=count,
                outcome=outcome,
                reason=reason,
            )
        ]

    def _last(self, first: int, last: int) -> int | None:
        """Give the last instant in `first`…`last`."""
        due = self.after(first - 1)
        if due is None or due > last:
            return None
        if every := self.schedule.every_ms:
            return due + (last - due) // every * every
        # Cron instants are whole minutes: find the minute after which none is left.
        minutes = range(due, last + _MINUTE_MS, _MINUTE_MS)
        return minutes[bisect_left(minutes, True, key=lambda at: (self.after(at) or last + 1) > last)]

    def _count(self, first: int, last: int) -> int:
        """Count the instants in `first`…`last`, which are instants; stops just beyond COUNTED_AT_MOST for cron."""
        if every := self.schedule.every_ms:
            return (last - first) // every + 1
        due = due_after(self.schedule, anchor_ms=self.anchor_ms, zone=self.zone, after_ms=first - 1)
        return sum(1 for _ in islice(takewhile(lambda at: at <= last, due), COUNTED_AT_MOST + 1))
