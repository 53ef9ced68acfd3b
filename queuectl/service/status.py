"""Status: the queue at a glance."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from queuectl.model.fire import StoredSpec
from queuectl.model.states import JobState
from queuectl.service.context import Context
from queuectl.service.workers import SeenWorker, list_workers

NEXT_FIRES = 5
_LOOK_AHEAD = 100


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The queue at an instant."""

    jobs: Mapping[JobState, int]
    """How many each state has; all states are there."""
    avg_duration_ms: float | None
    """Of the latest attempts that succeeded."""
    oldest_pending_s: float | None
    """How long the longest-waiting pending job could have run already."""
    workers: tuple[SeenWorker, ...]
    next_fires: tuple[StoredSpec, ...]
    """The specs that fire next, soonest first, five at most; paused ones left out."""
    timezone: str
    """Of schedules that name none."""

    @property
    def total(self) -> int:
        """Jobs in all states."""
        return sum(self.jobs.values())

    @property
    def success_rate(self) -> float | None:
        """Share, 0…1, of the jobs that completed among those that completed or died; None without any."""
        completed, dead = self.jobs[JobState.COMPLETED], self.jobs[JobState.DEAD]
        return completed / (completed + dead) if completed + dead else None


def status(ctx: Context) -> Status:
    """Return how the queue stands now."""
    store, now = ctx.store, ctx.now()
    oldest = store.jobs.oldest_pending()
    return Status(
        jobs=store.jobs.counts(),
        avg_duration_ms=store.jobs.average_duration_ms(),
        oldest_pending_s=None if oldest is None else max(0, now - oldest) / 1000,
        workers=tuple(list_workers(ctx)),
        next_fires=tuple(spec for spec in store.specs.coming(_LOOK_AHEAD) if not spec.paused)[:NEXT_FIRES],
        timezone=ctx.config.timezone,
    )
